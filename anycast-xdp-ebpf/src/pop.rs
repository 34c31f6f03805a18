//! The order of the stages on a `PoP`. Nothing is written to the frame before `encap`.

use anycast_common::{
    header::{ETHERTYPE_IPV4, ETHERTYPE_IPV6},
    map::VipPolicy,
    outcome::Outcome,
};
use aya_ebpf::programs::XdpContext;

use crate::{
    Egress,
    count::Record,
    frame, maps,
    packet::Cursor,
    stage::{
        classify, encap, flow,
        ip::{Ip, V4, V6},
        next_hop, select,
    },
};

/// Forwards one frame, or tells why not.
#[inline(always)]
pub fn forward(ctx: &XdpContext, record: &mut Record) -> Result<Egress, Outcome> {
    let start = Cursor::new(ctx);
    let l2 = frame::parse(start);
    record.l2_bytes = l2.bytes;
    match l2.ethertype {
        ETHERTYPE_IPV4 => forward_ip::<V4>(ctx, start.skip(l2.bytes), record),
        ETHERTYPE_IPV6 => forward_ip::<V6>(ctx, start.skip(l2.bytes), record),
        _ => Err(Outcome::NotVip),
    }
}

#[inline(always)]
fn forward_ip<I: Ip>(ctx: &XdpContext, l3: Cursor, record: &mut Record) -> Result<Egress, Outcome> {
    let destination = I::destination(l3).ok_or(Outcome::NotVip)?;
    let (vip_index, vip) = classify::vip::<I>(destination)?;
    record.vip_index = vip_index;
    let header = I::parse(l3)?;
    record.ip_bytes = header.length;
    if header.ttl <= 1 {
        return Err(Outcome::TtlExpired);
    }
    let (pool, policy) = maps::vip_cells(vip);
    let flow = flow::of::<I>(l3, &header, VipPolicy::from_cell(policy))?;
    let hash = I::hash(&maps::flow_key(), flow.source, destination, flow.transport);
    let (backend_index, backend) = select::backend(pool, hash)?;
    record.backend_index = backend_index;
    let way = next_hop::of(backend, hash)?;
    encap::run::<I>(ctx, record.l2_bytes, &header, backend, &way, hash)
}
