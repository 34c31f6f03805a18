//! The order of the checks on a gateway: decapsulates only on named interfaces (where this program is attached), only
//! to its tunnel addresses, only from allow-listed sources, only one level, and only for its VIPs.

use anycast_common::{
    checksum, ecn,
    header::{ETHERNET_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6},
    map::{RETURN_DIRECT, VipPolicy},
    outcome::Outcome,
};
use aya_ebpf::programs::XdpContext;

use crate::{
    frame,
    maps::{self, Tunnels},
    observe::Observer,
    packet::{Cursor, Frames},
    stage::{
        classify,
        decap::{self, Outer},
        ip::{Header, Ip, V4, V6},
        mss, next_hop,
        return_path::{allowed, remember},
        tunnel::{self, OneOfMany, Tunnel},
    },
    verdict,
};

/// Decapsulates one frame, or tells why not; counts it; gives the XDP action.
#[inline(always)]
pub fn run<F: Frames, W: Observer>(ctx: &XdpContext) -> u32 {
    let tunnels = maps::tunnels();
    let start = Cursor::of_frame::<F>(ctx);
    let l2 = frame::parse(start);
    let l3 = start.skip(l2.bytes);
    match l2.ethertype {
        ETHERTYPE_IPV4 => match_tunnel::<V4, W>(ctx, l3, l2.bytes, tunnels),
        ETHERTYPE_IPV6 => match_tunnel::<V6, W>(ctx, l3, l2.bytes, tunnels),
        _ => verdict::unmatched(Outcome::NotTunnel, l3.remaining()),
    }
}

#[inline(always)]
fn match_tunnel<O: Ip, W: Observer>(ctx: &XdpContext, l3: Cursor, l2_bytes: usize, tunnels: Tunnels) -> u32 {
    let outer = match decap::outer::<O>(l3, tunnels) {
        Ok(outer) => outer,
        Err(outcome) => return refused::<O>(outcome, l3, None, l3.remaining()),
    };
    let room = outer.header.length - O::HEADER_BYTES;
    match tunnel::parse::<OneOfMany>(decap::behind_ip::<O>(l3), room, outer.carried, tunnels) {
        Ok(tunnel) if tunnel.carries_v4 => inner::<O, V4, W>(ctx, l3, l2_bytes, tunnels, &outer, &tunnel),
        Ok(tunnel) => inner::<O, V6, W>(ctx, l3, l2_bytes, tunnels, &outer, &tunnel),
        Err(outcome) => refused::<O>(outcome, l3, Some(outer.header.source), l3.remaining()),
    }
}

/// A packet of no VIP. That its source is not allowed comes before whatever else is wrong with what it brought.
#[inline(always)]
fn refused<O: Ip>(outcome: Outcome, l3: Cursor, source: Option<O::Address>, bytes: usize) -> u32 {
    match source {
        Some(source) if allowed::<O>(source).is_none() => verdict::unmatched(Outcome::SourceNotAllowed, l3.remaining()),
        _ => verdict::unmatched(outcome, bytes),
    }
}

/// The inner packet, and whose it is.
#[inline(always)]
fn inner<O: Ip, I: Ip, W: Observer>(
    ctx: &XdpContext,
    l3: Cursor,
    l2_bytes: usize,
    tunnels: Tunnels,
    outer: &Outer<O>,
    tunnel: &Tunnel,
) -> u32 {
    let outer_bytes = O::HEADER_BYTES + tunnel.bytes;
    let source = Some(outer.header.source);
    let header = match decap::inner_header::<I>(l3.skip(outer_bytes), outer.header.length - outer_bytes) {
        Ok(header) => header,
        Err(outcome) => return refused::<O>(outcome, l3, source, l3.remaining()),
    };
    let Ok((vip_index, vip)) = classify::vip::<I>(header.destination) else {
        let is_tunnel = decap::tunnel_index::<I>(header.destination, tunnels).is_some();
        let outcome = if is_tunnel { Outcome::NestedTunnel } else { Outcome::InnerNotVip };
        return refused::<O>(outcome, l3, source, header.length);
    };
    let (_, policy) = maps::vip_cells(vip);
    let goes_back = VipPolicy::from_cell(policy).returns != RETURN_DIRECT;
    let peer = if goes_back {
        remember::<O>(outer, tunnel, I::mapped(header.source), vip_index, tunnels)
    } else {
        allowed::<O>(outer.header.source)
    };
    let Some(peer_index) = peer else {
        return verdict::unmatched(Outcome::SourceNotAllowed, l3.remaining());
    };
    W::vip(vip_index);
    let Some(ecn) = ecn::decapsulate(outer.header.tos, header.tos) else {
        return verdict::failed(Outcome::EcnNotCapable, vip_index, header.length);
    };
    match decap::strip::<I>(ctx, l2_bytes, outer_bytes, (ecn != header.tos & 3).then_some(ecn)) {
        Ok(()) => {
            if goes_back {
                clamp::<I>(ctx, &header, peer_index, outer_bytes);
            }
            verdict::decapsulated(vip_index, header.length)
        }
        Err(outcome) => verdict::failed(outcome, vip_index, header.length),
    }
}

/// A client's SYN asks the server for segments that fit in the tunnel back to the PoP.
#[inline(always)]
fn clamp<I: Ip>(ctx: &XdpContext, header: &Header<I>, peer_index: u32, outer_bytes: usize) {
    let l3 = Cursor::new(ctx).skip_constant(ETHERNET_BYTES);
    let inner_bytes_max = || Some(next_hop::mtu_to_peer(peer_index)?.saturating_sub(outer_bytes));
    let Some(too_long) = mss::too_long::<I>(l3, header, inner_bytes_max) else {
        return;
    };
    let tcp = l3.skip(too_long.tcp_at);
    if let Some(checksum) = tcp.window::<18>()
        && let Some(value) = tcp.skip(too_long.value_at).window::<2>()
    {
        let (old, new) = too_long.as_summed();
        checksum.set_ne16::<16>(checksum::replace_word(checksum.ne16::<16>(), old, new));
        value.set_ne16::<0>(too_long.new);
    }
}
