//! Step 8 of the PoP program: the bytes that leave.

use std::net::IpAddr;

use anycast_common::{encap::Encap, flow::flow_label, outcome::Outcome};

use super::{
    super::tables::{Backend, Link, PopTables},
    Action, Input, Sent,
    ip::{self, Family, checksum, replace_checksum_word},
};

const TTL: u8 = 64;
const DONT_FRAGMENT: [u8; 2] = [0x40, 0];

/// A packet (its family, itself, and itself with what follows it in the frame) that fits, on its way to a backend by a neighbour.
pub(super) fn forwarded(
    tables: &PopTables,
    input: &Input,
    (family, packet, bytes): (Family, &[u8], &[u8]),
    backend: &Backend,
    (mac, link): ([u8; 6], &Link),
    flow_hash: u64,
) -> Result<Sent, Outcome> {
    if !input.headroom {
        return Err(Outcome::Headroom);
    }
    let action = egress(input, link)?;
    let mut frame = ethernet(mac, link, backend.address);
    frame.extend(outer_header(tables, family, packet, backend, flow_hash));
    frame.extend(with_hop_limit_decremented(family, bytes));
    Ok(Sent { outcome: Outcome::Forwarded, action, frame })
}

/// How a packet leaves by a link.
pub(super) fn egress(input: &Input, link: &Link) -> Result<Action, Outcome> {
    if link.ifindex == input.ingress_ifindex {
        Ok(Action::Tx)
    } else if link.in_device_map {
        Ok(Action::Redirect)
    } else {
        Err(Outcome::NoEgress)
    }
}

/// Ethernet header, tagged if the link is, in front of an outer header toward `backend`.
pub(super) fn ethernet(destination: [u8; 6], link: &Link, backend: IpAddr) -> Vec<u8> {
    let mut header = [destination, link.mac].concat();
    if let Some(tci) = link.vlan_tci {
        header.extend([0x81, 0x00]);
        header.extend(tci.to_be_bytes());
    }
    header.extend(Family::of(backend).ether_type());
    header
}

/// Bytes of the headers in front of a packet to `backend`.
pub(super) fn outer_bytes(backend: &Backend) -> usize {
    let behind_ip = match backend.encap {
        Encap::Ipip => 0,
        Encap::Gre { key: None } => 4,
        Encap::Gre { key: Some(_) } | Encap::Gue { .. } => 8,
    };
    Family::of(backend.address).header_bytes() + behind_ip
}

/// The outer headers around `packet`.
pub(super) fn outer_header(tables: &PopTables, inner: Family, packet: &[u8], backend: &Backend, hash: u64) -> Vec<u8> {
    let traffic_class = ip::traffic_class(inner, packet);
    let behind_ip = tunnel_header(inner, packet, backend.encap, hash);
    let payload_bytes = behind_ip.len() + packet.len();
    let protocol = match backend.encap {
        Encap::Ipip => inner.protocol(),
        Encap::Gre { .. } => 47,
        Encap::Gue { .. } => 17,
    };
    let source = match backend.address {
        IpAddr::V4(_) => {
            let sources = tables.source_ipv4.expect("an IPv4 backend needs an IPv4 source");
            source_of(sources.network().octets(), sources.prefix_len(), hash).into()
        }
        IpAddr::V6(_) => {
            let sources = tables.source_ipv6.expect("an IPv6 backend needs an IPv6 source");
            source_of(sources.network().octets(), sources.prefix_len(), hash).into()
        }
    };
    let label = flow_label(hash);
    let mut header = ip_header(source, backend.address, traffic_class, protocol, payload_bytes, label);
    header.extend(behind_ip);
    header
}

/// An outer IP header.
pub(super) fn ip_header(
    source: IpAddr,
    destination: IpAddr,
    traffic_class: u8,
    protocol: u8,
    payload_bytes: usize,
    flow_label: u32,
) -> Vec<u8> {
    let mut header = Vec::with_capacity(48);
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            header.extend([0x45, traffic_class]);
            header.extend((20 + payload_bytes as u16).to_be_bytes());
            header.extend([0, 0]);
            header.extend(DONT_FRAGMENT);
            header.extend([TTL, protocol, 0, 0]);
            header.extend(source.octets());
            header.extend(destination.octets());
            let checksum = checksum(&header);
            header[10..12].copy_from_slice(&checksum.to_be_bytes());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            header.extend((6 << 28 | u32::from(traffic_class) << 20 | flow_label).to_be_bytes());
            header.extend((payload_bytes as u16).to_be_bytes());
            header.extend([protocol, TTL]);
            header.extend(source.octets());
            header.extend(destination.octets());
        }
        mixed => unreachable!("a tunnel has one family: {mixed:?}"),
    }
    header
}

/// Bits 8..24 of the flow hash, lower byte first.
fn entropy(hash: u64) -> [u8; 2] {
    [(hash >> 8) as u8, (hash >> 16) as u8]
}

/// The address within the prefix that a flow's packets come from: host bits by the flow hash.
fn source_of<const N: usize>(mut address: [u8; N], prefix_len_bits: u8, hash: u64) -> [u8; N] {
    for (at, byte) in [N - 2, N - 1].into_iter().zip(entropy(hash)) {
        for bit in 0..8 {
            if at * 8 + bit >= usize::from(prefix_len_bits) {
                address[at] |= byte & 0x80 >> bit;
            }
        }
    }
    address
}

/// What stands between the outer IP header and `packet`.
fn tunnel_header(inner: Family, packet: &[u8], encap: Encap, hash: u64) -> Vec<u8> {
    match encap {
        Encap::Ipip => Vec::new(),
        Encap::Gre { key: None } => [[0, 0], inner.ether_type()].concat(),
        Encap::Gre { key: Some(key) } => [&[0x20, 0], &inner.ether_type()[..], &key.to_be_bytes()].concat(),
        Encap::Gue { port } => {
            let [high, low] = entropy(hash);
            let length = (8 + packet.len() as u16).to_be_bytes();
            [[high | 0xc0, low], port.to_be_bytes(), length, [0, 0]].concat()
        }
    }
}

/// The inner packet, and what followed it in the frame, one hop further.
pub(super) fn with_hop_limit_decremented(family: Family, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    match family {
        Family::V4 => {
            let before = ip::be16(&bytes, 8);
            bytes[8] -= 1;
            let after = ip::be16(&bytes, 8);
            let checksum = replace_checksum_word(ip::be16(&bytes, 10), before, after);
            bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
        }
        Family::V6 => bytes[7] -= 1,
    }
    bytes
}
