//! Which backends flows can stay on, and which pools can take new ones.

use std::collections::BTreeSet;

use anycast_common::map::{BackendRoute, GroupEntry};

use super::super::{inventory::PoolRecord, tables::Arrays};
use crate::desired::State;

/// Can flows stay on a backend?
pub fn is_alive(arrays: &Arrays, dead: &BTreeSet<u32>, index: u32) -> bool {
    (1..arrays.backends.len()).contains(&index) && arrays.backends.get(index).family != 0 && !dead.contains(&index)
}

/// Is a pool there for new flows, with a backend that a way leads to and whose probes do not fail?
pub fn is_usable(arrays: &Arrays, pool: &PoolRecord) -> bool {
    pool.state == State::Up && is_reached(arrays, pool)
}

/// Does the configuration let new flows into a pool, whatever becomes of them?
pub fn is_up(pool: &PoolRecord) -> bool {
    pool.state == State::Up && pool.takers().next().is_some()
}

/// Is anything served by a pool? One that drains keeps what it has: who is bound to it alone stays on it.
pub fn can_serve(arrays: &Arrays, pool: &PoolRecord) -> bool {
    pool.state != State::Down && is_reached(arrays, pool)
}

fn is_reached(arrays: &Arrays, pool: &PoolRecord) -> bool {
    pool.takers().any(|backend| !backend.is_down && has_way(arrays, backend.index))
}

/// Does a way lead to a backend, by at least one next hop?
pub fn has_way(arrays: &Arrays, index: u32) -> bool {
    let group_index = BackendRoute::from_cell(arrays.backends.get(index).route).group_index;
    (1..arrays.groups.len()).contains(&group_index) && {
        let GroupEntry { picks, .. } = arrays.groups.get(group_index);
        picks != 0
    }
}
