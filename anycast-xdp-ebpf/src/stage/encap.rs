//! The outer header: the only stage that writes to the frame.
//!
//! Outer family and tag are constants of four copies of one function: every offset is then known when it is compiled,
//! and one check of the frame's end covers all that is written.

use anycast_common::{
    flow::flow_label,
    header::{ETHERNET_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN, IPV4_BYTES, IPV6_BYTES, VLAN_TAG_BYTES},
    map::{BackendEntry, LinkEntry, NextHop},
    outcome::Outcome,
    outer_patch::{ipv4_checksum, ipv6_first_word},
};
use aya_ebpf::programs::XdpContext;

use super::{
    answer::{self, Answer},
    ip::{Header, INNER_WRITTEN_BYTES, Ip},
    next_hop::Way,
};
use crate::{
    maps,
    packet::{Cursor, Window, adjust_head},
    verdict::Egress,
};

/// `BackendEntry::family` of an IPv4 tunnel.
const FAMILY_V4: u8 = 4;

const TAGGED_BYTES: usize = ETHERNET_BYTES + VLAN_TAG_BYTES;
/// What is written of a frame, by outer family and tag.
const WRITTEN_V4: usize = ETHERNET_BYTES + IPV4_BYTES + INNER_WRITTEN_BYTES;
const WRITTEN_V4_TAGGED: usize = TAGGED_BYTES + IPV4_BYTES + INNER_WRITTEN_BYTES;
const WRITTEN_V6: usize = ETHERNET_BYTES + IPV6_BYTES + INNER_WRITTEN_BYTES;
const WRITTEN_V6_TAGGED: usize = TAGGED_BYTES + IPV6_BYTES + INNER_WRITTEN_BYTES;

/// What the packet itself contributes to its outer header.
struct Inner {
    length: usize,
    tos: u8,
    flow_hash: u64,
}

/// Wraps the packet and chooses its egress.
#[inline(always)]
pub fn run<I: Answer>(
    ctx: &XdpContext,
    l2_bytes: usize,
    header: &Header<I>,
    backend: &BackendEntry,
    way: &Way,
    flow_hash: u64,
) -> Result<Egress, Outcome> {
    let inner = Inner { length: header.length, tos: header.tos, flow_hash };
    let [vlan_tci] = maps::half_words(&way.link.vlan_tci);
    if backend.family == FAMILY_V4 {
        check_mtu::<I>(ctx, l2_bytes, header, way, IPV4_BYTES)?;
        if vlan_tci == 0 {
            wrap::<I, IPV4_BYTES, WRITTEN_V4>(ctx, l2_bytes, &inner, backend, way, 0)?;
        } else {
            wrap::<I, IPV4_BYTES, WRITTEN_V4_TAGGED>(ctx, l2_bytes, &inner, backend, way, vlan_tci)?;
        }
    } else {
        check_mtu::<I>(ctx, l2_bytes, header, way, IPV6_BYTES)?;
        if vlan_tci == 0 {
            wrap::<I, IPV6_BYTES, WRITTEN_V6>(ctx, l2_bytes, &inner, backend, way, 0)?;
        } else {
            wrap::<I, IPV6_BYTES, WRITTEN_V6_TAGGED>(ctx, l2_bytes, &inner, backend, way, vlan_tci)?;
        }
    }
    if way.link.ifindex == ctx.ingress_ifindex() as u32 {
        Ok(Egress::Transmit)
    } else {
        maps::DEVICES
            .redirect(NextHop::link_of(way.next_hop) as u32, 0)
            .map(|_| Egress::Redirect)
            .map_err(|_| Outcome::NoEgress)
    }
}

/// Does the packet fit with `outer_bytes` around it? Its sender is told if it does not.
#[inline(always)]
fn check_mtu<I: Answer>(
    ctx: &XdpContext,
    l2_bytes: usize,
    header: &Header<I>,
    way: &Way,
    outer_bytes: usize,
) -> Result<(), Outcome> {
    if header.length + outer_bytes <= way.mtu_bytes {
        return Ok(());
    }
    Err(answer::too_big::<I>(ctx, l2_bytes, way.mtu_bytes.saturating_sub(outer_bytes)))
}

/// Makes room and writes everything: `OUTER` bytes of outer header, `WRITTEN` bytes in all.
#[inline(always)]
fn wrap<I: Ip, const OUTER: usize, const WRITTEN: usize>(
    ctx: &XdpContext,
    l2_bytes: usize,
    inner: &Inner,
    backend: &BackendEntry,
    way: &Way,
    vlan_tci: u16,
) -> Result<(), Outcome> {
    let l2_out_bytes = WRITTEN - OUTER - INNER_WRITTEN_BYTES;
    let grow = (l2_out_bytes + OUTER).cast_signed() as i32 - l2_bytes.cast_signed() as i32;
    adjust_head(ctx, grow).map_err(|()| Outcome::Headroom)?;
    // The frame grew by at least 12 bytes in front of at least 20, so this never fails; the verifier does not know.
    let frame = Cursor::new(ctx).window::<WRITTEN>().ok_or(Outcome::Headroom)?;
    let is_v4 = OUTER == IPV4_BYTES;
    ethernet(frame.part(0), way.next_hop, way.link);
    let ethertype = if is_v4 { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 };
    if l2_out_bytes == TAGGED_BYTES {
        let tag: Window<6> = frame.part(12);
        tag.set_ne16::<0>(ETHERTYPE_VLAN.to_be());
        tag.set_ne16::<2>(vlan_tci);
        tag.set_ne16::<4>(ethertype.to_be());
    } else {
        frame.part::<2>(12).set_ne16::<0>(ethertype.to_be());
    }
    if is_v4 {
        ipv4(frame.part(l2_out_bytes), backend, inner, I::TUNNEL_PROTOCOL);
    } else {
        ipv6(frame.part(l2_out_bytes), backend, inner, I::TUNNEL_PROTOCOL);
    }
    I::decrement_ttl(frame.part(l2_out_bytes + OUTER));
    Ok(())
}

/// The two addresses.
#[inline(always)]
fn ethernet(addresses: Window<12>, next_hop: u64, link: &LinkEntry) {
    addresses.set_word::<0>((next_hop as u32).to_le());
    addresses.set_ne16::<4>(((next_hop >> 32) as u16).to_le());
    let [begin] = maps::words(&link.mac);
    let [_, _, end] = maps::half_words(&link.mac);
    addresses.set_word::<6>(begin);
    addresses.set_ne16::<10>(end);
}

/// The template with TOS, length, protocol and checksum.
#[inline(always)]
fn ipv4(header: Window<IPV4_BYTES>, backend: &BackendEntry, inner: &Inner, protocol: u8) {
    let template: [u32; 5] = maps::words(&backend.outer);
    let length = (inner.length + IPV4_BYTES) as u16;
    header.set_word::<0>(template[0]);
    header.set_u8::<1>(inner.tos);
    header.set_ne16::<2>(length.to_be());
    header.set_word::<4>(template[1]);
    header.set_word::<8>(template[2]);
    header.set_u8::<9>(protocol);
    header.set_ne16::<10>(ipv4_checksum(backend.checksum_base, length, inner.tos, protocol));
    header.set_word::<12>(template[3]);
    header.set_word::<16>(template[4]);
}

/// The template with traffic class, flow label, length and next header.
#[inline(always)]
fn ipv6(header: Window<IPV6_BYTES>, backend: &BackendEntry, inner: &Inner, protocol: u8) {
    let template: [u32; 10] = maps::words(&backend.outer);
    header.set_bytes4::<0>(ipv6_first_word(inner.tos, flow_label(inner.flow_hash)));
    header.set_word::<4>(template[1]);
    header.set_ne16::<4>((inner.length as u16).to_be());
    header.set_u8::<6>(protocol);
    header.set_word::<8>(template[2]);
    header.set_word::<12>(template[3]);
    header.set_word::<16>(template[4]);
    header.set_word::<20>(template[5]);
    header.set_word::<24>(template[6]);
    header.set_word::<28>(template[7]);
    header.set_word::<32>(template[8]);
    header.set_word::<36>(template[9]);
}
