//! From what happened to a packet to its counters and its XDP action: the only file that knows XDP actions.

use anycast_common::outcome::{Class, Outcome};
use aya_ebpf::bindings::xdp_action;

use crate::count;

/// Where a forwarded frame goes.
#[derive(Clone, Copy)]
pub enum Egress {
    /// Out of the interface that it came in by.
    Transmit,
    /// Out of the device that `bpf_redirect_map` chose.
    Redirect,
}

/// A packet that was forwarded to a backend.
#[inline(always)]
pub fn forwarded(egress: Egress, vip_index: u32, backend_index: u32, bytes: usize) -> u32 {
    count::forwarded(vip_index, backend_index, bytes);
    sent(egress)
}

/// A frame that goes to an interface.
#[inline(always)]
pub fn sent(egress: Egress) -> u32 {
    match egress {
        Egress::Transmit => xdp_action::XDP_TX,
        Egress::Redirect => xdp_action::XDP_REDIRECT,
    }
}

/// A packet that was decapsulated for the host's stack.
#[inline(always)]
pub fn decapsulated(vip_index: u32, bytes: usize) -> u32 {
    count::decapsulated(vip_index, bytes);
    xdp_action::XDP_PASS
}

/// A packet that belongs to no VIP.
#[inline(always)]
pub fn unmatched(outcome: Outcome, bytes: usize) -> u32 {
    count::unmatched(outcome, bytes);
    action(outcome)
}

/// A packet of a VIP that was not forwarded. Not inlined, and only numbers as arguments: what only failures need is then
/// not carried through the checks of the fast path.
#[inline(never)]
pub fn failed(outcome: Outcome, vip_index: u32, bytes: usize) -> u32 {
    count::failed(outcome, vip_index, bytes);
    action(outcome)
}

/// An answer of a VIP that was not sent on.
#[inline(never)]
pub fn not_returned(outcome: Outcome, vip_index: u32, bytes: usize) -> u32 {
    count::not_returned(outcome, vip_index, bytes);
    action(outcome)
}

/// A probe that was forwarded to the backend of its mark.
#[inline(always)]
pub fn probed(egress: Egress, bytes: usize) -> u32 {
    count::probe(Outcome::Forwarded, bytes);
    sent(egress)
}

/// A probe that was not forwarded, or the answer to one that was taken out of its tunnel.
#[inline(never)]
pub fn not_probed(outcome: Outcome, bytes: usize) -> u32 {
    count::probe(outcome, bytes);
    action(outcome)
}

/// A frame that there is nothing to do about.
pub const PASS: u32 = xdp_action::XDP_PASS;

/// The XDP action of a packet that was not forwarded.
#[inline(always)]
fn action(outcome: Outcome) -> u32 {
    match outcome.class() {
        Class::Passed => xdp_action::XDP_PASS,
        Class::Answered => xdp_action::XDP_TX,
        Class::Forwarded | Class::Dropped => xdp_action::XDP_DROP,
    }
}
