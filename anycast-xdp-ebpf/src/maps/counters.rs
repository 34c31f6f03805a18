//! Counting.

use anycast_common::{
    map::{Counter, VipDropKey},
    outcome::{Class, Outcome},
};
use aya_ebpf::bindings::BPF_NOEXIST;

use super::{BACKEND_COUNTERS, OUTCOMES, PROBES, VIP_COUNTERS, VIP_DROPS, returns::RETURN_COUNTERS};

/// Adds one packet to a counter; a missing one changes nothing.
#[inline(always)]
fn add(counter: Option<*mut Counter>, bytes: u64) {
    add_packets(counter, Counter { packets: 1, bytes });
}

#[inline(always)]
fn add_packets(counter: Option<*mut Counter>, added: Counter) {
    if let Some(counter) = counter {
        // SAFETY: a per-CPU value that was just looked up; nothing else runs on this CPU until the program ends.
        unsafe {
            (*counter).packets += added.packets;
            (*counter).bytes += added.bytes;
        }
    }
}

/// Counts a packet of a VIP.
#[inline(always)]
pub fn count_vip(index: u32, class: Class, bytes: u64) {
    let counters = VIP_COUNTERS.get_ptr_mut(index);
    // SAFETY: `class` is below 4, the length of the array behind the pointer.
    add(counters.map(|counters| unsafe { counters.cast::<Counter>().add(class as usize) }), bytes);
}

/// Counts answers on their way back, by VIP.
#[inline(always)]
pub fn count_returned(index: u32, added: Counter) {
    add_packets(RETURN_COUNTERS.get_ptr_mut(index), added);
}

/// Counts packets toward a backend.
#[inline(always)]
pub fn count_backend(index: u32, added: Counter) {
    add_packets(BACKEND_COUNTERS.get_ptr_mut(index), added);
}

/// Counts a packet by its outcome.
#[inline(always)]
pub fn count_outcome(outcome: Outcome, bytes: u64) {
    add(OUTCOMES.get_ptr_mut(outcome as u32), bytes);
}

/// Counts a probe, or the answer to one, by its outcome.
#[inline(always)]
pub fn count_probe(outcome: Outcome, bytes: u64) {
    add(PROBES.get_ptr_mut(outcome as u32), bytes);
}

/// Counts a dropped packet by VIP and reason; the entry is made at the first drop.
#[inline(always)]
pub fn count_vip_drop(key: VipDropKey, bytes: u64) {
    if let Some(counter) = VIP_DROPS.get_ptr_mut(key) {
        add(Some(counter), bytes);
    } else {
        // The new entry holds this packet on this CPU and 0 on the others. It is refused where another CPU has just made
        // it, which is then there to add to; and where the table is full: then the detail is lost, and the VIP's own
        // counter has the packet all the same.
        let first = Counter { packets: 1, bytes };
        if VIP_DROPS.insert(key, first, BPF_NOEXIST as u64).is_err() {
            add(VIP_DROPS.get_ptr_mut(key), bytes);
        }
    }
}
