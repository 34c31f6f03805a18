//! Which backends flows can stay on, and which pools can take new ones.

use std::collections::BTreeSet;

use anycast_common::map::{BackendRoute, GroupEntry};

use super::super::{inventory::PoolRecord, tables::Arrays};
use crate::desired::State;

/// Can flows stay on a backend?
pub fn is_alive(arrays: &Arrays, dead: &BTreeSet<u32>, index: u32) -> bool {
    (1..arrays.backends.len()).contains(&index) && arrays.backends.get(index).family != 0 && !dead.contains(&index)
}

/// Is a pool there for new flows, with a backend that they reach?
pub fn is_usable(arrays: &Arrays, pool: &PoolRecord) -> bool {
    let mut takers = pool.backends.iter().filter(|backend| backend.state == State::Up && backend.weight > 0);
    pool.state == State::Up && takers.any(|backend| has_way(arrays, backend.index))
}

/// Does a way lead to a backend, by at least one next hop?
pub fn has_way(arrays: &Arrays, index: u32) -> bool {
    let group_index = BackendRoute::from_cell(arrays.backends.get(index).route).group_index;
    (1..arrays.groups.len()).contains(&group_index) && {
        let GroupEntry { picks, .. } = arrays.groups.get(group_index);
        picks != 0
    }
}
