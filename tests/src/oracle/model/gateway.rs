//! The gateway program.

use std::net::IpAddr;

use anycast_common::outcome::Outcome;
use ipnet::IpNet;

use super::{
    super::tables::GatewayTables,
    Action, Facts, Input, Sent,
    ip::{self, Family, replace_checksum_word},
    layer2::Layer2,
};

const NOT_ECT: u8 = 0;
const ECT_1: u8 = 1;
const ECT_0: u8 = 2;
const CE: u8 = 3;

pub(super) fn run(tables: &GatewayTables, input: &Input, layer2: Layer2, facts: &mut Facts) -> Result<Sent, Outcome> {
    let bytes = &input.frame[layer2.ip_offset..];
    let readable = &bytes[..input.readable_bytes().saturating_sub(layer2.ip_offset)];
    let family = layer2.family.filter(|family| readable.len() >= family.header_bytes()).ok_or(Outcome::NotTunnel)?;
    let protocol = tunnel_to_us(tables, family, readable)?;

    let outer = ip::validate(family, bytes, bytes.len()).map_err(|_| Outcome::OuterHeader)?;
    if ip::header_length(family, outer) != family.header_bytes() {
        return Err(Outcome::OuterHeader);
    }
    if family == Family::V4 && ip::is_ipv4_fragment(outer) {
        return Err(Outcome::OuterFragment);
    }
    if !is_allowed(tables, ip::source(family, outer)) {
        return Err(Outcome::SourceNotAllowed);
    }

    let payload = &outer[family.header_bytes()..];
    let readable_bytes = (readable.len() - family.header_bytes()).min(payload.len());
    let (inner_family, tunnel_bytes) = tunnel_header(tables, protocol, payload.len(), &payload[..readable_bytes])?;
    let behind_outer = &bytes[family.header_bytes() + tunnel_bytes..];
    let inner_bytes_max = payload.len() - tunnel_bytes;
    if inner_bytes_max < inner_family.header_bytes() {
        return Err(match inner_family {
            Family::V4 => Outcome::Ipv4TotalLength,
            Family::V6 => Outcome::Ipv6PayloadLength,
        });
    }
    if readable_bytes < tunnel_bytes + inner_family.header_bytes() {
        return Err(match inner_family {
            Family::V4 => Outcome::Ipv4HeaderLength,
            Family::V6 => Outcome::Ipv6PayloadLength,
        });
    }
    let inner = ip::validate(inner_family, behind_outer, inner_bytes_max)?;
    facts.bytes = inner.len();
    let destination = ip::destination(inner_family, inner);
    if tables.tunnel_addresses.contains(&destination) {
        return Err(Outcome::NestedTunnel);
    }
    let vip = tables.vips.iter().position(|vip| *vip == destination).ok_or(Outcome::InnerNotVip)?;
    facts.vip = Some(vip);

    let outer_ecn = ip::traffic_class(family, outer) & 3;
    let inner_ecn = ip::traffic_class(inner_family, inner) & 3;
    let ecn = match (outer_ecn, inner_ecn) {
        (CE, NOT_ECT) => return Err(Outcome::EcnNotCapable),
        (CE, _) => CE,
        (ECT_1, ECT_0) => ECT_1,
        _ => inner_ecn,
    };
    let mut frame = input.frame[..12].to_vec();
    frame.extend(inner_family.ether_type());
    // All that followed the outer header: padding stays behind the inner packet.
    frame.extend(with_ecn(inner_family, behind_outer, ecn));
    Ok(Sent { outcome: Outcome::Decapsulated, action: Action::Pass, frame })
}

/// Step 2: the protocol of a tunnel packet to one of our addresses.
fn tunnel_to_us(tables: &GatewayTables, family: Family, bytes: &[u8]) -> Result<u8, Outcome> {
    if !tables.tunnel_addresses.contains(&ip::destination(family, bytes)) {
        return Err(Outcome::NotTunnel);
    }
    let protocol = match family {
        Family::V4 => bytes[9],
        Family::V6 => bytes[6],
    };
    match (family, protocol) {
        (_, 4 | 41 | 47) => Ok(protocol),
        (_, 17) if is_gue(tables, family, bytes) => Ok(protocol),
        (Family::V6, 44) if bytes.len() >= 48 && matches!(bytes[40], 4 | 41 | 47) => Err(Outcome::OuterFragment),
        _ => Err(Outcome::NotTunnel),
    }
}

/// Whole UDP to the port of GUE behind an IP header without options.
fn is_gue(tables: &GatewayTables, family: Family, bytes: &[u8]) -> bool {
    let is_plain = match family {
        Family::V4 => bytes[0] == 0x45 && !ip::is_ipv4_fragment(bytes),
        Family::V6 => bytes[0] >> 4 == 6,
    };
    let udp = &bytes[family.header_bytes()..];
    is_plain && udp.len() >= 8 && ip::be16(udp, 2) == tables.gue_port
}

/// Step 5: the inner family, and the bytes in front of the inner packet.
fn tunnel_header(
    tables: &GatewayTables,
    protocol: u8,
    payload_bytes: usize,
    readable: &[u8],
) -> Result<(Family, usize), Outcome> {
    match protocol {
        4 => Ok((Family::V4, 0)),
        41 => Ok((Family::V6, 0)),
        47 => gre(tables, readable),
        _ => gue(payload_bytes, readable),
    }
}

fn gre(tables: &GatewayTables, payload: &[u8]) -> Result<(Family, usize), Outcome> {
    let header = payload.first_chunk::<4>().ok_or(Outcome::TunnelHeader)?;
    let key = match header[..2] {
        [0, 0] => None,
        [0x20, 0] => {
            let [.., a, b, c, d] = *payload.first_chunk::<8>().ok_or(Outcome::TunnelHeader)?;
            Some(u32::from_be_bytes([a, b, c, d]))
        }
        _ => return Err(Outcome::TunnelHeader),
    };
    let family = match header[2..] {
        [0x08, 0x00] => Family::V4,
        [0x86, 0xdd] => Family::V6,
        _ => return Err(Outcome::TunnelHeader),
    };
    match key {
        None if tables.gre_keys.is_empty() => Ok((family, 4)),
        Some(key) if tables.gre_keys.contains(&key) => Ok((family, 8)),
        _ => Err(Outcome::TunnelKey),
    }
}

fn gue(payload_bytes: usize, payload: &[u8]) -> Result<(Family, usize), Outcome> {
    if payload.len() < 8 || usize::from(ip::be16(payload, 4)) != payload_bytes {
        return Err(Outcome::TunnelHeader);
    }
    if ip::be16(payload, 6) != 0 {
        return Err(Outcome::TunnelChecksum);
    }
    match payload.get(8).map(|first| first >> 4) {
        Some(4) => Ok((Family::V4, 8)),
        Some(6) => Ok((Family::V6, 8)),
        _ => Err(Outcome::TunnelHeader),
    }
}

/// Prefixes hold addresses of their own family only.
fn is_allowed(tables: &GatewayTables, source: IpAddr) -> bool {
    tables.allowed_sources.iter().any(|prefix: &IpNet| prefix.contains(&source))
}

fn with_ecn(family: Family, bytes: &[u8], ecn: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    match family {
        Family::V4 => {
            let before = ip::be16(&bytes, 0);
            bytes[1] = bytes[1] & !3 | ecn;
            let after = ip::be16(&bytes, 0);
            if after != before {
                let checksum = replace_checksum_word(ip::be16(&bytes, 10), before, after);
                bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
            }
        }
        // The traffic class is bits 4..12 of the header: its ECN field is bits 4 and 5 of the second byte.
        Family::V6 => bytes[1] = bytes[1] & !0x30 | ecn << 4,
    }
    bytes
}
