//! What answers need: rates and their limiters, addresses, and room to sum in.

use anycast_common::{
    limiter,
    map::{IcmpRates, OWN_ADDRESS_WORDS, OwnAddresses},
};

use super::{HOST, ICMP_LIMITS, ICMP_SCRATCH, cell};
use crate::sum::Scratch;

/// How often this host answers by itself.
#[inline(always)]
pub fn icmp_rates() -> Option<IcmpRates> {
    HOST.get(0).map(|host| IcmpRates::from_cell(cell(&raw const host.icmp_rates)))
}

/// The addresses that ICMP errors come from, if there are any.
#[inline(always)]
pub fn icmp_source() -> Option<&'static [u64; OWN_ADDRESS_WORDS]> {
    let host = HOST.get(0)?;
    named(cell(&raw const host.icmp_source), &host.icmp_sources)
}

/// The addresses that probes come from, if there are any.
#[inline(always)]
pub fn health_source() -> Option<&'static [u64; OWN_ADDRESS_WORDS]> {
    let host = HOST.get(0)?;
    named(cell(&raw const host.health_source), &host.health_sources)
}

/// The set that a cell names.
#[inline(always)]
fn named(cell: u64, sets: &OwnAddresses) -> Option<&[u64; OWN_ADDRESS_WORDS]> {
    match cell {
        1 => Some(&sets[0]),
        2 => Some(&sets[1]),
        _ => None,
    }
}

/// Where a quote is summed; nothing else on this CPU uses it meanwhile.
#[inline(always)]
pub fn icmp_scratch() -> Option<*mut Scratch> {
    ICMP_SCRATCH.get_ptr_mut(0)
}

/// Tries of one event to get into a limiter: CPUs that answer at the same time take turns, and a rate that is fought for
/// is one that is exceeded.
const LIMITER_TRIES: usize = 4;

/// Does a limiter admit one more event now?
#[inline(always)]
pub fn icmp_admits(limit: u32, now_ns: u64, rate_pps: u32) -> bool {
    let Some(state) = ICMP_LIMITS.get_ptr_mut(limit) else {
        return false;
    };
    let mut known = cell(state);
    for _ in 0..LIMITER_TRIES {
        let Some(after) = limiter::admit(known, now_ns, rate_pps) else {
            return false;
        };
        let found = compare_exchange(state, known, after);
        if found == known {
            return true;
        }
        known = found;
    }
    false
}

/// Stores `new` in a cell if it holds `known`, at once; what it held. The target's `core::sync::atomic` has no
/// compare-and-exchange, the instruction set has (`BPF_CMPXCHG`, Linux 5.12).
#[inline(always)]
fn compare_exchange(cell: *mut u64, known: u64, new: u64) -> u64 {
    let found;
    #[cfg(target_arch = "bpf")]
    // SAFETY: callers pass a pointer to an aligned u64 within a map value that was looked up.
    unsafe {
        core::arch::asm!(
            "r0 = cmpxchg_64(r1 + 0, r0, r2)",
            inout("r0") known => found, in("r1") cell, in("r2") new,
            options(nostack, preserves_flags),
        );
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        // SAFETY: as above.
        let cell = unsafe { core::sync::atomic::AtomicU64::from_ptr(cell) };
        let order = core::sync::atomic::Ordering::SeqCst;
        found = cell.compare_exchange(known, new, order, order).unwrap_or_else(|found| found);
    }
    found
}
