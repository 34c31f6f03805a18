//! A binding of more than one pool: which of them its flows go to, and the table that its index leads to.
//!
//! While one pool gets all of its flows it shares that pool's table. While several do, by their dials, it has one of its own, and
//! so it has while flows are on the way from or to that.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anycast_common::map::{IN_TRANSITION, PoolDescriptor, WHOLE_TABLE};
use anyhow::Result;

use super::{
    super::{
        apply::slots::{Cell, Tables, read},
        inventory::{BindingRecord, PoolRecord},
        tables::{Arrays, Dataplane},
    },
    Origins,
    choice::Choice,
    dials::Dials,
    lead::{keep, keep_on, lead},
    pool::Pool,
    transition::{Seen, Target},
    usable::{has_way, is_alive, is_up, is_usable},
};
use crate::desired::{Failover, State};

/// A binding of more than one pool.
#[derive(Debug)]
pub struct List {
    pub record: BindingRecord,
    /// Where it is read from at the first change: see [`super::super::apply::number::Pools::origins`].
    origin: u32,
    /// Positions of its pools among all of them.
    pools: Vec<usize>,
    pub choice: Choice,
    leads_to: LeadsTo,
    /// Its own table for new flows, while it has one.
    wanted: Vec<u32>,
    ends_at: Option<Instant>,
}

/// What its index leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LeadsTo {
    Nothing,
    /// The table of the pool at this position.
    Pool(usize),
    /// A table of its own.
    Own,
}

/// What lists are led by.
pub struct Around<'a> {
    pub pools: &'a [Pool],
    pub dials: &'a mut Dials,
    /// Backends that no flow stays on.
    pub dead: &'a BTreeSet<u32>,
    pub transition: Duration,
    pub now: Instant,
}

impl List {
    /// As the tables have it: packets find those of each index at its origin.
    pub fn found(arrays: &Arrays, record: &BindingRecord, pools: &[Pool], from: &Origins<'_>) -> Self {
        let Origins { indexes: origins, idle_pools, .. } = from;
        let position = |name: &String| pools.iter().position(|pool| pool.record.name == *name);
        let own_pools: Vec<_> = record.pools.iter().filter_map(position).collect();
        let lies_at = |index: u32| origins.get(&index).map(|origin| Cell::New(*origin).get(arrays));
        let origin = origins.get(&record.index).copied().unwrap_or(record.index);
        let own = lies_at(record.index).filter(|own| own.size > 0 && from.found.contains(&origin));
        let shared = own_pools.iter().copied().find(|at| {
            let pool = lies_at(pools[*at].record.index);
            own.zip(pool).is_some_and(|(own, pool)| own.offset == pool.offset)
        });
        let (leads_to, has_flows): (_, Vec<bool>) = match (own, shared) {
            (None, _) => (LeadsTo::Nothing, Vec::new()),
            (_, Some(used)) => (LeadsTo::Pool(used), own_pools.iter().map(|at| *at == used).collect()),
            (Some(own), None) => {
                let slots: BTreeSet<_> = read(arrays, own).into_iter().map(|slot| slot & !IN_TRANSITION).collect();
                let has_flows =
                    |at: &usize| pools[*at].record.backends.iter().any(|backend| slots.contains(&backend.index));
                (LeadsTo::Own, own_pools.iter().map(has_flows).collect())
            }
        };
        // Those behind the last one were not needed, and those whose dial was 0 had none to lose: if they can take flows.
        let last = has_flows.iter().rposition(|has_flows| *has_flows);
        let is_in = own_pools.iter().enumerate().map(|(at, pool)| {
            let pool = &pools[*pool].record;
            let has_no_need = || last.is_some_and(|last| at > last) || idle_pools.contains(&pool.name);
            has_flows[at] || (has_no_need() && can_take(arrays, record, pool))
        });
        let choice = match last {
            Some(_) => Choice::of(is_in),
            None if record.in_use.is_empty() => Choice::default(),
            // Maps of another layout are filled.
            None => Choice::of(record.pools.iter().map(|name| record.in_use.contains(name))),
        };
        Self { record: record.clone(), origin, pools: own_pools, choice, leads_to, wanted: Vec::new(), ends_at: None }
    }

    /// Is there anything to do for [`Self::lead`] that it did not do when it was last asked?
    pub fn is_due(&self, arrays: &Arrays, pools: &[Pool], now: Instant) -> bool {
        self.choice != self.choice_now(arrays, pools, now) || self.has_ended(arrays, pools, now)
    }

    /// When that is, if nothing else changes.
    pub fn next_change(&self, arrays: &Arrays, pools: &[Pool]) -> Option<Instant> {
        let ends_at = self.ends_at.filter(|_| !self.is_held(arrays, pools));
        ends_at.into_iter().chain(self.choice.fail_back_at()).min()
    }

    /// Names of the pools that flows can go to.
    pub fn in_use(&self) -> Vec<String> {
        let names = self.record.pools.iter().zip(self.choice.in_use());
        names.filter(|(_, is_in)| *is_in).map(|(name, _)| name.clone()).collect()
    }

    /// Takes flows back to a pool of this name that waits for it. `true`: some go there now.
    pub fn fail_back(&mut self, name: &str, pools: &[Pool]) -> bool {
        let before = self.taking(pools);
        let at = self.record.pools.iter().position(|pool| pool == name);
        at.is_some_and(|at| self.choice.fail_back(at)) && self.taking(pools) != before
    }

    /// Positions of the pools that get flows.
    pub fn taking(&self, pools: &[Pool]) -> Vec<usize> {
        let dials: Vec<_> = self.pools.iter().map(|at| pools[*at].record.dial_percent).collect();
        self.choice.taking(&dials).into_iter().map(|at| self.pools[at]).collect()
    }

    fn choice_now(&self, arrays: &Arrays, pools: &[Pool], now: Instant) -> Choice {
        let usable = self.pools.iter().map(|at| can_take(arrays, &self.record, &pools[*at].record));
        self.choice.with(&usable.collect::<Vec<_>>(), self.record.policy.failback, now)
    }

    /// It stays in transition while the pools that it uses are, and while one of the others drains.
    fn is_held(&self, arrays: &Arrays, pools: &[Pool]) -> bool {
        let taking = self.taking(pools);
        let mut others = self.pools.iter().filter(|at| !taking.contains(at));
        let follows = match self.leads_to {
            LeadsTo::Pool(at) => Seen::of(arrays, pools[at].record.index).is_in_transition(),
            LeadsTo::Own => taking.iter().any(|at| pools[*at].drains()),
            LeadsTo::Nothing => false,
        };
        follows || others.any(|at| pools[*at].record.state == State::Drain)
    }

    fn has_ended(&self, arrays: &Arrays, pools: &[Pool], now: Instant) -> bool {
        self.ends_at.is_some_and(|at| at <= now) && !self.is_held(arrays, pools)
    }

    /// Leads its index to the table that its pools make now, and keeps running flows where they are. The tables of the pools
    /// are there.
    ///
    /// # Errors
    ///
    /// No room, which validation excludes, or a refused grace period.
    pub fn lead<D: Dataplane>(&mut self, tables: &mut Tables<'_, D>, around: &mut Around<'_>) -> Result<()> {
        let (arrays, pools) = (tables.arrays(), around.pools);
        let before = self.taking(pools);
        self.choice = self.choice_now(arrays, pools, around.now);
        let has_ended = self.has_ended(arrays, pools, around.now);
        let taking = self.taking(pools);
        if self.leads_to != LeadsTo::Nothing && before != taking {
            let names: Vec<_> = taking.iter().map(|at| pools[*at].record.name.as_str()).collect();
            tracing::info!(binding = %self.record.binding(), pools = names.join(" "), "other pools take new flows");
        }
        match (self.leads_to, taking.as_slice()) {
            (_, []) => return Ok(()),
            (LeadsTo::Nothing | LeadsTo::Pool(_), [used]) => self.share(tables, *used, has_ended, around),
            (LeadsTo::Nothing | LeadsTo::Pool(_) | LeadsTo::Own, _) => {
                self.lead_own(tables, &taking, has_ended, around)?;
            }
        }
        self.origin = self.record.index;
        Ok(())
    }

    /// Leads to the table of a pool, from that of another one, or from nothing.
    fn share<D: Dataplane>(&mut self, tables: &mut Tables<'_, D>, used: usize, has_ended: bool, around: &Around<'_>) {
        let (index, origin, home) = (self.record.index, self.origin, around.pools[used].record.index);
        let moves = matches!(self.leads_to, LeadsTo::Pool(before) if before != used);
        let is_whole = Cell::New(origin).get(tables.arrays()).flags & WHOLE_TABLE != 0;
        let keeps = if moves {
            keep(tables, index, origin, around.dead)
        } else {
            let has_flows = self.leads_to != LeadsTo::Nothing;
            has_flows && is_whole && !has_ended && keep_on(tables, index, origin, around.dead)
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
        self.ends_at = match self.ends_at {
            _ if !keeps => None,
            Some(at) if !moves => Some(at),
            _ => Some(around.now + around.transition),
        };
        self.leads_to = LeadsTo::Pool(used);
        self.wanted.clear();
    }

    /// Leads to a table of its own, from whatever it has; back to that of a pool where nothing tells them apart any more.
    fn lead_own<D: Dataplane>(
        &mut self,
        tables: &mut Tables<'_, D>,
        taking: &[usize],
        has_ended: bool,
        around: &mut Around<'_>,
    ) -> Result<()> {
        let arrays = tables.arrays();
        let wanted = around.dials.table(around.pools, &self.pools, taking);
        let target = if has_ended || self.leads_to == LeadsTo::Nothing {
            Target::at_once(&wanted)
        } else {
            let stranded = self.stranded(arrays, around.pools);
            let can_stay = |index| is_alive(arrays, around.dead, index) && !stranded.contains(&index);
            Seen::of(arrays, self.origin).toward(&wanted, can_stay)
        };
        if let [used] = taking
            && target.old.is_none()
            && !Seen::of(arrays, around.pools[*used].record.index).is_in_transition()
        {
            let table = Cell::New(around.pools[*used].record.index).get(arrays);
            Cell::New(self.record.index).store(arrays, table);
            (self.leads_to, self.ends_at) = (LeadsTo::Pool(*used), None);
            self.wanted.clear();
            return Ok(());
        }
        lead(tables, self.record.index, Some(self.origin), &target)?;
        self.ends_at = match self.ends_at {
            _ if target.old.is_none() => None,
            Some(at) if self.wanted == wanted => Some(at),
            _ => Some(around.now + around.transition),
        };
        (self.leads_to, self.wanted) = (LeadsTo::Own, wanted);
        Ok(())
    }

    /// Backends of its pools that no way leads to, and to none beside them.
    fn stranded(&self, arrays: &Arrays, pools: &[Pool]) -> BTreeSet<u32> {
        let records = self.pools.iter().map(|at| &pools[*at].record);
        let cut_off = records.filter(|pool| !pool.backends.iter().any(|backend| has_way(arrays, backend.index)));
        cut_off.flat_map(|pool| &pool.backends).map(|backend| backend.index).collect()
    }
}

/// Can flows of a binding go to a pool, by who takes them from one to the next?
fn can_take(arrays: &Arrays, binding: &BindingRecord, pool: &PoolRecord) -> bool {
    match binding.policy.failover {
        Failover::Local => is_usable(arrays, pool),
        Failover::Manual => is_up(pool),
    }
}
