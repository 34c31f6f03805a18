//! Counting: once per packet, after the verdict, here only.

use anycast_common::{
    map::VipDropKey,
    outcome::{Class, Outcome},
};

use crate::maps;

/// A packet that was forwarded to a backend.
#[inline(always)]
pub fn forwarded(vip_index: u32, backend_index: u32, bytes: usize) {
    maps::count_vip(vip_index, Class::Forwarded, bytes as u64);
    maps::count_backend(backend_index, bytes as u64);
}

/// A packet that was decapsulated for the host's stack.
#[inline(always)]
pub fn decapsulated(vip_index: u32, bytes: usize) {
    maps::count_vip(vip_index, Class::Forwarded, bytes as u64);
}

/// A packet for no VIP.
#[inline(always)]
pub fn unmatched(outcome: Outcome, bytes: usize) {
    maps::count_outcome(outcome, bytes as u64);
}

/// A packet of a VIP that was not forwarded.
#[inline(always)]
pub fn failed(outcome: Outcome, vip_index: u32, bytes: usize) {
    let bytes = bytes as u64;
    maps::count_outcome(outcome, bytes);
    maps::count_vip(vip_index, outcome.class(), bytes);
    if outcome.class() == Class::Dropped {
        maps::count_vip_drop(VipDropKey { vip_index, outcome: outcome as u32 }, bytes);
    }
}
