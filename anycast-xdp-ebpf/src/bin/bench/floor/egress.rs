//! `floor_wrap`: what a gateway's egress cannot do without. One look-up of the source among the VIPs, one of the client, and
//! an outer header; IPv4 in IPv4. No age of what is known of the client, no MTU, no MSS, no segments.

use anycast_common::{
    bench::Tunnel4,
    checksum,
    header::{ETHERTYPE_IPV4, protocol},
};
use aya_ebpf::{
    bindings::{
        BPF_F_ADJ_ROOM_ENCAP_L3_IPV4, BPF_F_ADJ_ROOM_FIXED_GSO, TC_ACT_SHOT, TC_ACT_UNSPEC,
        bpf_adj_room_mode::BPF_ADJ_ROOM_MAC,
    },
    helpers::{bpf_redirect, bpf_skb_adjust_room},
    macros::classifier,
    programs::TcContext,
};

use super::decap::v4;
use crate::{
    maps::{self, increment},
    packet::Cursor,
};

/// Nothing at all: what a run of a classifier costs.
#[classifier]
fn floor_leave(_ctx: TcContext) -> i32 {
    TC_ACT_UNSPEC
}

#[classifier]
fn floor_wrap(ctx: TcContext) -> i32 {
    let Some(frame) = Cursor::of_skb(&ctx).window::<34>() else { return TC_ACT_UNSPEC };
    if frame.be16::<12>() != ETHERTYPE_IPV4 || maps::FLOOR_VIPS.get_ptr(v4(frame.word::<26>())).is_none() {
        return TC_ACT_UNSPEC;
    }
    let (inner_bytes, tos) = (frame.be16::<16>(), frame.u8::<15>());
    // SAFETY: the bench fills the map before it runs the program and leaves it alone from then on.
    let Some(tunnel) = (unsafe { maps::FLOOR_TUNNELS.get(frame.bytes4::<30>()) }) else { return TC_ACT_UNSPEC };
    if wrap(&ctx, tunnel, inner_bytes, tos).is_none() {
        return TC_ACT_SHOT;
    }
    increment(maps::FORWARDED.get_ptr_mut(0));
    // SAFETY: a helper without pointers.
    unsafe { bpf_redirect(tunnel.ifindex, 0) as i32 }
}

#[inline(always)]
fn wrap(ctx: &TcContext, tunnel: &Tunnel4, inner_bytes: u16, tos: u8) -> Option<()> {
    let flags = (BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_FIXED_GSO) as u64;
    // SAFETY: the context is the one that the kernel gave to this program.
    if unsafe { bpf_skb_adjust_room(ctx.skb.skb, 20, BPF_ADJ_ROOM_MAC, flags) } != 0 {
        return None;
    }
    let frame = Cursor::of_skb(ctx).window::<34>()?;
    let mac = tunnel.mac;
    frame.set_bytes4::<0>([mac[0], mac[1], mac[2], mac[3]]);
    frame.set_ne16::<4>(u16::from_ne_bytes([mac[4], mac[5]]));
    let first = u16::from_ne_bytes([0x45, tos]);
    let length = (inner_bytes + 20).to_be();
    let ttl = u16::from_ne_bytes([64, protocol::IPIP]);
    let sum = checksum::halves(tunnel.source) + checksum::halves(tunnel.destination);
    frame.set_ne16::<14>(first);
    frame.set_ne16::<16>(length);
    frame.set_bytes4::<18>([0; 4]);
    frame.set_ne16::<22>(ttl);
    frame.set_ne16::<24>(checksum::finish(sum + first as u32 + length as u32 + ttl as u32));
    frame.set_word::<26>(tunnel.source);
    frame.set_word::<30>(tunnel.destination);
    Some(())
}
