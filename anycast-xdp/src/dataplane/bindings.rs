//! Which table each binding leads to now, and which one its flows came from.
//!
//! A pool has an index of `POOLS`, which VIPs refer to that are bound to it alone; every distinct binding of a pool and its
//! fall-backs has one more, which shares the table of the pool that it uses now, or has one of its own where the dials of pools
//! divide its flows. So a pool that fails, or a backend of it, is one store for it and for each of those, whatever the number of VIPs.

mod choice;
mod dead;
mod dials;
mod lead;
mod list;
mod origins;
mod pool;
mod serving;
#[cfg(test)]
mod tests;
mod transition;
mod usable;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::{Duration, Instant},
};

use anyhow::Result;

use self::{
    dials::Dials,
    lead::lead,
    list::{Around, List},
    pool::Pool,
    usable::can_serve,
};
pub use self::{
    origins::Origins,
    transition::Seen,
    usable::{is_up, is_usable},
};
use super::{
    apply::{
        plan::during_backends,
        reach::Reach,
        slots::{Cell, Tables},
    },
    inventory::{DownSet, Inventory},
    returners,
    tables::{Arrays, Dataplane},
};
use crate::desired::{Binding, Config, Limits, PopRole, Role};

/// What a running daemon knows of pools and bindings. All else is read from the tables.
#[derive(Debug, Default)]
pub struct Bindings {
    seed: [u8; 16],
    down: DownSet,
    pools: Vec<Pool>,
    /// Positions of pools by name.
    at: BTreeMap<String, usize>,
    lists: Vec<List>,
    /// Their positions.
    list_at: BTreeMap<Binding, usize>,
    dials: Dials,
    limits: Limits,
    transition: Duration,
    inventory: Inventory,
    /// See [`returners::superseded`].
    superseded: BTreeSet<u32>,
    /// The operator has moved flows that are not yet where he wants them.
    is_due: bool,
}

impl Bindings {
    /// Switches everything over to what `config` asks for, from what packets find at the origins of each index.
    ///
    /// # Errors
    ///
    /// No room, which validation excludes, or a refused grace period.
    pub fn start<D: Dataplane>(
        dataplane: &mut D,
        config: &Config,
        next: &Inventory,
        from: &Origins<'_>,
        now: Instant,
    ) -> Result<Self> {
        let Role::Pop(role) = &config.local.role else {
            return Ok(Self { inventory: next.clone(), ..Self::default() });
        };
        let mut bindings = Self::new(dataplane.arrays(), config, role, next, from)?;
        let dead = bindings.dead();
        let arrays = dataplane.arrays();
        let found_tables = from.found_tables(arrays);
        let target = |pool: &Pool| pool.target(arrays, from.indexes, &found_tables, &dead);
        let targets: Vec<_> = bindings.pools.iter().map(target).collect();
        let mut tables = Tables::new(dataplane, &bindings.limits)?;
        for (pool, target) in bindings.pools.iter_mut().zip(&targets) {
            let origin = from.indexes.get(&pool.record.index).copied();
            lead(&mut tables, pool.record.index, origin, target)?;
            pool.ends_at = target.old.as_ref().map(|_| now + bindings.transition);
        }
        bindings.lead_lists(&mut tables, now)?;
        Ok(bindings)
    }

    fn new(arrays: &Arrays, config: &Config, role: &PopRole, next: &Inventory, from: &Origins<'_>) -> Result<Self> {
        let pools = next.pools.iter().map(|record| Pool::new(arrays, &role.hash_seed, record));
        let pools = pools.collect::<Result<Vec<_>>>()?;
        // Times that run, and what waits for the operator, are in no table.
        let known: BTreeMap<_, _> = from.before.lists.iter().map(|list| (list.record.pools.as_slice(), list)).collect();
        let exact: BTreeMap<_, _> = from.before.lists.iter().map(|list| (list.record.binding(), list)).collect();
        let lists = next.bindings.iter().map(|record| {
            let mut list = List::found(arrays, record, &pools, from);
            let before = exact.get(&record.binding()).or_else(|| known.get(record.pools.as_slice()));
            if let Some(before) = before {
                list.choice = before.choice.clone();
            }
            list
        });
        Ok(Self {
            seed: role.hash_seed,
            down: next.down(),
            lists: lists.collect(),
            list_at: next.bindings.iter().zip(0..).map(|(list, at)| (list.binding(), at)).collect(),
            dials: Dials::new(role.hash_seed),
            at: next.pools.iter().zip(0..).map(|(pool, at)| (pool.name.clone(), at)).collect(),
            pools,
            limits: config.local.limits,
            transition: Duration::from_secs(role.transition_secs.into()),
            inventory: next.clone(),
            superseded: returners::superseded(arrays, config, next),
            is_due: false,
        })
    }

    /// Takes another down set, for [`Self::update`] to follow. `true`: tables change by it.
    pub fn set_down(&mut self, down: DownSet) -> bool {
        for pool in &mut self.pools {
            pool.is_due |= pool.record.set_down(&down);
        }
        self.down = down;
        self.pools.iter().any(|pool| pool.is_due)
    }

    /// Takes flows back to a pool that bindings would go back to, for [`Self::update`] to follow. The bindings that move; none:
    /// there is no such pool.
    pub fn fail_back(&mut self, pool: &str) -> Option<Vec<Binding>> {
        self.at.get(pool)?;
        let moved =
            self.lists.iter_mut().filter_map(|list| list.fail_back(pool, &self.pools).then(|| list.record.binding()));
        let moved: Vec<_> = moved.collect();
        self.is_due |= !moved.is_empty();
        Some(moved)
    }

    /// The backends whose probes fail.
    pub fn down(&self) -> DownSet {
        self.down.clone()
    }

    /// Writes the down set into an inventory, which the next process begins with.
    pub fn note_down(&self, inventory: &mut Inventory) {
        for pool in &mut inventory.pools {
            pool.set_down(&self.down);
        }
    }

    /// Writes which pools are in use into an inventory, for maps of another layout. `true`: others were.
    pub fn note_choices(&self, inventory: &mut Inventory) -> bool {
        let mut is_other = false;
        for known in &mut inventory.bindings {
            let Some(at) = self.list_at.get(&known.binding()) else { continue };
            let in_use = self.lists[*at].in_use();
            is_other |= in_use != known.in_use;
            known.in_use = in_use;
        }
        is_other
    }

    /// Follows what the down set, backends' ways and time have changed: gives away slots and back, fails over, fails back, ends
    /// transitions. `true`: something that packets could find is gone.
    ///
    /// # Errors
    ///
    /// A refused grace period, or no room, which validation excludes.
    pub fn update<D: Dataplane>(&mut self, dataplane: &mut D, now: Instant) -> Result<bool> {
        let arrays = dataplane.arrays();
        for pool in &mut self.pools {
            pool.can_serve = can_serve(arrays, &pool.record);
        }
        let ended: Vec<_> = (0..self.pools.len()).filter(|at| self.pools[*at].has_ended(now)).collect();
        let is_due = std::mem::take(&mut self.is_due)
            || self.pools.iter().any(|pool| pool.is_due)
            || self.lists.iter().any(|list| list.is_due(arrays, &self.pools, now));
        if ended.is_empty() && !is_due {
            return Ok(false);
        }
        let dead = self.dead();
        let mut tables = Tables::new(dataplane, &self.limits)?;
        for pool in self.pools.iter_mut().filter(|pool| pool.is_due) {
            pool.follow_health(&mut tables, &self.seed, &dead, now + self.transition)?;
        }
        for at in ended {
            let pool = &mut self.pools[at];
            if !pool.has_ended(now) {
                continue;
            }
            tables.switch(Cell::New(pool.record.index), &pool.wanted, 0)?;
            pool.ends_at = None;
            tracing::info!(pool = pool.record.name, "the transition has ended");
        }
        self.lead_lists(&mut tables, now)?;
        dataplane.wait_for_readers()?;
        let is_gone = self.sweep(dataplane)?;
        if is_gone {
            Reach::of(dataplane)?.clear_the_rest(dataplane.arrays(), &self.inventory);
            returners::remove_others(dataplane, &self.inventory)?;
        }
        Ok(is_gone)
    }

    /// Clears old tables that nothing needs any more, and forgets flows. The caller has waited for a grace period since
    /// the last change. `true`: there were some.
    ///
    /// # Errors
    ///
    /// A refused system call.
    pub fn sweep<D: Dataplane>(&self, dataplane: &mut D) -> Result<bool> {
        let arrays = dataplane.arrays();
        let (in_transition, over): (BTreeSet<u32>, BTreeSet<u32>) =
            arrays.old_pools.used().partition(|index| Seen::of(arrays, *index).is_in_transition());
        for index in &over {
            arrays.old_pools.write(*index, 0);
        }
        let (dead, dead_to_lists) = (self.dead(), self.dead_to_lists());
        let lists: BTreeSet<_> = self.lists.iter().map(|list| list.record.index).collect();
        dataplane.forget_flows(&|key, backend_index| {
            let dead = if lists.contains(&key.pool_index) { &dead_to_lists } else { &dead };
            !in_transition.contains(&key.pool_index) || dead.contains(&backend_index)
        })?;
        Ok(!over.is_empty())
    }

    /// Tunnel address and index of every backend of the configuration, and of those that old tables still lead to.
    ///
    /// # Errors
    ///
    /// The tables cannot be read.
    pub fn backends<D: Dataplane>(&self, dataplane: &mut D) -> Result<Vec<(IpAddr, u32)>> {
        let reach = Reach::of(dataplane)?;
        Ok(during_backends(&self.inventory, &reach, dataplane.arrays()))
    }

    /// When [`Self::update`] has something to do although nothing else changed.
    pub fn next_change<D: Dataplane>(&self, dataplane: &mut D) -> Option<Instant> {
        let arrays = dataplane.arrays();
        let pools = self.pools.iter().filter(|pool| !pool.drains()).filter_map(|pool| pool.ends_at);
        let lists = self.lists.iter().filter_map(|list| list.next_change(arrays, &self.pools));
        pools.chain(lists).min()
    }

    fn lead_lists<D: Dataplane>(&mut self, tables: &mut Tables<'_, D>, now: Instant) -> Result<()> {
        let dead = self.dead_to_lists();
        let mut around =
            Around { pools: &self.pools, dials: &mut self.dials, dead: &dead, transition: self.transition, now };
        self.lists.iter_mut().try_for_each(|list| list.lead(tables, &mut around))
    }
}
