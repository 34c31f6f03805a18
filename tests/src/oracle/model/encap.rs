//! Step 8 of the PoP program: the bytes that leave.

use std::net::IpAddr;

use anycast_common::flow::flow_label;

use super::{
    super::tables::{Link, PopTables},
    ip::{self, Family, checksum, replace_checksum_word},
};

const TTL: u8 = 64;
const DONT_FRAGMENT: [u8; 2] = [0x40, 0];

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

/// The outer header around `packet`.
pub(super) fn outer_header(tables: &PopTables, inner: Family, packet: &[u8], backend: IpAddr, hash: u64) -> Vec<u8> {
    let traffic_class = ip::traffic_class(inner, packet);
    let mut header = Vec::with_capacity(40);
    match backend {
        IpAddr::V4(backend) => {
            let source = tables.source_ipv4.expect("an IPv4 backend needs an IPv4 source");
            header.extend([0x45, traffic_class]);
            header.extend((20 + packet.len() as u16).to_be_bytes());
            header.extend([0, 0]);
            header.extend(DONT_FRAGMENT);
            header.extend([TTL, inner.protocol(), 0, 0]);
            header.extend(source.octets());
            header.extend(backend.octets());
            let checksum = checksum(&header);
            header[10..12].copy_from_slice(&checksum.to_be_bytes());
        }
        IpAddr::V6(backend) => {
            let source = tables.source_ipv6.expect("an IPv6 backend needs an IPv6 source");
            header.extend((6 << 28 | u32::from(traffic_class) << 20 | flow_label(hash)).to_be_bytes());
            header.extend((packet.len() as u16).to_be_bytes());
            header.extend([inner.protocol(), TTL]);
            header.extend(source.octets());
            header.extend(backend.octets());
        }
    }
    header
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
