//! `floor_lookup`: one look-up of the IPv4 destination in a map of 100,000 entries, and nothing else.

use anycast_common::header::ETHERTYPE_IPV4;
use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

use crate::{maps, packet::Cursor};

/// An address that is in the map is sent back, so that the verdict tells that it was found.
#[xdp]
fn floor_lookup(ctx: XdpContext) -> u32 {
    let Some(frame) = Cursor::new(&ctx).window::<34>() else { return xdp_action::XDP_DROP };
    if frame.be16::<12>() != ETHERTYPE_IPV4 {
        return xdp_action::XDP_PASS;
    }
    match maps::FLOOR_ADDRESSES.get_ptr(frame.bytes4::<30>()) {
        Some(_) => xdp_action::XDP_TX,
        None => xdp_action::XDP_PASS,
    }
}
