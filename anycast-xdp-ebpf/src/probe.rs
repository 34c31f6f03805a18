//! The order of the stages for what this host itself sends to VIPs: a frame with the mark of a probe goes to the backend of the
//! mark, whatever the VIP's listeners, its `icmp_echo` and its pool say. What the kernel says to an answer that nobody waits for any more
//! goes nowhere: it has no mark. All else is what it is on an access interface.

use anycast_common::{
    flow::Transport,
    header::{ETHERNET_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6, protocol},
    outcome::Outcome,
    probe::ProbeMark,
};
use aya_ebpf::{bindings::xdp_md, programs::XdpContext};

use crate::{
    frame, maps,
    observe::Nobody,
    one_arm,
    packet::{Cursor, Linear},
    stage::{
        admit,
        answer::Answer,
        classify, encap, flow, icmp,
        ip::{Header, Ip, V4, V6},
        next_hop,
    },
    verdict::{self, Egress},
};

/// Forwards one frame, or tells why not; counts it; gives the XDP action.
#[inline(always)]
pub fn run(ctx: &XdpContext) -> u32 {
    let start = Cursor::of_frame::<Linear>(ctx);
    match frame::probe_mark(start) {
        None => match ended_bytes(ctx.ctx) as usize {
            0 => one_arm::as_access::<Linear, Nobody>(ctx.ctx),
            bytes => verdict::not_probed(Outcome::ProbeEnded, bytes),
        },
        Some(mark) => match frame::ethertype(start) {
            ETHERTYPE_IPV4 => serve::<V4>(ctx.ctx, mark.backend_index),
            ETHERTYPE_IPV6 => serve::<V6>(ctx.ctx, mark.backend_index),
            _ => verdict::not_probed(Outcome::NotVip, start.skip_constant(ETHERNET_BYTES).remaining()),
        },
    }
}

/// Bytes of a packet that is about the answer to a probe that has ended; 0: it is another. A global function, which is verified by
/// itself and whose stack is free again before anything else needs one.
#[unsafe(no_mangle)]
extern "C" fn ended_bytes(ctx: *mut xdp_md) -> u32 {
    let start = Cursor::of_frame::<Linear>(&XdpContext::new(ctx));
    let l3 = start.skip_constant(ETHERNET_BYTES);
    let bytes = match frame::ethertype(start) {
        ETHERTYPE_IPV4 => ended_bytes_of::<V4>(l3),
        ETHERTYPE_IPV6 => ended_bytes_of::<V6>(l3),
        _ => 0,
    };
    bytes as u32
}

#[inline(always)]
fn ended_bytes_of<I: Answer>(l3: Cursor) -> usize {
    match find::<I>(l3) {
        Ok(header) if is_about_ended::<I>(l3, &header) == Some(true) => header.length,
        _ => 0,
    }
}

/// Flags of TCP, in the byte that has both (RFC 9293 section 3.1).
const RST: u8 = 4;
const ACK: u8 = 16;

/// Is it what a kernel says of itself to a packet for a socket that is gone? That is a reset without ACK, as a segment with one is
/// answered (RFC 9293 section 3.5.2), or an ICMP error about a packet to the health address. A connection that its own end
/// resets has ACK, and other errors are about packets to clients.
#[inline(always)]
fn is_about_ended<I: Answer>(l3: Cursor, header: &Header<I>) -> Option<bool> {
    if !I::is_health_address(header.source) {
        return None;
    }
    let upper = I::upper(l3, header)?;
    if flow::is_icmp_error::<I>(l3, header, upper) {
        let (about, _) = icmp::turned_round::<I>(l3, header, upper, false).ok()?;
        return Some(about == header.source);
    }
    let l4 = flow::l4(l3, header.length, upper, I::ICMP)?;
    if l4.protocol != protocol::TCP || !l4.has_ports {
        return None;
    }
    let flags = l3.skip(upper.offset).window::<14>()?.u8::<13>();
    Some(flags & (RST | ACK) == RST)
}

/// A function, so that no family has the other on its stack.
#[inline(never)]
fn serve<I: Answer>(ctx: *mut xdp_md, backend_index: u32) -> u32 {
    let ctx = &XdpContext::new(ctx);
    let start = Cursor::of_frame::<Linear>(ctx);
    let l3 = start.skip_constant(ETHERNET_BYTES);
    let header = match find::<I>(l3) {
        Ok(header) => header,
        Err(outcome) => return verdict::not_probed(outcome, l3.remaining()),
    };
    match forward::<I>(ctx, start, l3, &header, ProbeMark { backend_index }) {
        Ok(egress) => verdict::probed(egress, header.length),
        Err(outcome) => verdict::not_probed(outcome, header.length),
    }
}

/// The header of a packet to a VIP.
#[inline(always)]
fn find<I: Ip>(l3: Cursor) -> Result<Header<I>, Outcome> {
    classify::vip::<I>(I::destination(l3).ok_or(Outcome::NotVip)?)?;
    I::parse(l3)
}

#[inline(always)]
fn forward<I: Answer>(
    ctx: &XdpContext,
    frame: Cursor,
    l3: Cursor,
    header: &Header<I>,
    mark: ProbeMark,
) -> Result<Egress, Outcome> {
    admit::check::<I>(frame, header)?;
    // Time Exceeded would come from one of this host's own addresses, and the stack takes it for spoofed.
    if header.ttl <= 1 {
        return Err(Outcome::TtlExpired);
    }
    let upper = I::upper(l3, header).ok_or(Outcome::Ipv6ExtensionHeaders)?;
    let l4 = flow::l4(l3, header.length, upper, I::ICMP).ok_or(Outcome::L4Truncated)?;
    let transport = Transport { ports: l4.ports.to_ne_bytes(), protocol: l4.protocol };
    let hash = I::hash(maps::flow_key(), header.source, header.destination, transport);
    let backend = maps::backend(mark.backend_index).filter(|entry| entry.family != 0).ok_or(Outcome::NoBackend)?;
    let way = next_hop::of::<Nobody>(backend, hash)?;
    // Where the packet is too big, the answer goes back to where it came from: that is the stack, and not the mark.
    frame::take_probe_mark_off(frame);
    encap::run::<Linear, I>(ctx, ETHERNET_BYTES, header, backend, &way, hash)
}
