//! The order of the stages on a `PoP`. Nothing is written to the frame before `encap`.
//!
//! Three steps, by what a failure has to be counted for: nobody, a VIP with the bytes of the frame, a VIP with the bytes
//! of its packet.

use anycast_common::{
    header::{ETHERNET_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6},
    map::{VipEntry, VipPolicy},
    outcome::Outcome,
};
use aya_ebpf::{bindings::xdp_md, programs::XdpContext};

use crate::{
    frame, maps,
    observe::Observer,
    packet::{Cursor, Frames},
    stage::{
        admit,
        answer::{self, Answer},
        classify, encap, flow,
        ip::{Header, V4, V6},
        next_hop, select,
    },
    verdict::{self, Egress},
};

/// Forwards one frame, or tells why not; counts it; gives the XDP action.
///
/// Untagged frames have copies of the stages to themselves, in which every offset up to the IP header is a constant. What
/// is for no VIP and what is for an IPv4 VIP is done with here: a call costs several nanoseconds on processors that the
/// kernel makes return through a thunk. The other copies are functions because all of them together would want more stack
/// than there is, and none calls another.
#[inline(always)]
pub fn run<F: Frames, O: Observer>(ctx: &XdpContext) -> u32 {
    let start = Cursor::of_frame::<F>(ctx);
    let l3 = start.skip_constant(ETHERNET_BYTES);
    match frame::ethertype(start) {
        ETHERTYPE_IPV4 => match_vip::<F, V4, O>(ctx, start, l3, ETHERNET_BYTES),
        ETHERTYPE_IPV6 => match find::<V6>(l3) {
            Ok((vip_index, _)) => serve_untagged_v6::<F, O>(ctx.ctx, vip_index),
            Err(outcome) => verdict::unmatched(outcome, l3.remaining()),
        },
        _ => run_tagged::<F, O>(ctx.ctx),
    }
}

#[inline(never)]
fn serve_untagged_v6<F: Frames, O: Observer>(ctx: *mut xdp_md, vip_index: u32) -> u32 {
    let ctx = &XdpContext::new(ctx);
    let start = Cursor::of_frame::<F>(ctx);
    let l3 = start.skip_constant(ETHERNET_BYTES);
    match maps::vip(vip_index) {
        Some(vip) => serve::<F, V6, O>(ctx, start, l3, ETHERNET_BYTES, vip_index, vip),
        None => verdict::unmatched(Outcome::StaleVip, l3.remaining()),
    }
}

/// Frames with tags, and those that are not IP at all.
#[inline(never)]
fn run_tagged<F: Frames, O: Observer>(ctx: *mut xdp_md) -> u32 {
    let ctx = &XdpContext::new(ctx);
    let start = Cursor::spillable(ctx).of_frames::<F>(ctx);
    let l2 = frame::parse(start);
    let l3 = start.skip(l2.bytes);
    match l2.ethertype {
        ETHERTYPE_IPV4 => match_vip::<F, V4, O>(ctx, start, l3, l2.bytes),
        ETHERTYPE_IPV6 => match_vip::<F, V6, O>(ctx, start, l3, l2.bytes),
        _ => verdict::unmatched(Outcome::NotVip, l3.remaining()),
    }
}

#[inline(always)]
fn match_vip<F: Frames, I: Answer, O: Observer>(ctx: &XdpContext, frame: Cursor, l3: Cursor, l2_bytes: usize) -> u32 {
    match find::<I>(l3) {
        Ok((vip_index, vip)) => serve::<F, I, O>(ctx, frame, l3, l2_bytes, vip_index, vip),
        Err(outcome) => verdict::unmatched(outcome, l3.remaining()),
    }
}

#[inline(always)]
fn find<I: Answer>(l3: Cursor) -> Result<(u32, &'static VipEntry), Outcome> {
    classify::vip::<I>(I::destination(l3).ok_or(Outcome::NotVip)?)
}

#[inline(always)]
fn serve<F: Frames, I: Answer, O: Observer>(
    ctx: &XdpContext,
    frame: Cursor,
    l3: Cursor,
    l2_bytes: usize,
    vip_index: u32,
    vip: &VipEntry,
) -> u32 {
    O::vip(vip_index);
    let header = match I::parse(l3) {
        Ok(header) => header,
        Err(outcome) => return verdict::failed(outcome, vip_index, l3.remaining()),
    };
    match forward::<F, I, O>(ctx, frame, l3, l2_bytes, vip, &header) {
        Ok((egress, backend_index)) => verdict::forwarded(egress, vip_index, backend_index, header.length),
        Err(outcome) => verdict::failed(outcome, vip_index, header.length),
    }
}

#[inline(always)]
fn forward<F: Frames, I: Answer, O: Observer>(
    ctx: &XdpContext,
    frame: Cursor,
    l3: Cursor,
    l2_bytes: usize,
    vip: &VipEntry,
    header: &Header<I>,
) -> Result<(Egress, u32), Outcome> {
    admit::check::<I>(frame, header)?;
    if header.ttl <= 1 {
        return Err(answer::time_exceeded::<I>(ctx, l2_bytes));
    }
    let (pool, policy) = maps::vip_cells(vip);
    O::cells(pool, policy);
    let flow = flow::of::<I, O>(ctx, l2_bytes, l3, header, VipPolicy::from_cell(policy))?;
    let hash = I::hash(maps::flow_key(), flow.source, flow.destination, flow.transport);
    O::flow::<I>(flow.source, flow.transport, hash);
    let (backend_index, backend) = select::backend::<I, O>(ctx, l2_bytes, pool, hash)?;
    let way = next_hop::of::<O>(backend, hash)?;
    let egress = encap::run::<F, I>(ctx, l2_bytes, header, backend, &way, hash)?;
    Ok((egress, backend_index))
}
