//! Floors: the least that a program of some kind can do. They are what ratios are taken against.

mod decap;
mod egress;
mod encap;
mod ethernet;
mod ipip;
mod lookup;
mod returns;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

/// Nothing at all: what the wrapper itself and the tail call cost.
#[xdp]
fn floor_pass(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}
