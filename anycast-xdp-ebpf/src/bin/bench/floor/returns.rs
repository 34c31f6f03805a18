//! `floor_return`: what a PoP cannot do without to send an answer on. A bare decapsulation as in `floor_decap`, the kernel's
//! route to the client, MACs, the TTL, and out through a device map; IPv4 in IPv4. It does not ask who may answer.

use anycast_common::{
    checksum,
    header::{ETHERTYPE_IPV4, protocol},
};
use aya_ebpf::{
    bindings::{BPF_FIB_LKUP_RET_SUCCESS, bpf_fib_lookup as Params, xdp_action},
    helpers::bpf_fib_lookup,
    macros::xdp,
    programs::XdpContext,
};

use super::decap::{find, v4};
use crate::{
    maps::{self, increment},
    packet::{Cursor, Window, adjust_head},
};

/// Place of the way to clients in the device map.
const ACCESS: u32 = 1;

#[xdp]
fn floor_return(ctx: XdpContext) -> u32 {
    match send_on(&ctx) {
        Ok(()) => maps::EGRESS.redirect(ACCESS, 0).unwrap_or(xdp_action::XDP_DROP),
        Err(action) => action,
    }
}

#[inline(always)]
fn send_on(ctx: &XdpContext) -> Result<(), u32> {
    let headers = Cursor::new(ctx).window::<54>().ok_or(xdp_action::XDP_PASS)?;
    if headers.be16::<12>() != ETHERTYPE_IPV4 {
        return Err(xdp_action::XDP_PASS);
    }
    find(headers.u8::<23>() == protocol::IPIP, v4(headers.word::<30>()), v4(headers.word::<46>()))?;
    let way = route(ctx, headers)?;
    write(ctx, &way).ok_or(xdp_action::XDP_DROP)?;
    increment(maps::FORWARDED.get_ptr_mut(0));
    Ok(())
}

/// The kernel's way of the packet inside.
#[inline(always)]
fn route(ctx: &XdpContext, headers: Window<54>) -> Result<Params, u32> {
    // SAFETY: integers and arrays of them, for which zero is valid.
    let mut params: Params = unsafe { core::mem::zeroed() };
    params.family = 2;
    params.l4_protocol = headers.u8::<43>();
    params.__bindgen_anon_1.tot_len = headers.be16::<36>();
    params.ifindex = ctx.ingress_ifindex() as u32;
    params.__bindgen_anon_2.tos = headers.u8::<35>();
    params.__bindgen_anon_3.ipv4_src = headers.word::<46>();
    params.__bindgen_anon_4.ipv4_dst = headers.word::<50>();
    let bytes = size_of::<Params>().cast_signed() as i32;
    // SAFETY: a valid context, and parameters of this size.
    let result = unsafe { bpf_fib_lookup(ctx.ctx.cast(), &raw mut params, bytes, 0) };
    if result == BPF_FIB_LKUP_RET_SUCCESS as i64 { Ok(params) } else { Err(xdp_action::XDP_PASS) }
}

#[inline(always)]
fn write(ctx: &XdpContext, way: &Params) -> Option<()> {
    adjust_head(ctx, -20).ok()?;
    let frame = Cursor::new(ctx).window::<34>()?;
    let (to, from) = (way.dmac, way.smac);
    frame.set_bytes4::<0>([to[0], to[1], to[2], to[3]]);
    frame.set_ne16::<4>(u16::from_ne_bytes([to[4], to[5]]));
    frame.set_bytes4::<6>([from[0], from[1], from[2], from[3]]);
    frame.set_ne16::<10>(u16::from_ne_bytes([from[4], from[5]]));
    frame.set_ne16::<12>(ETHERTYPE_IPV4.to_be());
    let old = frame.ne16::<22>();
    let [ttl, protocol] = old.to_ne_bytes();
    let new = u16::from_ne_bytes([ttl.wrapping_sub(1), protocol]);
    frame.set_ne16::<22>(new);
    frame.set_ne16::<24>(checksum::replace_word(frame.ne16::<24>(), old, new));
    Some(())
}
