//! The far end of a veth in live-frame runs: counts what arrives, and drops it.

use anycast_common::{
    bench::peer::{ENCAPSULATED, TOTAL},
    header::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, protocol},
};
use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

use crate::{
    maps::{ARRIVED, increment},
    packet::Cursor,
};

#[xdp]
fn peer(ctx: XdpContext) -> u32 {
    increment(ARRIVED.get_ptr_mut(TOTAL));
    if carries_ip(&ctx) {
        increment(ARRIVED.get_ptr_mut(ENCAPSULATED));
    }
    xdp_action::XDP_DROP
}

#[inline(always)]
fn carries_ip(ctx: &XdpContext) -> bool {
    let Some(frame) = Cursor::new(ctx).window::<34>() else { return false };
    let next = match frame.be16::<12>() {
        ETHERTYPE_IPV4 => frame.u8::<23>(),
        ETHERTYPE_IPV6 => frame.u8::<20>(),
        _ => return false,
    };
    next == protocol::IPIP || next == protocol::IPV6
}
