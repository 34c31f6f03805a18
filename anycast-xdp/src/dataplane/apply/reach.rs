//! What packets can find. It is read from the tables, never remembered: after a crash they are what is true.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use anycast_common::map::{BackendEntry, IN_TRANSITION, ListenerSet, PoolRef, PortTable, VipEntry, VipPolicy};
use anyhow::Result;

use super::{
    super::{
        inventory::Inventory,
        tables::{Arrays, Dataplane, mapped},
    },
    slots::{Cell, read},
};

/// Everything that the keys of VIPs lead to, by index. What is in none of these may be written anew after a grace period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// VIPs whose entry repeats their address.
    pub vips: BTreeMap<IpAddr, u32>,
    /// Pools that they are bound to.
    pub pools: BTreeSet<u32>,
    /// Backends in the tables of those, old ones included; PoP hosts that sources lead to.
    pub backends: BTreeSet<u32>,
    /// What those VIPs take.
    pub listener_sets: BTreeSet<u32>,
    /// Port tables of those.
    pub port_tables: BTreeSet<u32>,
    /// Port pages of those.
    pub port_pages: BTreeSet<u32>,
}

impl Reach {
    /// Follows every key.
    ///
    /// # Errors
    ///
    /// The keys cannot be read.
    pub fn of<D: Dataplane>(dataplane: &mut D) -> Result<Self> {
        let keys = dataplane.vip_keys()?;
        let sources = dataplane.keyed().sources.entries()?;
        let arrays = dataplane.arrays();
        let mut reach = Self { backends: sources.into_values().collect(), ..Self::default() };
        for (address, index) in keys {
            let entry = if index < arrays.vips.len() { arrays.vips.get(index) } else { VipEntry::default() };
            if entry.address == mapped(address) {
                reach.vips.insert(address, index);
                reach.pools.insert(PoolRef::from_cell(entry.pool).pool_index);
                reach.listener_sets.insert(VipPolicy::from_cell(entry.policy).listener_set);
            }
        }
        reach.pools.retain(|index| within(*index, arrays.pools.len()));
        for index in &reach.pools {
            for cell in [Cell::New(*index), Cell::Old(*index)] {
                reach.backends.extend(table(arrays, cell));
            }
        }
        reach.backends.retain(|index| within(*index, arrays.backends.len()));
        reach.follow_listeners(arrays);
        Ok(reach)
    }

    fn follow_listeners(&mut self, arrays: &Arrays) {
        self.listener_sets.retain(|index| within(*index, arrays.listener_sets.len()));
        for index in &self.listener_sets {
            self.port_tables.extend(arrays.listener_sets.get(*index).port_tables);
        }
        self.port_tables.retain(|index| within(*index, arrays.port_tables.len()));
        for index in &self.port_tables {
            self.port_pages.extend(arrays.port_tables.get(*index).pages.map(u32::from));
        }
        self.port_pages.retain(|index| within(*index, arrays.port_pages.len()));
    }

    /// Zeroes every entry that neither packets can find nor `next` names. The caller has waited for a grace period.
    pub fn clear_the_rest(&self, arrays: &mut Arrays, next: &Inventory) {
        let own = next.vips.iter().map(|vip| vip.index);
        let kept: BTreeSet<_> = self.vips.values().copied().chain(own).collect();
        for index in rest(arrays.vips.used(), &kept) {
            arrays.vips.write(index, VipEntry::default());
        }
        let kept: BTreeSet<_> = self.pools.iter().copied().chain(next.pool_indexes()).collect();
        for index in rest(arrays.pools.used(), &kept) {
            arrays.pools.write(index, 0);
        }
        for index in rest(arrays.old_pools.used(), &kept) {
            arrays.old_pools.write(index, 0);
        }
        let own = next.pools.iter().flat_map(|pool| &pool.backends).map(|backend| backend.index);
        let kept: BTreeSet<_> = self.backends.iter().copied().chain(own).collect();
        for index in rest(arrays.backends.used(), &kept) {
            arrays.backends.write(index, BackendEntry::default());
        }
        for index in rest(arrays.listener_sets.used(), &self.listener_sets) {
            arrays.listener_sets.write(index, ListenerSet::default());
        }
        for index in rest(arrays.port_tables.used(), &self.port_tables) {
            arrays.port_tables.write(index, PortTable { pages: [0; anycast_common::map::PORTS_PER_PAGE] });
        }
        for index in rest(arrays.port_pages.used(), &self.port_pages) {
            arrays.port_pages.write(index, anycast_common::map::PortPage::default());
        }
    }
}

/// Index 0 selects nothing, and one beyond the table is not found.
fn within(index: u32, len: u32) -> bool {
    (1..len).contains(&index)
}

fn rest(used: impl Iterator<Item = u32>, kept: &BTreeSet<u32>) -> Vec<u32> {
    used.filter(|index| !kept.contains(index)).collect()
}

/// The backend indexes of a Maglev table.
fn table(arrays: &Arrays, cell: Cell) -> impl Iterator<Item = u32> {
    read(arrays, cell.get(arrays)).into_iter().map(|slot| slot & !IN_TRANSITION)
}

/// The far end of a backend's tunnel, as its ready-made header has it; `None`: the entry is not set.
pub fn tunnel_address(entry: &BackendEntry) -> Option<IpAddr> {
    match entry.family {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(&entry.outer[16..20]).ok()?)),
        6 => Some(IpAddr::from(<[u8; 16]>::try_from(&entry.outer[24..40]).ok()?)),
        _ => None,
    }
}
