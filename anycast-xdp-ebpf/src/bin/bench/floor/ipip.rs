//! `floor_ipip_min`: a look-up of the destination alone, and IPv4 in IPv4.

use anycast_common::{
    checksum,
    header::{ETHERTYPE_IPV4, protocol},
};
use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

use super::ethernet;
use crate::{
    maps,
    packet::{Cursor, adjust_head},
};

/// What an outer IPv4 header is made of.
pub struct Outer<'a> {
    /// As it lies in memory.
    pub source: u32,
    /// As it lies in memory.
    pub destination: u32,
    /// The next hop.
    pub mac: &'a [u8; 6],
    /// Type of service.
    pub tos: u8,
    /// Length of the inner packet.
    pub inner_bytes: u16,
}

#[xdp]
fn floor_ipip_min(ctx: XdpContext) -> u32 {
    let Some(frame) = Cursor::new(&ctx).window::<34>() else { return xdp_action::XDP_PASS };
    if frame.be16::<12>() != ETHERTYPE_IPV4 {
        return xdp_action::XDP_PASS;
    }
    let (destination, inner_bytes, tos) = (frame.bytes4::<30>(), frame.be16::<16>(), frame.u8::<15>());
    // SAFETY: the bench fills the map before it runs the program and leaves it alone from then on.
    let Some(tunnel) = (unsafe { maps::FLOOR_TUNNELS.get(destination) }) else { return xdp_action::XDP_PASS };
    let outer = Outer { source: tunnel.source, destination: tunnel.destination, mac: &tunnel.mac, tos, inner_bytes };
    match encapsulate(&ctx, &outer) {
        Some(()) => xdp_action::XDP_TX,
        None => xdp_action::XDP_DROP,
    }
}

/// Puts a new Ethernet and an outer IPv4 header in front of the packet, field by field, and sums the header.
#[inline(always)]
pub fn encapsulate(ctx: &XdpContext, outer: &Outer<'_>) -> Option<()> {
    adjust_head(ctx, 20).ok()?;
    let new = Cursor::new(ctx).window::<34>()?;
    let old = [new.u8::<20>(), new.u8::<21>(), new.u8::<22>(), new.u8::<23>(), new.u8::<24>(), new.u8::<25>()];
    ethernet::write(new, old, outer.mac, ETHERTYPE_IPV4);
    let words = [
        u16::from_ne_bytes([0x45, outer.tos]),
        (outer.inner_bytes + 20).to_be(),
        u16::from_ne_bytes([64, protocol::IPIP]),
        outer.source as u16,
        (outer.source >> 16) as u16,
        outer.destination as u16,
        (outer.destination >> 16) as u16,
    ];
    new.set_ne16::<14>(words[0]);
    new.set_ne16::<16>(words[1]);
    new.set_bytes4::<18>([0; 4]);
    new.set_ne16::<22>(words[2]);
    // Summed from the values and not from the packet: a load of two bytes that were just stored one by one stalls.
    new.set_ne16::<24>(checksum::finish(words.into_iter().map(u32::from).sum()));
    new.set_bytes4::<26>(outer.source.to_ne_bytes());
    new.set_bytes4::<30>(outer.destination.to_ne_bytes());
    Some(())
}
