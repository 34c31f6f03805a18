//! The end of a tunnel: the outer header, the inner packet, and taking the one off the other.

use anycast_common::{
    header::{ETHERNET_BYTES, IPV6_BYTES, protocol},
    outcome::Outcome,
};
use aya_ebpf::programs::XdpContext;

use super::{
    ip::{Header, Ip},
    tunnel,
};
use crate::{
    maps::{self, Tunnels},
    packet::{Cursor, adjust_head},
};

/// The outer IP header of a packet to one of this host's tunnel addresses.
pub struct Outer<O: Ip> {
    /// The header.
    pub header: Header<O>,
    /// The protocol that it carries.
    pub carried: u8,
    /// Index of the address.
    pub tunnel_index: u32,
}

/// Reads the outer header.
#[inline(always)]
pub fn outer<O: Ip>(l3: Cursor, tunnels: Tunnels) -> Result<Outer<O>, Outcome> {
    let destination = O::destination(l3).ok_or(Outcome::NotTunnel)?;
    let next = O::next(l3).ok_or(Outcome::NotTunnel)?;
    let is_fragment = O::ICMP == protocol::ICMPV6 && next == protocol::FRAGMENT;
    let carried =
        if is_fragment { l3.skip(IPV6_BYTES).window::<8>().ok_or(Outcome::NotTunnel)?.u8::<0>() } else { next };
    if !tunnel::is_carried(carried) {
        return Err(Outcome::NotTunnel);
    }
    let tunnel_index = tunnel_index::<O>(destination, tunnels).ok_or(Outcome::NotTunnel)?;
    // Other UDP is the host's own, and a fragment may be of it.
    if carried == protocol::UDP
        && (is_fragment || !O::has_plain_header(l3) || !tunnel::is_gue(behind_ip::<O>(l3), tunnels))
    {
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
    Ok(Outer { header, carried, tunnel_index })
}

/// What follows an outer IP header without options.
#[inline(always)]
pub fn behind_ip<O: Ip>(l3: Cursor) -> Cursor {
    l3.skip_constant(O::HEADER_BYTES)
}

/// Index of a tunnel address of this host. Of a prefix of them, the first is in the table.
#[inline(always)]
pub fn tunnel_index<F: Ip>(address: F::Address, tunnels: Tunnels) -> Option<u32> {
    let bits = F::varying_bits(tunnels.policy()) as u32;
    let varying = ((1_u32 << bits) - 1) as u16;
    let first = F::with_end(address, F::end(address) & !varying.to_be());
    maps::hints::tunnel::<F>(first)
}

/// A valid inner header that ends within the `room` of the outer packet. `parse` only knows the frame's end.
#[inline(always)]
pub fn inner_header<I: Ip>(at: Cursor, room: usize) -> Result<Header<I>, Outcome> {
    if room < I::HEADER_BYTES {
        return Err(I::BAD_LENGTH);
    }
    let header = I::parse(at)?;
    if header.length > room { Err(I::BAD_LENGTH) } else { Ok(header) }
}

/// Removes the outer header and all tags; Ethernet addresses stay. Writes the ECN field, if one is given.
#[inline(always)]
pub fn strip<I: Ip>(ctx: &XdpContext, l2_bytes: usize, outer_bytes: usize, ecn: Option<u8>) -> Result<(), Outcome> {
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
    if let Some(ecn) = ecn {
        I::set_ecn(frame.skip(ETHERNET_BYTES).window().ok_or(Outcome::Headroom)?, ecn);
    }
    Ok(())
}
