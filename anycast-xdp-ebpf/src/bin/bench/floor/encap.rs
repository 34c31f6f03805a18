//! `floor_encap`: what a forwarder cannot do without. One look-up of {address, port, protocol}, an outer header written
//! field by field and summed, MACs, one per-CPU counter; IPv4 in IPv4 and IPv6 in IPv6. No flow hash, no pool, no
//! limits, no ICMP. `floor_encap_redirect` is the same with another way out.

use anycast_common::{
    bench::{Service, Tunnel},
    header::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, protocol},
};
use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

use super::{
    ethernet,
    ipip::{self, Outer},
};
use crate::{
    maps::{self, increment},
    packet::{Cursor, adjust_head},
};

#[xdp]
fn floor_encap(ctx: XdpContext) -> u32 {
    match encapsulate(&ctx) {
        Ok(()) => xdp_action::XDP_TX,
        Err(action) => action,
    }
}

#[xdp]
fn floor_encap_redirect(ctx: XdpContext) -> u32 {
    match encapsulate(&ctx) {
        Ok(()) => maps::EGRESS.redirect(0, 0).unwrap_or(xdp_action::XDP_DROP),
        Err(action) => action,
    }
}

/// Encapsulates and counts, or tells the action for a packet that is not for a service.
#[inline(always)]
fn encapsulate(ctx: &XdpContext) -> Result<(), u32> {
    let frame = Cursor::new(ctx).window::<14>().ok_or(xdp_action::XDP_DROP)?;
    match frame.be16::<12>() {
        ETHERTYPE_IPV4 => ipv4(ctx),
        ETHERTYPE_IPV6 => ipv6(ctx),
        _ => Err(xdp_action::XDP_PASS),
    }
}

#[inline(always)]
fn ipv4(ctx: &XdpContext) -> Result<(), u32> {
    let frame = Cursor::new(ctx);
    let headers = frame.window::<34>().ok_or(xdp_action::XDP_DROP)?;
    let protocol = headers.u8::<23>();
    let address = u32::from_ne_bytes(headers.bytes4::<30>());
    let inner_bytes = headers.be16::<16>();
    let port = if has_ports(protocol) { frame.window::<42>().ok_or(xdp_action::XDP_DROP)?.ne16::<36>() } else { 0 };
    let tunnel = find(&Service { address: [address, 0, 0, 0], port, protocol, family: 4 })?;
    let (source, destination) = (first_four(tunnel.source), first_four(tunnel.destination));
    let outer = Outer { source, destination, mac: &tunnel.mac, tos: 0, inner_bytes };
    ipip::encapsulate(ctx, &outer).ok_or(xdp_action::XDP_DROP)?;
    increment(maps::FORWARDED.get_ptr_mut(0));
    Ok(())
}

#[inline(always)]
fn ipv6(ctx: &XdpContext) -> Result<(), u32> {
    let frame = Cursor::new(ctx);
    let headers = frame.window::<54>().ok_or(xdp_action::XDP_DROP)?;
    let protocol = headers.u8::<20>();
    let address = headers.words::<38>();
    let inner_bytes = headers.be16::<18>() + 40;
    let port = if has_ports(protocol) { frame.window::<62>().ok_or(xdp_action::XDP_DROP)?.ne16::<56>() } else { 0 };
    let tunnel = find(&Service { address, port, protocol, family: 6 })?;
    write_ipv6(ctx, tunnel, inner_bytes).ok_or(xdp_action::XDP_DROP)?;
    increment(maps::FORWARDED.get_ptr_mut(1));
    Ok(())
}

#[inline(always)]
fn write_ipv6(ctx: &XdpContext, tunnel: &Tunnel, inner_bytes: u16) -> Option<()> {
    adjust_head(ctx, 40).ok()?;
    let new = Cursor::new(ctx).window::<54>()?;
    let old = [new.u8::<40>(), new.u8::<41>(), new.u8::<42>(), new.u8::<43>(), new.u8::<44>(), new.u8::<45>()];
    ethernet::write(new, old, &tunnel.mac, ETHERTYPE_IPV6);
    new.set_bytes4::<14>([0x60, 0, 0, 0]);
    new.set_ne16::<18>(inner_bytes.to_be());
    new.set_u8::<20>(protocol::IPV6);
    new.set_u8::<21>(64);
    new.set_ne16::<22>(tunnel.source[0]);
    new.set_ne16::<24>(tunnel.source[1]);
    new.set_ne16::<26>(tunnel.source[2]);
    new.set_ne16::<28>(tunnel.source[3]);
    new.set_ne16::<30>(tunnel.source[4]);
    new.set_ne16::<32>(tunnel.source[5]);
    new.set_ne16::<34>(tunnel.source[6]);
    new.set_ne16::<36>(tunnel.source[7]);
    new.set_ne16::<38>(tunnel.destination[0]);
    new.set_ne16::<40>(tunnel.destination[1]);
    new.set_ne16::<42>(tunnel.destination[2]);
    new.set_ne16::<44>(tunnel.destination[3]);
    new.set_ne16::<46>(tunnel.destination[4]);
    new.set_ne16::<48>(tunnel.destination[5]);
    new.set_ne16::<50>(tunnel.destination[6]);
    new.set_ne16::<52>(tunnel.destination[7]);
    Some(())
}

/// The tunnel of a service, if it is of the same family.
#[inline(always)]
fn find(service: &Service) -> Result<&'static Tunnel, u32> {
    // SAFETY: the bench fills the map before it runs the program and leaves it alone from then on.
    match unsafe { maps::FLOOR_SERVICES.get(service) } {
        Some(tunnel) if tunnel.family == service.family as u16 => Ok(tunnel),
        _ => Err(xdp_action::XDP_PASS),
    }
}

/// Does this protocol begin with ports?
#[inline(always)]
fn has_ports(protocol: u8) -> bool {
    protocol == protocol::TCP || protocol == protocol::UDP
}

/// The IPv4 address in a tunnel's field.
#[inline(always)]
fn first_four(halves: [u16; 8]) -> u32 {
    halves[0] as u32 | (halves[1] as u32) << 16
}
