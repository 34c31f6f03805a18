//! The order of the stages for what this host itself sends to VIPs: a frame with the mark of a probe goes to the backend of the
//! mark, whatever the VIP's listeners, its `icmp_echo` and its pool say. All else is what it is on an access interface.

use anycast_common::{
    flow::Transport,
    header::{ETHERNET_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6},
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
        classify, encap, flow,
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
        None => one_arm::as_access::<Linear, Nobody>(ctx.ctx),
        Some(mark) => match frame::ethertype(start) {
            ETHERTYPE_IPV4 => serve::<V4>(ctx.ctx, mark.backend_index),
            ETHERTYPE_IPV6 => serve::<V6>(ctx.ctx, mark.backend_index),
            _ => verdict::not_probed(Outcome::NotVip, start.skip_constant(ETHERNET_BYTES).remaining()),
        },
    }
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
