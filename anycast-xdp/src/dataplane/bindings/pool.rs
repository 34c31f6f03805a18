//! A pool and its table.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use anyhow::Result;

use super::{
    super::{
        apply::slots::{Cell, Tables, table},
        inventory::PoolRecord,
        tables::{Arrays, Dataplane},
    },
    lead::lead,
    transition::{Seen, Target},
    usable::{can_serve, is_alive},
};
use crate::desired::State;

/// A pool, and where its table is going.
#[derive(Debug)]
pub struct Pool {
    pub record: PoolRecord,
    /// Its table for new flows.
    pub wanted: Vec<u32>,
    /// It is another one than the tables have: the down set has changed.
    pub is_due: bool,
    /// When it was last looked at.
    pub can_serve: bool,
    /// When its transition ends, unless it drains.
    pub ends_at: Option<Instant>,
}

impl Pool {
    pub fn new(arrays: &Arrays, seed: &[u8; 16], record: &PoolRecord) -> Result<Self> {
        let (wanted, can_serve) = (table(seed, record)?, can_serve(arrays, record));
        Ok(Self { record: record.clone(), wanted, is_due: false, can_serve, ends_at: None })
    }

    /// From what packets find at the index that it had, if its table is one of `found_tables`.
    pub fn target(
        &self,
        arrays: &Arrays,
        origins: &BTreeMap<u32, u32>,
        found_tables: &BTreeSet<u32>,
        dead: &BTreeSet<u32>,
    ) -> Target {
        let origin = origins.get(&self.record.index);
        let origin = origin.filter(|origin| found_tables.contains(&Cell::New(**origin).get(arrays).offset));
        let seen = origin.map(|origin| Seen::of(arrays, *origin)).unwrap_or_default();
        seen.toward(&self.wanted, |index| is_alive(arrays, dead, index))
    }

    /// Leads to the table of another down set. Flows of a backend that is in it move at once; those that began elsewhere
    /// because one was in it stay for the transition. Where all are in it nobody has flows to keep, and the table is at once the
    /// configured one, as it is at other PoPs: flows that come back from there find their backends.
    ///
    /// # Errors
    ///
    /// No room, which validation excludes, or a refused grace period.
    pub fn follow_health<D: Dataplane>(
        &mut self,
        tables: &mut Tables<'_, D>,
        seed: &[u8; 16],
        dead: &BTreeSet<u32>,
        ends_at: Instant,
    ) -> Result<()> {
        self.wanted = table(seed, &self.record)?;
        let index = self.record.index;
        let arrays = tables.arrays();
        let down: BTreeSet<_> =
            self.record.backends.iter().filter(|backend| backend.is_down).map(|backend| backend.index).collect();
        let can_stay = |backend| is_alive(arrays, dead, backend) && !down.contains(&backend);
        let target = Seen::of(arrays, index).toward(&self.wanted, can_stay);
        lead(tables, index, Some(index), &target)?;
        self.ends_at = target.old.map(|_| ends_at);
        self.is_due = false;
        Ok(())
    }

    /// Does it keep flows on a backend for as long as the configuration says?
    pub fn drains(&self) -> bool {
        self.record.backends.iter().any(|backend| backend.state == State::Drain)
    }

    pub fn has_ended(&self, now: Instant) -> bool {
        self.ends_at.is_some_and(|at| at <= now) && !self.drains()
    }
}
