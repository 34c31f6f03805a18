//! What an inventory says of pools and backends, as far as the maps bear it out.

use std::collections::{BTreeMap, BTreeSet};

use anycast_common::map::{BackendEntry, IN_TRANSITION};
use anyhow::{Context as _, Result};
use ipnet::IpNet;

use super::{
    super::{
        inventory::{BackendRecord, BindingRecord, DownSet, Inventory, PoolRecord},
        tables::Arrays,
    },
    reach::Reach,
    slots::{Cell, read},
};
use crate::desired::{Binding, Pool};

/// A pool while it gets its indexes; those that are not known yet are 0.
pub struct Draft {
    pub record: PoolRecord,
    pub entries: Vec<BackendEntry>,
}

/// The inventory's pools, as far as the maps bear it out. Each index is given once: two names of it are one too many.
pub struct Known<'a> {
    /// More than one of a name are the new one and the old one of a change that did not end.
    pools: BTreeMap<&'a str, Vec<&'a PoolRecord>>,
    bindings: Vec<&'a BindingRecord>,
    /// Indexes that have more than one owner.
    contested: BTreeSet<u32>,
    reach: &'a Reach,
    arrays: &'a Arrays,
    down: &'a DownSet,
    given_pools: BTreeSet<u32>,
    given_backends: BTreeSet<u32>,
}

impl<'a> Known<'a> {
    pub fn of(current: &'a Inventory, down: &'a DownSet, reach: &'a Reach, arrays: &'a Arrays) -> Self {
        // An index that packets find comes before one that was only planned.
        let is_planned = |index: u32| !reach.pools.contains(&index);
        let own: BTreeSet<_> = current.pools.iter().map(|pool| (pool.index, vec![pool.name.as_str()])).collect();
        let lists = current.bindings.iter();
        let lists = lists.map(|list| (list.index, list.pools.iter().map(String::as_str).collect()));
        let mut once = BTreeSet::new();
        let owners = own.into_iter().chain(lists).map(|(index, _)| index);
        let contested = owners.filter(|index| !once.insert(*index)).collect();
        let mut pools: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for pool in current.pools.iter().filter(|pool| (1..arrays.pools.len()).contains(&pool.index)) {
            pools.entry(pool.name.as_str()).or_default().push(pool);
        }
        for records in pools.values_mut() {
            records.sort_by_key(|pool| is_planned(pool.index));
        }
        let mut bindings: Vec<_> = current.bindings.iter().collect();
        bindings.sort_by_key(|binding| is_planned(binding.index));
        Self {
            pools,
            bindings,
            contested,
            reach,
            arrays,
            down,
            given_pools: BTreeSet::new(),
            given_backends: BTreeSet::new(),
        }
    }

    /// Is what lies at an index of `POOLS` of these pools? A change that stopped has named an index that was another's
    /// before, and the table there may be of either.
    fn is_of(&self, index: u32, pools: &[&PoolRecord]) -> bool {
        if self.reach.pools.contains(&index) && !self.contested.contains(&index) {
            return true;
        }
        let backends: BTreeSet<_> = pools.iter().flat_map(|pool| &pool.backends).map(|backend| backend.index).collect();
        let slots = read(self.arrays, Cell::New(index).get(self.arrays));
        slots.iter().all(|slot| backends.contains(&(slot & !IN_TRANSITION)))
    }

    /// `entries` gives what the entry of the backend at a position may be, and its near end. The first is that of a new
    /// one.
    pub fn pool(
        &mut self,
        pool: &Pool,
        entries: impl Fn(usize) -> Result<Vec<(IpNet, BackendEntry)>>,
    ) -> Result<Draft> {
        let known = self.pools.get(pool.name.as_str()).cloned().unwrap_or_default();
        let own = known.iter().map(|one| one.index).filter(|index| self.is_of(*index, &known)).collect::<Vec<_>>();
        let index = own.into_iter().find(|index| self.given_pools.insert(*index));
        let mut record = PoolRecord {
            index: index.unwrap_or(0),
            name: pool.name.clone(),
            home_region: pool.home_region.clone(),
            state: pool.state,
            dial_percent: pool.dial_percent,
            offset: 0,
            size: 0,
            backends: Vec::new(),
        };
        let mut drafted = Vec::new();
        for (at, backend) in pool.backends.iter().enumerate() {
            let entries = entries(at)?;
            let named = known.iter().flat_map(|known| &known.backends);
            let same = named.filter(|known| known.address == backend.address).map(|known| known.index);
            let mut same = same.filter(|index| !self.given_backends.contains(index));
            let found = same.find_map(|index| {
                let (source, entry) = entries.iter().find(|(_, entry)| self.is_set(index, entry))?;
                Some((index, *source, *entry))
            });
            let new = || entries.first().map(|(source, entry)| (0, *source, *entry));
            let (index, source, entry) =
                found.or_else(new).with_context(|| format!("no tunnel source for {}", backend.address))?;
            self.given_backends.extend(Some(index).filter(|index| *index != 0));
            record.backends.push(BackendRecord {
                index,
                address: backend.address,
                source: Some(source),
                weight: backend.weight,
                encap: backend.encap.to_string(),
                mtu_bytes: backend.mtu_bytes,
                state: backend.state,
                is_down: false,
            });
            drafted.push(entry);
        }
        // Without a check there is nobody who tells that they are up again.
        if pool.health.is_some() {
            record.set_down(self.down);
        }
        Ok(Draft { record, entries: drafted })
    }

    /// A record with the index that the binding has, and where its flows are, if that is at another index: on that of one with
    /// the same pools, which moves them by other rules.
    pub fn binding(&mut self, binding: Binding) -> (BindingRecord, Option<u32>) {
        let Binding { pools, policy } = binding;
        let room = 1..self.arrays.pools.len();
        let records: Vec<_> =
            pools.iter().filter_map(|name| self.pools.get(name.as_str())).flatten().copied().collect();
        let alike = self.bindings.iter().filter(|known| known.pools == pools && room.contains(&known.index));
        let alike: Vec<_> = alike.filter(|known| self.is_of(known.index, &records)).copied().collect();
        let mut own = alike.iter().filter(|known| known.policy == policy).map(|known| known.index);
        let index = own.find(|index| self.given_pools.insert(*index));
        let origin = alike.first().map(|known| known.index).filter(|_| index.is_none());
        let noted = self.bindings.iter().filter(|known| known.pools == pools);
        let in_use = noted.min_by_key(|known| known.policy != policy).map(|known| known.in_use.clone());
        let in_use = in_use.unwrap_or_default();
        (BindingRecord { index: index.unwrap_or(0), pools, policy, in_use }, origin)
    }

    /// Does the map hold this entry there, wherever its packets go? An inventory that was written before a crash may
    /// name entries that never were.
    fn is_set(&self, index: u32, entry: &BackendEntry) -> bool {
        (1..self.arrays.backends.len()).contains(&index)
            && BackendEntry { route: 0, ..self.arrays.backends.get(index) } == *entry
    }
}
