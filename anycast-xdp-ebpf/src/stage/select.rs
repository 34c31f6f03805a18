//! Which backend? VIP, pool, Maglev slot, backend: one small array read each.

use anycast_common::{
    map::{BackendEntry, PoolDescriptor, PoolRef, is_in_transition, slot_of},
    outcome::Outcome,
};
use aya_ebpf::programs::XdpContext;

use super::{ip::Ip, transition};
use crate::{maps, observe::Observer};

/// The backend of a flow in the pool that the VIP's pool cell names.
#[inline(always)]
pub fn backend<I: Ip, O: Observer>(
    ctx: &XdpContext,
    l2_bytes: usize,
    pool_cell: u64,
    flow_hash: u64,
) -> Result<(u32, &'static BackendEntry), Outcome> {
    let pool = PoolRef::from_cell(pool_cell);
    if pool.pool_index == 0 {
        return Err(Outcome::NoPool);
    }
    let table = maps::pool(pool.pool_index).ok_or(Outcome::EmptyPool)?;
    let descriptor = PoolDescriptor::from_cell(table);
    if descriptor.size == 0 {
        return Err(Outcome::EmptyPool);
    }
    let at = descriptor.slot(flow_hash);
    O::slot(table, at);
    let slot = slot_of(maps::slot_pair(at).ok_or(Outcome::NoBackend)?, at);
    let index = if is_in_transition(slot, descriptor) {
        transition::backend::<I>(ctx.ctx, l2_bytes, pool.pool_index, flow_hash, slot)
    } else {
        slot
    };
    O::backend(index);
    let backend = maps::backend(index).ok_or(Outcome::NoBackend)?;
    // Index 0 is never set, so this covers an unset slot too.
    if backend.family == 0 { Err(Outcome::NoBackend) } else { Ok((index, backend)) }
}
