//! The order of the checks at the egress of a gateway: takes what a VIP sends whose answers go through PoPs, and wraps it
//! toward the PoP host that the client's last packet came by. All else is left to the stack.

use anycast_common::{
    header::{ETHERNET_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6},
    map::{BackendEntry, Counter, RETURN_DIRECT, RETURN_POP, ReturnPath, VipPolicy},
    outcome::{Class, Outcome},
};
use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
    helpers::{bpf_get_hash_recalc, bpf_redirect},
    programs::TcContext,
};

use crate::{
    count,
    maps::{self, Tunnels},
    observe::Observer,
    packet::Cursor,
    skb,
    stage::{
        classify,
        ip::{Header, Ip as _, V4, V6},
        next_hop,
        return_path::recall,
        wrap::{self, Fit, Wrap},
    },
};

/// Most bytes of headers that are looked at: Ethernet, IPv4 with options, TCP with options.
const HEADERS_BYTES: u32 = 14 + 60 + 60;

/// Takes one packet, or leaves it; counts it if it is of a VIP; gives the action.
#[inline(always)]
pub fn run<W: Observer>(ctx: &TcContext) -> i32 {
    match skb::ethertype(ctx) {
        ETHERTYPE_IPV4 => answer::<V4, W>(ctx),
        ETHERTYPE_IPV6 => answer::<V6, W>(ctx),
        _ => TC_ACT_UNSPEC,
    }
}

#[inline(always)]
fn answer<I: Wrap, W: Observer>(ctx: &TcContext) -> i32 {
    let room = (ctx.len() as usize).wrapping_sub(ETHERNET_BYTES);
    let Some((l3, header)) = read::<I>(ctx, room) else {
        return TC_ACT_UNSPEC;
    };
    let Ok((vip_index, vip)) = classify::vip::<I>(header.source) else {
        return TC_ACT_UNSPEC;
    };
    W::vip(vip_index);
    let (pool, policy) = maps::vip_cells(vip);
    W::cells(pool, policy);
    let returns = VipPolicy::from_cell(policy).returns;
    if returns == RETURN_DIRECT {
        return not_returned(Outcome::ReturnDirect, vip_index, room);
    }
    let tunnels = maps::tunnels();
    let way_back = recall(I::mapped(header.destination), vip_index, tunnels);
    let Some((path, peer)) = way_back.and_then(|path| Some((path, maps::backend(path.peer_index)?))) else {
        let outcome = if returns == RETURN_POP { Outcome::NoPopDirect } else { Outcome::NoPop };
        return not_returned(outcome, vip_index, room);
    };
    W::backend(path.peer_index);
    let sent = match peer.family {
        V4::FAMILY => toward::<V4, I, W>(ctx, l3, &header, path, peer, tunnels),
        V6::FAMILY => toward::<V6, I, W>(ctx, l3, &header, path, peer, tunnels),
        _ => Err(Outcome::NextHopUnresolved),
    };
    match sent {
        Ok((action, sent)) => {
            count::returned_to(vip_index, path.peer_index, sent);
            action
        }
        Err(Outcome::TooBigAnswered) => {
            count::not_returned(Outcome::TooBigAnswered, vip_index, room);
            // SAFETY: a helper without pointers.
            unsafe { bpf_redirect(skb::ifindex(ctx), skb::INGRESS) as i32 }
        }
        Err(outcome) => not_returned(outcome, vip_index, room),
    }
}

/// The IP header of what is sent, which may lie in fragments that have to be pulled first.
#[inline(always)]
fn read<I: Wrap>(ctx: &TcContext, room: usize) -> Option<(Cursor, Header<I>)> {
    let l3 = Cursor::of_skb(ctx).skip_constant(ETHERNET_BYTES);
    if let Some(header) = I::quoted(l3, room)
        && l3.skip_constant(header.bytes).window::<20>().is_some()
    {
        return Some((l3, header));
    }
    let bytes = ctx.len();
    let _ = ctx.pull_data(if bytes < HEADERS_BYTES { bytes } else { HEADERS_BYTES });
    let l3 = Cursor::of_skb(ctx).skip_constant(ETHERNET_BYTES);
    Some((l3, I::quoted(l3, room)?))
}

/// Wraps the packet and chooses its egress. Gives the action, and how many packets and bytes it will be.
#[inline(always)]
fn toward<O: Wrap, I: Wrap, W: Observer>(
    ctx: &TcContext,
    l3: Cursor,
    header: &Header<I>,
    path: ReturnPath,
    peer: &BackendEntry,
    tunnels: Tunnels,
) -> Result<(i32, Counter), Outcome> {
    // SAFETY: the context is the one that the kernel gave to this program.
    let hash = u64::from(unsafe { bpf_get_hash_recalc(ctx.skb.skb) }).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let way = next_hop::of::<W>(peer, hash)?;
    let outer_bytes = O::HEADER_BYTES + wrap::behind_bytes(path.encap);
    let inner_bytes_max = way.mtu_bytes.saturating_sub(outer_bytes);
    let fit = Fit::of(ctx, l3, header, outer_bytes, inner_bytes_max);
    let Some(fit) = fit else {
        return Err(wrap::too_big::<I>(ctx, l3, header, inner_bytes_max));
    };
    skb::clamp_mss::<I>(ctx, l3, header, inner_bytes_max);
    wrap::run::<O, I>(ctx, header, path, peer, &way, hash, outer_bytes, fit.keeps_segments, tunnels)?;
    let action = if way.link.ifindex == skb::ifindex(ctx) {
        TC_ACT_UNSPEC
    } else {
        // SAFETY: a helper without pointers.
        unsafe { bpf_redirect(way.link.ifindex, 0) as i32 }
    };
    Ok((action, fit.sent))
}

#[inline(always)]
fn not_returned(outcome: Outcome, vip_index: u32, bytes: usize) -> i32 {
    count::not_returned(outcome, vip_index, bytes);
    if outcome.class() == Class::Passed { TC_ACT_UNSPEC } else { TC_ACT_SHOT }
}
