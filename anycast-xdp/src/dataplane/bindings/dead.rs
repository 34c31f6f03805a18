//! Backends that no flow stays on.

use std::collections::BTreeSet;

use super::{Bindings, pool::Pool};
use crate::{dataplane::inventory::PoolRecord, desired::State};

impl Bindings {
    /// Backends that no flow stays on in the tables of pools. Where probes fail for all of a pool, its flows have nowhere else to
    /// go: they stay.
    pub(super) fn dead(&self) -> BTreeSet<u32> {
        self.dead_where(|pool| !pool.is_all_down())
    }

    /// Backends that no flow stays on which can go to another pool.
    pub(super) fn dead_to_lists(&self) -> BTreeSet<u32> {
        self.dead_where(|_| true)
    }

    fn dead_where(&self, heeds_health: impl Fn(&PoolRecord) -> bool) -> BTreeSet<u32> {
        let of_pool = |Pool { record, .. }: &Pool| {
            let (is_down, heeds_health) = (record.state == State::Down, heeds_health(record));
            let down = record
                .backends
                .iter()
                .filter(move |backend| is_down || backend.state == State::Down || (heeds_health && backend.is_down));
            down.map(|backend| backend.index).collect::<Vec<_>>()
        };
        self.pools.iter().flat_map(of_pool).chain(self.superseded.iter().copied()).collect()
    }
}
