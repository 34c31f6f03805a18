//! The order of the checks on a PoP's backbone interfaces: takes answers only from gateways that the PoP sends the VIP's
//! flows to, only in the tunnel that it uses to them, only one level, and sends them on only by access interfaces.

use anycast_common::{
    ecn,
    header::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, protocol},
    map::{LinkEntry, PoolRef, RETURN_DIRECT, ReturnTunnel, VipPolicy},
    outcome::Outcome,
};
use aya_ebpf::{bindings::xdp_action, programs::XdpContext};

use crate::{
    count, frame,
    maps::{self, Tunnels},
    observe::Observer,
    packet::{Cursor, Frames},
    stage::{
        bounce::Bounce,
        classify,
        decap::{self, Outer},
        fib::{self, Route},
        ip::{Header, V4, V6},
        release,
        tunnel::{self, Any, Tunnel},
    },
    verdict::{self, Egress},
};

/// What [`run`] gives of a frame that is no tunnel packet to this host.
pub const NOT_TAKEN: u32 = u32::MAX;

/// Sends one answer on, or tells why not; counts it; gives the XDP action, or [`NOT_TAKEN`].
#[inline(always)]
pub fn run<F: Frames, W: Observer>(ctx: &XdpContext) -> u32 {
    let tunnels = maps::tunnels();
    // No VIP's answers come through here.
    if tunnels.policy().gue_port == 0 {
        return NOT_TAKEN;
    }
    let start = Cursor::of_frame::<F>(ctx);
    let l2 = frame::parse(start);
    let l3 = start.skip(l2.bytes);
    match l2.ethertype {
        ETHERTYPE_IPV4 => match_tunnel::<F, V4, W>(ctx, l3, l2.bytes, tunnels),
        ETHERTYPE_IPV6 => match_tunnel::<F, V6, W>(ctx, l3, l2.bytes, tunnels),
        _ => NOT_TAKEN,
    }
}

#[inline(always)]
fn match_tunnel<F: Frames, O: Bounce, W: Observer>(
    ctx: &XdpContext,
    l3: Cursor,
    l2_bytes: usize,
    tunnels: Tunnels,
) -> u32 {
    let outer = match decap::outer::<O>(l3, tunnels) {
        Ok(outer) => outer,
        Err(Outcome::NotTunnel) => return NOT_TAKEN,
        Err(outcome) => return verdict::unmatched(outcome, l3.remaining()),
    };
    let room = outer.header.length - O::HEADER_BYTES;
    match tunnel::parse::<Any>(decap::behind_ip::<O>(l3), room, outer.carried, tunnels) {
        Ok(tunnel) if tunnel.carries_v4 => inner::<F, O, V4, W>(ctx, l3, l2_bytes, tunnels, &outer, &tunnel),
        Ok(tunnel) => inner::<F, O, V6, W>(ctx, l3, l2_bytes, tunnels, &outer, &tunnel),
        Err(outcome) => verdict::unmatched(outcome, l3.remaining()),
    }
}

#[inline(always)]
fn inner<F: Frames, O: Bounce, I: Bounce, W: Observer>(
    ctx: &XdpContext,
    l3: Cursor,
    l2_bytes: usize,
    tunnels: Tunnels,
    outer: &Outer<O>,
    tunnel: &Tunnel,
) -> u32 {
    let outer_bytes = O::HEADER_BYTES + tunnel.bytes;
    let header = match decap::inner_header::<I>(l3.skip(outer_bytes), outer.header.length - outer_bytes) {
        Ok(header) => header,
        Err(outcome) => return verdict::unmatched(outcome, l3.remaining()),
    };
    if decap::tunnel_index::<I>(header.destination, tunnels).is_some() && !is_to_health::<I>(&header) {
        return verdict::unmatched(Outcome::NestedTunnel, header.length);
    }
    let Ok((vip_index, vip)) = classify::vip::<I>(header.source) else {
        return verdict::unmatched(Outcome::ReturnNotVip, header.length);
    };
    W::vip(vip_index);
    let (pool, policy) = maps::vip_cells(vip);
    W::cells(pool, policy);
    if VipPolicy::from_cell(policy).returns == RETURN_DIRECT {
        return verdict::not_returned(Outcome::ReturnNotVip, vip_index, header.length);
    }
    let gateway = O::with_family(outer.header.source);
    let pool_index = PoolRef::from_cell(pool).pool_index;
    let came_in = ReturnTunnel { encap: tunnel.encap, gre_key: tunnel.key };
    if maps::returns::returner(pool_index, gateway) != Some(came_in.to_cell()) {
        return verdict::not_returned(Outcome::NotReturner, vip_index, header.length);
    }
    let Some(ecn) = ecn::decapsulate(outer.header.tos, header.tos) else {
        return verdict::not_returned(Outcome::EcnNotCapable, vip_index, header.length);
    };
    if header.ttl <= 1 {
        return verdict::not_returned(Outcome::TtlExpired, vip_index, header.length);
    }
    let ecn = (ecn != header.tos & 3).then_some(ecn);
    let way = Way { l2_bytes, outer_bytes, ecn };
    match onward::<F, O, I, W>(ctx, l3, &header, &way) {
        Ok(egress) => {
            count::returned(vip_index, header.length);
            verdict::sent(egress)
        }
        Err(Outcome::ProbeAnswered) => verdict::not_probed(Outcome::ProbeAnswered, header.length),
        Err(outcome) => verdict::not_returned(outcome, vip_index, header.length),
    }
}

/// May it be an answer to a probe, which may come from an address that tunnels begin at? Then it is no tunnel packet.
#[inline(always)]
fn is_to_health<I: Bounce>(header: &Header<I>) -> bool {
    I::is_health_address(header.destination) && !matches!(header.next, protocol::IPIP | protocol::IPV6 | protocol::GRE)
}

/// What is to be taken off, and what to be marked.
struct Way {
    l2_bytes: usize,
    outer_bytes: usize,
    ecn: Option<u8>,
}

/// Toward the client by the kernel's routes.
#[inline(always)]
fn onward<F: Frames, O: Bounce, I: Bounce, W: Observer>(
    ctx: &XdpContext,
    l3: Cursor,
    header: &Header<I>,
    way: &Way,
) -> Result<Egress, Outcome> {
    let outcome = match fib::route::<I>(ctx, l3.skip(way.outer_bytes), header) {
        Route::To { ifindex, smac, dmac } => {
            let link_index = maps::hints::public_link(ifindex).ok_or(Outcome::NoReturnRoute)?;
            let link: &LinkEntry = maps::link(link_index).ok_or(Outcome::NoReturnRoute)?;
            W::neighbour(link_index, dmac);
            release::run::<I>(ctx, way.l2_bytes, way.outer_bytes, way.ecn, link, smac, dmac)?;
            return if link.ifindex == ctx.ingress_ifindex() as u32 {
                Ok(Egress::Transmit)
            } else if maps::redirect::<F>(link_index) {
                Ok(Egress::Redirect)
            } else {
                Err(Outcome::NoEgress)
            };
        }
        // The stack finds the neighbour, and decrements the TTL itself.
        Route::Unresolved { ifindex } => {
            maps::hints::public_link(ifindex).ok_or(Outcome::NoReturnRoute)?;
            Outcome::ReturnedByHost
        }
        Route::TooBig { ifindex, mtu_bytes } => {
            maps::hints::public_link(ifindex).ok_or(Outcome::NoReturnRoute)?;
            return Err(too_big::<O, I>(ctx, way, mtu_bytes));
        }
        // The kernel does not forward to its own addresses.
        Route::None if I::is_health_address(header.destination) => Outcome::ProbeAnswered,
        Route::None => return Err(Outcome::NoReturnRoute),
    };
    decap::strip::<I>(ctx, way.l2_bytes, way.outer_bytes, way.ecn)?;
    Err(outcome)
}

/// Tells the VIP's host, in the tunnel that the packet came by, what is too big for the way to the client.
#[inline(always)]
fn too_big<O: Bounce, I: Bounce>(ctx: &XdpContext, way: &Way, mtu_bytes: u16) -> Outcome {
    let sizes = way.l2_bytes as u32 | (way.outer_bytes as u32) << 8 | (mtu_bytes as u32) << 16;
    if O::bounce(ctx.ctx, sizes, I::HEADER_BYTES as u32) == 1 { Outcome::TooBigAnswered } else { Outcome::TooBig }
}

/// The action for a frame of which a program with nothing else to do was told [`NOT_TAKEN`].
#[inline(always)]
pub fn or_pass(action: u32) -> u32 {
    if action == NOT_TAKEN { xdp_action::XDP_PASS } else { action }
}
