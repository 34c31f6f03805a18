//! Which backend? VIP, pool, Maglev slot, backend: one small array read each.

use anycast_common::{
    map::{BackendEntry, PoolDescriptor, PoolRef, backend_of},
    outcome::Outcome,
};

use crate::maps;

/// The backend of a flow in the pool that the VIP's pool cell names.
#[inline(always)]
pub fn backend(pool_cell: u64, flow_hash: u64) -> Result<(u32, &'static BackendEntry), Outcome> {
    let pool = PoolRef::from_cell(pool_cell);
    if pool.pool_index == 0 {
        return Err(Outcome::NoPool);
    }
    let descriptor = PoolDescriptor::from_cell(maps::pool(pool.pool_index).ok_or(Outcome::EmptyPool)?);
    if descriptor.size == 0 {
        return Err(Outcome::EmptyPool);
    }
    let slot = descriptor.slot(flow_hash);
    let index = backend_of(maps::slot_pair(slot).ok_or(Outcome::NoBackend)?, slot);
    let backend = maps::backend(index).ok_or(Outcome::NoBackend)?;
    // Index 0 is never set, so this covers an unset slot too.
    if backend.family == 0 { Err(Outcome::NoBackend) } else { Ok((index, backend)) }
}
