//! Which table each binding leads to now, and which one its flows came from.
//!
//! A pool has an index of `POOLS`, which VIPs refer to that are bound to it alone; every list of a pool and its
//! fall-backs has one more, which shares the table of the pool that it uses now. So a pool that fails is one store for
//! each distinct list, whatever the number of VIPs.

mod choice;
mod lead;
#[cfg(test)]
mod tests;
mod transition;
mod usable;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::{Duration, Instant},
};

use anycast_common::map::{PoolDescriptor, WHOLE_TABLE};
use anyhow::Result;

use self::{
    choice::Choice,
    lead::{keep, lead},
    transition::Target,
    usable::is_alive,
};
pub use self::{transition::Seen, usable::is_usable};
use super::{
    apply::{
        plan::during_backends,
        reach::Reach,
        slots::{Cell, Tables, table},
    },
    inventory::{Inventory, PoolRecord},
    returners,
    tables::{Arrays, Dataplane},
};
use crate::desired::{Config, Limits, PopRole, Role, State};

/// What a running daemon knows of pools and bindings. All else is read from the tables.
#[derive(Debug, Default)]
pub struct Bindings {
    pools: Vec<Pool>,
    lists: Vec<List>,
    limits: Limits,
    transition: Duration,
    inventory: Inventory,
    /// See [`returners::superseded`].
    superseded: BTreeSet<u32>,
}

#[derive(Debug)]
struct Pool {
    record: PoolRecord,
    /// Its table for new flows.
    wanted: Vec<u32>,
    /// When its transition ends, unless it drains.
    ends_at: Option<Instant>,
}

/// A binding of more than one pool.
#[derive(Debug)]
struct List {
    index: u32,
    /// Where it is read from at the first change: see [`super::apply::number::Pools::origins`].
    origin: u32,
    /// Positions of its pools.
    pools: Vec<usize>,
    choice: Choice,
    ends_at: Option<Instant>,
}

impl Bindings {
    /// Switches everything over to what `config` asks for, from what packets find at the `origins` of each index.
    ///
    /// # Errors
    ///
    /// No room, which validation excludes, or a refused grace period.
    pub fn start<D: Dataplane>(
        dataplane: &mut D,
        config: &Config,
        next: &Inventory,
        origins: &BTreeMap<u32, u32>,
        now: Instant,
    ) -> Result<Self> {
        let Role::Pop(role) = &config.local.role else {
            return Ok(Self { inventory: next.clone(), ..Self::default() });
        };
        let mut bindings = Self::new(dataplane.arrays(), config, role, next, origins)?;
        let dead = bindings.dead();
        let arrays = dataplane.arrays();
        let targets: Vec<_> = bindings.pools.iter().map(|pool| pool.target(arrays, origins, &dead)).collect();
        let mut tables = Tables::new(dataplane, &bindings.limits)?;
        for (pool, target) in bindings.pools.iter_mut().zip(&targets) {
            let origin = origins.get(&pool.record.index).copied();
            lead(&mut tables, pool.record.index, origin, target)?;
            pool.ends_at = target.old.as_ref().map(|_| now + bindings.transition);
        }
        bindings.lead_lists(&mut tables, now);
        Ok(bindings)
    }

    fn new(
        arrays: &Arrays,
        config: &Config,
        role: &PopRole,
        next: &Inventory,
        origins: &BTreeMap<u32, u32>,
    ) -> Result<Self> {
        let pools = next.pools.iter().map(|record| {
            let wanted = table(&role.hash_seed, record)?;
            Ok(Pool { record: record.clone(), wanted, ends_at: None })
        });
        let pools = pools.collect::<Result<Vec<_>>>()?;
        let at: BTreeMap<_, _> = next.pools.iter().zip(0..).map(|(pool, at)| (pool.name.as_str(), at)).collect();
        let lies_at = |index: &u32| origins.get(index).map(|origin| Cell::New(*origin).get(arrays));
        let lists = next.bindings.iter().map(|binding| {
            let pools: Vec<usize> = binding.pools.iter().filter_map(|name| at.get(name.as_str()).copied()).collect();
            // It shares the table of the pool that it used last.
            let own = lies_at(&binding.index).filter(|own| own.size > 0);
            let active = pools.iter().position(|pool| {
                own.is_some_and(|own| lies_at(&next.pools[*pool].index).is_some_and(|table| table.offset == own.offset))
            });
            let origin = origins.get(&binding.index).copied().unwrap_or(binding.index);
            let choice = Choice { active, fail_back_at: None };
            List { index: binding.index, origin, pools, choice, ends_at: None }
        });
        Ok(Self {
            lists: lists.collect(),
            pools,
            limits: config.local.limits,
            transition: Duration::from_secs(role.transition_secs.into()),
            inventory: next.clone(),
            superseded: if config.services.has_returning() {
                returners::superseded(arrays, next)
            } else {
                BTreeSet::new()
            },
        })
    }

    /// Follows what backends' ways and time have changed: fails over, fails back, ends transitions. `true`: something
    /// that packets could find is gone.
    ///
    /// # Errors
    ///
    /// A refused grace period, or no room, which validation excludes.
    pub fn update<D: Dataplane>(&mut self, dataplane: &mut D, now: Instant) -> Result<bool> {
        let arrays = dataplane.arrays();
        let ended: Vec<_> = (0..self.pools.len()).filter(|at| self.pools[*at].has_ended(now)).collect();
        let is_due = self.lists.iter().any(|list| {
            list.choice != list.choice.with(&self.usable(arrays, list), now) || self.has_ended(arrays, list, now)
        });
        if ended.is_empty() && !is_due {
            return Ok(false);
        }
        let mut tables = Tables::new(dataplane, &self.limits)?;
        for at in ended {
            let pool = &mut self.pools[at];
            tables.switch(Cell::New(pool.record.index), &pool.wanted, 0)?;
            pool.ends_at = None;
            tracing::info!(pool = pool.record.name, "the transition has ended");
        }
        self.lead_lists(&mut tables, now);
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
        let dead = self.dead();
        dataplane.forget_flows(&|key, backend_index| {
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
        let lists = self.lists.iter().filter(|list| list.ends_at.is_some() && !self.is_held(arrays, list));
        let lists = lists.filter_map(|list| list.ends_at);
        let fail_backs = self.lists.iter().filter_map(|list| list.choice.fail_back_at);
        pools.chain(lists).chain(fail_backs).min()
    }

    /// Backends that no flow stays on.
    fn dead(&self) -> BTreeSet<u32> {
        let of_pool = |pool: &Pool| {
            let all_down = pool.record.state == State::Down;
            let down = pool.record.backends.iter().filter(move |backend| all_down || backend.state == State::Down);
            down.map(|backend| backend.index).collect::<Vec<_>>()
        };
        self.pools.iter().flat_map(of_pool).chain(self.superseded.iter().copied()).collect()
    }

    /// Which pools of a list can take new flows.
    fn usable(&self, arrays: &Arrays, list: &List) -> Vec<bool> {
        list.pools.iter().map(|at| is_usable(arrays, &self.pools[*at].record)).collect()
    }

    /// A list stays in transition while the pool that it uses is, and while one of the others drains.
    fn is_held(&self, arrays: &Arrays, list: &List) -> bool {
        let active = list.choice.active.map(|at| list.pools[at]);
        let others = list.pools.iter().filter(|at| Some(**at) != active);
        let is_drained = others.map(|at| &self.pools[*at].record).any(|pool| pool.state == State::Drain);
        let follows = active.is_some_and(|at| Seen::of(arrays, self.pools[at].record.index).is_in_transition());
        is_drained || follows
    }

    fn has_ended(&self, arrays: &Arrays, list: &List, now: Instant) -> bool {
        list.ends_at.is_some_and(|at| at <= now) && !self.is_held(arrays, list)
    }

    fn lead_lists<D: Dataplane>(&mut self, tables: &mut Tables<'_, D>, now: Instant) {
        let dead = self.dead();
        for at in 0..self.lists.len() {
            let arrays = tables.arrays();
            let list = &self.lists[at];
            let before = list.choice.active;
            let choice = list.choice.with(&self.usable(arrays, list), now);
            let has_ended = self.has_ended(arrays, list, now);
            let Some(used) = choice.active.map(|active| &self.pools[list.pools[active]]) else { continue };
            let (index, origin, home) = (list.index, list.origin, used.record.index);
            let pool = used.record.name.clone();
            let own = Cell::New(origin).get(arrays);
            let is_whole = own.flags & WHOLE_TABLE != 0;
            let moves = before.is_some() && choice.active != before;
            let keeps = if moves {
                keep(tables, index, origin, &dead)
            } else if is_whole && !has_ended {
                let old = Cell::Old(origin).get(arrays);
                Cell::Old(index).store(arrays, old);
                true
            } else {
                false
            };
            let arrays = tables.arrays();
            let table = Cell::New(home).get(arrays);
            if keeps {
                Cell::New(index).store(arrays, PoolDescriptor { flags: WHOLE_TABLE, ..table });
            } else {
                // An old table is there before something leads to it.
                if Seen::of(arrays, home).is_in_transition() {
                    let old = Cell::Old(home).get(arrays);
                    Cell::Old(index).store(arrays, old);
                }
                Cell::New(index).store(arrays, table);
            }
            let list = &mut self.lists[at];
            if moves {
                tracing::info!(binding = index, pool, flows_stay = keeps, "another pool takes new flows");
            }
            list.ends_at = match list.ends_at {
                _ if !keeps => None,
                Some(at) if !moves => Some(at),
                _ => Some(now + self.transition),
            };
            (list.choice, list.origin) = (choice, index);
        }
    }
}

impl Pool {
    fn target(&self, arrays: &Arrays, origins: &BTreeMap<u32, u32>, dead: &BTreeSet<u32>) -> Target {
        let origin = origins.get(&self.record.index);
        let seen = origin.map(|origin| Seen::of(arrays, *origin)).unwrap_or_default();
        seen.toward(&self.wanted, |index| is_alive(arrays, dead, index))
    }

    fn drains(&self) -> bool {
        self.record.backends.iter().any(|backend| backend.state == State::Drain)
    }

    fn has_ended(&self, now: Instant) -> bool {
        self.ends_at.is_some_and(|at| at <= now) && !self.drains()
    }
}
