//! Counting: once per packet, after the verdict, here only.

use anycast_common::{
    map::{Counter, DROP_OF_RETURN, VipDropKey},
    outcome::{Class, Outcome},
};

use crate::maps;

/// A packet that was forwarded to a backend.
#[inline(always)]
pub fn forwarded(vip_index: u32, backend_index: u32, bytes: usize) {
    maps::count_vip(vip_index, Class::Forwarded, bytes as u64);
    maps::count_backend(backend_index, Counter { packets: 1, bytes: bytes as u64 });
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

/// A probe of this host, or the answer to one.
#[inline(always)]
pub fn probe(outcome: Outcome, bytes: usize) {
    maps::count_probe(outcome, bytes as u64);
}

/// Answers that a gateway encapsulated toward a PoP.
#[inline(always)]
pub fn returned_to(vip_index: u32, peer_index: u32, added: Counter) {
    maps::count_returned(vip_index, added);
    maps::count_backend(peer_index, added);
}

/// An answer that a PoP sent on to its client.
#[inline(always)]
pub fn returned(vip_index: u32, bytes: usize) {
    maps::count_returned(vip_index, Counter { packets: 1, bytes: bytes as u64 });
}

/// An answer that was not sent on.
#[inline(always)]
pub fn not_returned(outcome: Outcome, vip_index: u32, bytes: usize) {
    maps::count_outcome(outcome, bytes as u64);
    maps::count_vip_drop(VipDropKey { vip_index, outcome: outcome as u32 | DROP_OF_RETURN }, bytes as u64);
}
