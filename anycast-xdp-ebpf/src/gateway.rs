//! The order of the checks on a gateway: decapsulates only on named interfaces (where this program is attached), only
//! to its tunnel addresses, only from allow-listed sources, only one level, and only for its VIPs.

use anycast_common::{
    ecn,
    header::{ETHERNET_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6, IPV6_BYTES, protocol},
    map::SOURCE_FAMILY_BITS,
    outcome::Outcome,
};
use aya_ebpf::{maps::lpm_trie::Key, programs::XdpContext};

use crate::{
    frame, maps,
    observe::Observer,
    packet::{Cursor, Frames, adjust_head},
    stage::{
        classify,
        ip::{Header, Ip, V4, V6},
        tunnel::{self, Tunnel},
    },
    verdict,
};

/// Decapsulates one frame, or tells why not; counts it; gives the XDP action.
#[inline(always)]
pub fn run<F: Frames, W: Observer>(ctx: &XdpContext) -> u32 {
    let start = Cursor::of_frame::<F>(ctx);
    let l2 = frame::parse(start);
    let l3 = start.skip(l2.bytes);
    match l2.ethertype {
        ETHERTYPE_IPV4 => match_tunnel::<V4, W>(ctx, l3, l2.bytes),
        ETHERTYPE_IPV6 => match_tunnel::<V6, W>(ctx, l3, l2.bytes),
        _ => verdict::unmatched(Outcome::NotTunnel, l3.remaining()),
    }
}

#[inline(always)]
fn match_tunnel<O: Ip, W: Observer>(ctx: &XdpContext, l3: Cursor, l2_bytes: usize) -> u32 {
    match outer_and_tunnel::<O>(l3) {
        Ok((header, tunnel)) if tunnel.carries_v4 => inner::<O, V4, W>(ctx, l3, l2_bytes, &header, tunnel.bytes),
        Ok((header, tunnel)) => inner::<O, V6, W>(ctx, l3, l2_bytes, &header, tunnel.bytes),
        Err(outcome) => verdict::unmatched(outcome, l3.remaining()),
    }
}

/// All that is in front of the inner packet, steps 1 to 4.
#[inline(always)]
fn outer_and_tunnel<O: Ip>(l3: Cursor) -> Result<(Header<O>, Tunnel), Outcome> {
    let (header, carried) = outer::<O>(l3)?;
    let tunnel = tunnel::parse(behind_ip::<O>(l3), header.length - O::HEADER_BYTES, carried)?;
    Ok((header, tunnel))
}

/// What follows an outer IP header without options.
#[inline(always)]
fn behind_ip<O: Ip>(l3: Cursor) -> Cursor {
    l3.skip_constant(O::HEADER_BYTES)
}

/// The outer IP header: the header, and the protocol that it carries.
#[inline(always)]
fn outer<O: Ip>(l3: Cursor) -> Result<(Header<O>, u8), Outcome> {
    let destination = O::destination(l3).ok_or(Outcome::NotTunnel)?;
    let next = O::next(l3).ok_or(Outcome::NotTunnel)?;
    let is_fragment = O::ICMP == protocol::ICMPV6 && next == protocol::FRAGMENT;
    let carried =
        if is_fragment { l3.skip(IPV6_BYTES).window::<8>().ok_or(Outcome::NotTunnel)?.u8::<0>() } else { next };
    if !tunnel::is_carried(carried) || !is_tunnel_address::<O>(destination) {
        return Err(Outcome::NotTunnel);
    }
    // Other UDP is the host's own, and a fragment may be of it.
    if carried == protocol::UDP && (is_fragment || !O::has_plain_header(l3) || !tunnel::is_gue(behind_ip::<O>(l3))) {
        return Err(Outcome::NotTunnel);
    }
    if is_fragment {
        return Err(Outcome::OuterFragment);
    }
    let header = O::parse(l3).map_err(|_| Outcome::OuterHeader)?;
    if header.bytes != O::HEADER_BYTES {
        return Err(Outcome::OuterHeader);
    }
    if header.fragment {
        return Err(Outcome::OuterFragment);
    }
    if maps::SOURCES.get(Key::new(SOURCE_FAMILY_BITS + 128, O::with_family(header.source))).is_none() {
        return Err(Outcome::SourceNotAllowed);
    }
    Ok((header, carried))
}

/// The inner packet, steps 5 to 8.
#[inline(always)]
fn inner<O: Ip, I: Ip, W: Observer>(
    ctx: &XdpContext,
    l3: Cursor,
    l2_bytes: usize,
    outer: &Header<O>,
    tunnel_bytes: usize,
) -> u32 {
    let outer_bytes = O::HEADER_BYTES + tunnel_bytes;
    let header = match inner_header::<I>(l3.skip(outer_bytes), outer.length - outer_bytes) {
        Ok(header) => header,
        Err(outcome) => return verdict::unmatched(outcome, l3.remaining()),
    };
    if is_tunnel_address::<I>(header.destination) {
        return verdict::unmatched(Outcome::NestedTunnel, header.length);
    }
    let Ok((vip_index, _)) = classify::vip::<I>(header.destination) else {
        return verdict::unmatched(Outcome::InnerNotVip, header.length);
    };
    W::vip(vip_index);
    let Some(ecn) = ecn::decapsulate(outer.tos, header.tos) else {
        return verdict::failed(Outcome::EcnNotCapable, vip_index, header.length);
    };
    match strip::<I>(ctx, l2_bytes, outer_bytes, ecn, ecn != header.tos & 3) {
        Ok(()) => verdict::decapsulated(vip_index, header.length),
        Err(outcome) => verdict::failed(outcome, vip_index, header.length),
    }
}

/// A valid inner header that ends within the `room` of the outer packet. `parse` only knows the frame's end.
#[inline(always)]
fn inner_header<I: Ip>(at: Cursor, room: usize) -> Result<Header<I>, Outcome> {
    if room < I::HEADER_BYTES {
        return Err(I::BAD_LENGTH);
    }
    let header = I::parse(at)?;
    if header.length > room { Err(I::BAD_LENGTH) } else { Ok(header) }
}

/// Removes the outer header and all tags; Ethernet addresses stay.
#[inline(always)]
fn strip<I: Ip>(ctx: &XdpContext, l2_bytes: usize, outer_bytes: usize, ecn: u8, marks: bool) -> Result<(), Outcome> {
    let ethernet = Cursor::new(ctx).window::<12>().ok_or(Outcome::Headroom)?;
    let addresses = [ethernet.word::<0>(), ethernet.word::<4>(), ethernet.word::<8>()];
    let shrink = (outer_bytes + l2_bytes - ETHERNET_BYTES).cast_signed() as i32;
    adjust_head(ctx, -shrink).map_err(|()| Outcome::Headroom)?;
    let frame = Cursor::new(ctx);
    let header = frame.window::<ETHERNET_BYTES>().ok_or(Outcome::Headroom)?;
    header.set_word::<0>(addresses[0]);
    header.set_word::<4>(addresses[1]);
    header.set_word::<8>(addresses[2]);
    header.set_ne16::<12>(I::ETHERTYPE.to_be());
    if marks {
        I::set_ecn(frame.skip(ETHERNET_BYTES).window().ok_or(Outcome::Headroom)?, ecn);
    }
    Ok(())
}

#[inline(always)]
fn is_tunnel_address<F: Ip>(address: F::Address) -> bool {
    maps::TUNNELS.get_ptr(F::with_family(address)).is_some()
}
