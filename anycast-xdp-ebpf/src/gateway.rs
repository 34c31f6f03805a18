//! The order of the checks on a gateway: decapsulates only on named interfaces (where this program is attached), only
//! to its tunnel addresses, only from allow-listed sources, only one level, and only for its VIPs.

use anycast_common::{
    ecn,
    header::{ETHERNET_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6, IPV4_BYTES, IPV6_BYTES, protocol},
    outcome::Outcome,
};
use aya_ebpf::{maps::lpm_trie::Key, programs::XdpContext};

use crate::{
    Egress,
    count::Record,
    frame, maps,
    packet::{Cursor, adjust_head},
    stage::{
        classify,
        ip::{Header, Ip, V4, V6},
    },
};

/// Decapsulates one frame, or tells why not.
#[inline(always)]
pub fn decapsulate(ctx: &XdpContext, record: &mut Record) -> Result<Egress, Outcome> {
    let start = Cursor::new(ctx);
    let l2 = frame::parse(start);
    record.l2_bytes = l2.bytes;
    match l2.ethertype {
        ETHERTYPE_IPV4 => outer::<V4>(ctx, start.skip(l2.bytes), record),
        ETHERTYPE_IPV6 => outer::<V6>(ctx, start.skip(l2.bytes), record),
        _ => Err(Outcome::NotTunnel),
    }
}

/// The outer header, steps 1 to 4.
#[inline(always)]
fn outer<O: Ip>(ctx: &XdpContext, l3: Cursor, record: &mut Record) -> Result<Egress, Outcome> {
    let destination = O::destination(l3).ok_or(Outcome::NotTunnel)?;
    let next = next_header::<O>(l3).ok_or(Outcome::NotTunnel)?;
    let is_fragment = O::ICMP == protocol::ICMPV6 && next == protocol::FRAGMENT;
    let carried = if is_fragment {
        l3.skip(IPV6_BYTES).window::<8>().ok_or(Outcome::NotTunnel)?.u8::<0>()
    } else {
        next
    };
    if carried != protocol::IPIP && carried != protocol::IPV6 || !is_tunnel_address(O::mapped(destination)) {
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
    if maps::SOURCES.get(Key::new(128, O::mapped(header.source))).is_none() {
        return Err(Outcome::SourceNotAllowed);
    }
    if carried == protocol::IPIP {
        inner::<O, V4>(ctx, l3, &header, record)
    } else {
        inner::<O, V6>(ctx, l3, &header, record)
    }
}

/// The inner packet, steps 5 to 8.
#[inline(always)]
fn inner<O: Ip, I: Ip>(ctx: &XdpContext, l3: Cursor, outer: &Header<O>, record: &mut Record) -> Result<Egress, Outcome> {
    let at = l3.skip(O::HEADER_BYTES);
    let room = outer.length - O::HEADER_BYTES;
    if room < I::HEADER_BYTES {
        return Err(I::BAD_LENGTH);
    }
    let header = I::parse(at)?;
    // `parse` knows the frame's end; the outer packet may end before it.
    if header.length > room {
        return Err(I::BAD_LENGTH);
    }
    record.ip_bytes = header.length;
    if is_tunnel_address(I::mapped(header.destination)) {
        return Err(Outcome::NestedTunnel);
    }
    let (vip_index, _) = classify::vip::<I>(header.destination).map_err(|_| Outcome::InnerNotVip)?;
    record.vip_index = vip_index;
    let ecn = ecn::decapsulate(outer.tos, header.tos).ok_or(Outcome::EcnNotCapable)?;
    strip::<I>(ctx, record.l2_bytes, O::HEADER_BYTES, ecn, ecn != header.tos & 3)
}

/// Removes the outer header and all tags; Ethernet addresses stay.
#[inline(always)]
fn strip<I: Ip>(ctx: &XdpContext, l2_bytes: usize, outer_bytes: usize, ecn: u8, marks: bool) -> Result<Egress, Outcome> {
    let ethernet = Cursor::new(ctx).window::<12>().ok_or(Outcome::Headroom)?;
    let addresses = [ethernet.word::<0>(), ethernet.word::<4>(), ethernet.word::<8>()];
    let shrink = outer_bytes + l2_bytes - ETHERNET_BYTES;
    adjust_head(ctx, -(shrink as i32)).map_err(|()| Outcome::Headroom)?;
    let frame = Cursor::new(ctx);
    let header = frame.window::<ETHERNET_BYTES>().ok_or(Outcome::Headroom)?;
    header.set_word::<0>(addresses[0]);
    header.set_word::<4>(addresses[1]);
    header.set_word::<8>(addresses[2]);
    header.set_ne16::<12>(I::ETHERTYPE.to_be());
    if marks {
        I::set_ecn(frame.skip(ETHERNET_BYTES), ecn).ok_or(Outcome::Headroom)?;
    }
    Ok(Egress::Stack)
}

/// IPv4 protocol or first IPv6 next header.
#[inline(always)]
fn next_header<O: Ip>(l3: Cursor) -> Option<u8> {
    if O::HEADER_BYTES == IPV4_BYTES {
        l3.window::<IPV4_BYTES>().map(|ip| ip.u8::<9>())
    } else {
        l3.window::<IPV6_BYTES>().map(|ip| ip.u8::<6>())
    }
}

#[inline(always)]
fn is_tunnel_address(address: [u8; 16]) -> bool {
    maps::TUNNELS.get_ptr(address).is_some()
}
