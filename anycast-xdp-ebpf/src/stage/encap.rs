//! The outer header: the only stage that writes to the frame.

use anycast_common::{
    flow::flow_label,
    header::{ETHERNET_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN, IPV4_BYTES, IPV6_BYTES, VLAN_TAG_BYTES},
    map::{BackendEntry, LinkEntry, NextHop},
    outcome::Outcome,
    outer_patch::{ipv4_checksum, ipv6_first_word},
};
use aya_ebpf::programs::XdpContext;

use super::{
    ip::{Header, Ip},
    next_hop::Way,
};
use crate::{
    Egress, maps,
    packet::{Cursor, adjust_head},
};

/// `BackendEntry::family` of an IPv4 tunnel.
const FAMILY_V4: u8 = 4;

/// Wraps the packet and chooses its egress.
#[inline(always)]
pub fn run<I: Ip>(
    ctx: &XdpContext,
    l2_bytes: usize,
    inner: &Header<I>,
    backend: &BackendEntry,
    way: &Way,
    flow_hash: u64,
) -> Result<Egress, Outcome> {
    let is_v4 = backend.family == FAMILY_V4;
    let outer_bytes = if is_v4 { IPV4_BYTES } else { IPV6_BYTES };
    if inner.length + outer_bytes > way.mtu_bytes {
        return Err(Outcome::TooBig);
    }
    let tagged = way.link.vlan_tci != [0; 2];
    let l2_out_bytes = if tagged { ETHERNET_BYTES + VLAN_TAG_BYTES } else { ETHERNET_BYTES };
    let grow = (outer_bytes + l2_out_bytes) as i32 - l2_bytes as i32;
    adjust_head(ctx, grow).map_err(|()| Outcome::Headroom)?;

    // The frame grew by at least 12 bytes, so none of the checks below can fail; the verifier does not know.
    let ethertype = if is_v4 { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 };
    let frame = Cursor::new(ctx);
    ethernet(frame, &way.next_hop, way.link, tagged, ethertype).ok_or(Outcome::Headroom)?;
    let outer = frame.skip(l2_out_bytes);
    if is_v4 {
        ipv4(outer, backend, inner.length, inner.tos, I::TUNNEL_PROTOCOL).ok_or(Outcome::Headroom)?;
    } else {
        ipv6(outer, backend, inner.length, inner.tos, I::TUNNEL_PROTOCOL, flow_label(flow_hash))
            .ok_or(Outcome::Headroom)?;
    }
    I::decrement_ttl(outer.skip(outer_bytes)).ok_or(Outcome::Headroom)?;

    if way.link.ifindex == ctx.ingress_ifindex() as u32 {
        Ok(Egress::Transmit)
    } else {
        maps::DEVICES.redirect(way.next_hop.link_index as u32, 0).map(|_| Egress::Redirect).map_err(|_| Outcome::NoEgress)
    }
}

#[inline(always)]
fn ethernet(frame: Cursor, next_hop: &NextHop, link: &LinkEntry, tagged: bool, ethertype: u16) -> Option<()> {
    let header = frame.window::<ETHERNET_BYTES>()?;
    let [a, b, c, d, e, f] = next_hop.mac;
    let [g, h, i, j, k, l] = link.mac;
    header.set_bytes4::<0>([a, b, c, d]);
    header.set_bytes4::<4>([e, f, g, h]);
    header.set_bytes4::<8>([i, j, k, l]);
    if tagged {
        let tag = frame.skip(ETHERNET_BYTES).window::<VLAN_TAG_BYTES>()?;
        header.set_ne16::<12>(ETHERTYPE_VLAN.to_be());
        tag.set_ne16::<0>(u16::from_ne_bytes(link.vlan_tci));
        tag.set_ne16::<2>(ethertype.to_be());
    } else {
        header.set_ne16::<12>(ethertype.to_be());
    }
    Some(())
}

/// Copies the template and patches TOS, length, protocol and checksum.
#[inline(always)]
fn ipv4(at: Cursor, backend: &BackendEntry, inner_bytes: usize, tos: u8, protocol: u8) -> Option<()> {
    let header = at.window::<IPV4_BYTES>()?;
    let length = (inner_bytes + IPV4_BYTES) as u16;
    header.set_bytes4::<0>(backend.outer_word(0));
    header.set_u8::<1>(tos);
    header.set_ne16::<2>(length.to_be());
    header.set_bytes4::<4>(backend.outer_word(1));
    header.set_bytes4::<8>(backend.outer_word(2));
    header.set_u8::<9>(protocol);
    header.set_ne16::<10>(ipv4_checksum(backend.checksum_base, length, tos, protocol));
    header.set_bytes4::<12>(backend.outer_word(3));
    header.set_bytes4::<16>(backend.outer_word(4));
    Some(())
}

/// Copies the template and patches traffic class, flow label, length and next header.
#[inline(always)]
fn ipv6(at: Cursor, backend: &BackendEntry, inner_bytes: usize, tos: u8, protocol: u8, label: u32) -> Option<()> {
    let header = at.window::<IPV6_BYTES>()?;
    header.set_bytes4::<0>(ipv6_first_word(tos, label));
    header.set_bytes4::<4>(backend.outer_word(1));
    header.set_ne16::<4>((inner_bytes as u16).to_be());
    header.set_u8::<6>(protocol);
    header.set_bytes4::<8>(backend.outer_word(2));
    header.set_bytes4::<12>(backend.outer_word(3));
    header.set_bytes4::<16>(backend.outer_word(4));
    header.set_bytes4::<20>(backend.outer_word(5));
    header.set_bytes4::<24>(backend.outer_word(6));
    header.set_bytes4::<28>(backend.outer_word(7));
    header.set_bytes4::<32>(backend.outer_word(8));
    header.set_bytes4::<36>(backend.outer_word(9));
    Some(())
}
