//! The outer header: the only stage that writes to the frame.
//!
//! Encap, outer family and tag are constants of a copy of one function each: every offset is then known when it is
//! compiled, and one check of the frame's end covers all that is written.

use anycast_common::{
    flow::flow_label,
    header::{
        ETHERNET_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6, GRE_BYTES, GRE_KEYED_BYTES, IPV4_BYTES, IPV6_BYTES, UDP_BYTES,
        VLAN_TAG_BYTES, protocol,
    },
    map::{BackendEntry, ENCAP_GRE, ENCAP_GRE_KEYED, ENCAP_GUE, ENCAP_IPIP, LinkEntry, NextHop},
    outcome::Outcome,
    outer_patch::{gue_source_port, ipv4_checksum, ipv6_first_word, source_bits},
};
use aya_ebpf::programs::XdpContext;

use super::{
    answer::{self, Answer},
    ip::{Header, INNER_WRITTEN_BYTES, Ip, V4, V6},
    next_hop::Way,
};
use crate::{
    maps,
    packet::{Cursor, Frames, Window, adjust_head},
    verdict::Egress,
};

/// `BackendEntry::family` of an IPv4 tunnel.
const FAMILY_V4: u8 = V4::FAMILY;
/// `BackendEntry::family` of an IPv6 tunnel.
const FAMILY_V6: u8 = V6::FAMILY;

/// What the packet itself contributes to its outer header.
struct Inner {
    length: usize,
    tos: u8,
    flow_hash: u64,
}

/// Wraps the packet and chooses its egress.
#[inline(always)]
pub fn run<F: Frames, I: Answer>(
    ctx: &XdpContext,
    l2_bytes: usize,
    header: &Header<I>,
    backend: &BackendEntry,
    way: &Way,
    flow_hash: u64,
) -> Result<Egress, Outcome> {
    let inner = Inner { length: header.length, tos: header.tos, flow_hash };
    let [vlan_tci] = maps::half_words(&way.link.vlan_tci);
    // `OUTER` bytes of outer header; all that is written of the frame depends on them.
    macro_rules! wrap {
        ($encap:ident, $outer:expr) => {{
            const OUTER: usize = $outer;
            const WRITTEN: usize = ETHERNET_BYTES + OUTER + INNER_WRITTEN_BYTES;
            const WRITTEN_TAGGED: usize = WRITTEN + VLAN_TAG_BYTES;
            check_mtu::<I>(ctx, l2_bytes, header, way, OUTER)?;
            if vlan_tci == 0 {
                wrap::<I, $encap, OUTER, WRITTEN>(ctx, l2_bytes, &inner, backend, way, 0)?;
            } else {
                wrap::<I, $encap, OUTER, WRITTEN_TAGGED>(ctx, l2_bytes, &inner, backend, way, vlan_tci)?;
            }
        }};
    }
    match (backend.family, backend.encap) {
        (FAMILY_V4, ENCAP_IPIP) => wrap!(ENCAP_IPIP, IPV4_BYTES),
        (FAMILY_V6, ENCAP_IPIP) => wrap!(ENCAP_IPIP, IPV6_BYTES),
        (FAMILY_V4, ENCAP_GRE) => wrap!(ENCAP_GRE, IPV4_BYTES + GRE_BYTES),
        (FAMILY_V6, ENCAP_GRE) => wrap!(ENCAP_GRE, IPV6_BYTES + GRE_BYTES),
        (FAMILY_V4, ENCAP_GRE_KEYED) => wrap!(ENCAP_GRE_KEYED, IPV4_BYTES + GRE_KEYED_BYTES),
        (FAMILY_V6, ENCAP_GRE_KEYED) => wrap!(ENCAP_GRE_KEYED, IPV6_BYTES + GRE_KEYED_BYTES),
        (FAMILY_V4, ENCAP_GUE) => wrap!(ENCAP_GUE, IPV4_BYTES + UDP_BYTES),
        (FAMILY_V6, ENCAP_GUE) => wrap!(ENCAP_GUE, IPV6_BYTES + UDP_BYTES),
        _ => return Err(Outcome::NoBackend),
    }
    if way.link.ifindex == ctx.ingress_ifindex() as u32 {
        Ok(Egress::Transmit)
    } else if maps::redirect::<F>(NextHop::link_of(way.next_hop)) {
        Ok(Egress::Redirect)
    } else {
        Err(Outcome::NoEgress)
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
fn wrap<I: Ip, const ENCAP: u8, const OUTER: usize, const WRITTEN: usize>(
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
    let is_v4 = OUTER < IPV6_BYTES;
    ethernet(frame.part(0), way.next_hop, way.link);
    let ethertype = if is_v4 { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 };
    crate::frame::set_ethertype(frame, l2_out_bytes, vlan_tci, ethertype);
    let protocol = match ENCAP {
        ENCAP_IPIP => I::TUNNEL_PROTOCOL,
        ENCAP_GUE => protocol::UDP,
        _ => protocol::GRE,
    };
    let behind_ip: [u32; 2] = if is_v4 {
        ipv4(frame.part(l2_out_bytes), backend, inner, OUTER, protocol)
    } else {
        ipv6(frame.part(l2_out_bytes), backend, inner, OUTER, protocol)
    };
    let at = l2_out_bytes + if is_v4 { IPV4_BYTES } else { IPV6_BYTES };
    match ENCAP {
        ENCAP_IPIP => {}
        ENCAP_GUE => udp(frame.part(at), behind_ip, inner),
        _ => {
            let gre: Window<GRE_BYTES> = frame.part(at);
            gre.set_word::<0>(behind_ip[0]);
            gre.set_ne16::<2>(I::ETHERTYPE.to_be());
            if ENCAP == ENCAP_GRE_KEYED {
                frame.part::<4>(at + GRE_BYTES).set_word::<0>(behind_ip[1]);
            }
        }
    }
    I::decrement_ttl(frame.part(l2_out_bytes + OUTER));
    Ok(())
}

/// The MACs of link and neighbour.
#[inline(always)]
pub fn ethernet(addresses: Window<12>, next_hop: u64, link: &LinkEntry) {
    addresses.set_word::<0>((next_hop as u32).to_le());
    addresses.set_ne16::<4>(((next_hop >> 32) as u16).to_le());
    let [begin] = maps::words(&link.mac);
    let [_, _, end] = maps::half_words(&link.mac);
    addresses.set_word::<6>(begin);
    addresses.set_ne16::<10>(end);
}

/// The template with TOS, length, protocol, checksum and the flow's source. Gives the template behind it.
#[inline(always)]
fn ipv4(
    header: Window<IPV4_BYTES>,
    backend: &BackendEntry,
    inner: &Inner,
    outer_bytes: usize,
    protocol: u8,
) -> [u32; 2] {
    let template: [u32; 7] = maps::words(&backend.outer);
    let source: [u16; 8] = maps::half_words(&backend.outer);
    let [source_mask] = maps::half_words(&backend.source_mask);
    let source_bits = source_bits(inner.flow_hash, source_mask);
    let length = (inner.length + outer_bytes) as u16;
    let checksum_base = backend.checksum_base + source_bits as u32;
    header.set_word::<0>(template[0]);
    header.set_u8::<1>(inner.tos);
    header.set_ne16::<2>(length.to_be());
    header.set_word::<4>(template[1]);
    header.set_word::<8>(template[2]);
    header.set_u8::<9>(protocol);
    header.set_ne16::<10>(ipv4_checksum(checksum_base, length, inner.tos, protocol));
    header.set_ne16::<12>(source[6]);
    header.set_ne16::<14>(source[7] | source_bits);
    header.set_word::<16>(template[4]);
    [template[5], template[6]]
}

/// The template with traffic class, flow label, length, next header and the flow's source. Gives the template behind it.
#[inline(always)]
fn ipv6(
    header: Window<IPV6_BYTES>,
    backend: &BackendEntry,
    inner: &Inner,
    outer_bytes: usize,
    protocol: u8,
) -> [u32; 2] {
    let template: [u32; 12] = maps::words(&backend.outer);
    let source: [u16; 12] = maps::half_words(&backend.outer);
    let [source_mask] = maps::half_words(&backend.source_mask);
    header.set_bytes4::<0>(ipv6_first_word(inner.tos, flow_label(inner.flow_hash)));
    header.set_word::<4>(template[1]);
    header.set_ne16::<4>(((inner.length + outer_bytes - IPV6_BYTES) as u16).to_be());
    header.set_u8::<6>(protocol);
    header.set_word::<8>(template[2]);
    header.set_word::<12>(template[3]);
    header.set_word::<16>(template[4]);
    header.set_ne16::<20>(source[10]);
    header.set_ne16::<22>(source[11] | source_bits(inner.flow_hash, source_mask));
    header.set_word::<24>(template[6]);
    header.set_word::<28>(template[7]);
    header.set_word::<32>(template[8]);
    header.set_word::<36>(template[9]);
    [template[10], template[11]]
}

/// The template with the flow's source port and the length; the checksum stays 0.
#[inline(always)]
fn udp(header: Window<UDP_BYTES>, template: [u32; 2], inner: &Inner) {
    header.set_word::<0>(template[0]);
    header.set_ne16::<0>(u16::from_ne_bytes(gue_source_port(inner.flow_hash)));
    header.set_word::<4>(template[1]);
    header.set_ne16::<4>(((inner.length + UDP_BYTES) as u16).to_be());
}
