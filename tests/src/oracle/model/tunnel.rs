//! The end of a tunnel: from an outer IP header to the packet inside.

use std::net::IpAddr;

use anycast_common::outcome::Outcome;

use super::ip::{self, Family, replace_checksum_word};

const NOT_ECT: u8 = 0;
const ECT_1: u8 = 1;
const ECT_0: u8 = 2;
const CE: u8 = 3;

/// What ends here.
pub(super) struct End<'a> {
    /// Is it an address that tunnels end at?
    pub is_own: &'a dyn Fn(IpAddr) -> bool,
    /// UDP port of GUE.
    pub gue_port: u16,
    /// Is GRE with this key taken, or without one?
    pub is_key: &'a dyn Fn(Option<u32>) -> bool,
}

/// A packet to an address that tunnels end at.
pub(super) struct Outer<'a> {
    pub family: Family,
    /// As long as its header says.
    pub packet: &'a [u8],
    protocol: u8,
}

/// What it came in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ipip,
    Gre(Option<u32>),
    Gue,
}

/// The packet inside.
pub(super) struct Inner<'a> {
    pub family: Family,
    pub kind: Kind,
    /// Bytes in front of it, from the outer IP header on.
    pub outer_bytes: usize,
    /// As long as its header says.
    pub packet: &'a [u8],
    /// It, and what followed it in the frame.
    pub bytes: &'a [u8],
}

/// Steps 1 to 3. `bytes` is what follows the L2 header, of which `readable` can be read.
pub(super) fn outer<'a>(
    end: &End<'_>,
    family: Option<Family>,
    bytes: &'a [u8],
    readable: &[u8],
) -> Result<Outer<'a>, Outcome> {
    let family = family.filter(|family| readable.len() >= family.header_bytes()).ok_or(Outcome::NotTunnel)?;
    let protocol = to_us(end, family, readable)?;
    let packet = ip::validate(family, bytes, bytes.len()).map_err(|_| Outcome::OuterHeader)?;
    if ip::header_length(family, packet) != family.header_bytes() {
        return Err(Outcome::OuterHeader);
    }
    if family == Family::V4 && ip::is_ipv4_fragment(packet) {
        return Err(Outcome::OuterFragment);
    }
    Ok(Outer { family, packet, protocol })
}

/// Steps 4 and 5, without who may send.
pub(super) fn inner<'a>(
    end: &End<'_>,
    outer: &Outer<'_>,
    bytes: &'a [u8],
    readable: &[u8],
) -> Result<Inner<'a>, Outcome> {
    let outer_family = outer.family;
    let payload = &outer.packet[outer_family.header_bytes()..];
    let readable_bytes = (readable.len() - outer_family.header_bytes()).min(payload.len());
    let (family, kind, tunnel_bytes) = header(end, outer.protocol, payload.len(), &payload[..readable_bytes])?;
    let outer_bytes = outer_family.header_bytes() + tunnel_bytes;
    let bytes = &bytes[outer_bytes..];
    let bytes_max = payload.len() - tunnel_bytes;
    if bytes_max < family.header_bytes() {
        return Err(match family {
            Family::V4 => Outcome::Ipv4TotalLength,
            Family::V6 => Outcome::Ipv6PayloadLength,
        });
    }
    if readable_bytes < tunnel_bytes + family.header_bytes() {
        return Err(match family {
            Family::V4 => Outcome::Ipv4HeaderLength,
            Family::V6 => Outcome::Ipv6PayloadLength,
        });
    }
    let packet = ip::validate(family, bytes, bytes_max)?;
    Ok(Inner { family, kind, outer_bytes, packet, bytes })
}

/// RFC 6040 section 4.2: the field of the packet that leaves. `None`: it cannot carry the mark.
pub(super) fn ecn(outer: &Outer<'_>, inner: &Inner<'_>) -> Option<u8> {
    let outer_ecn = ip::traffic_class(outer.family, outer.packet) & 3;
    let inner_ecn = ip::traffic_class(inner.family, inner.packet) & 3;
    match (outer_ecn, inner_ecn) {
        (CE, NOT_ECT) => None,
        (CE, _) => Some(CE),
        (ECT_1, ECT_0) => Some(ECT_1),
        _ => Some(inner_ecn),
    }
}

/// The protocol of a tunnel packet to one of our addresses.
fn to_us(end: &End<'_>, family: Family, bytes: &[u8]) -> Result<u8, Outcome> {
    if !(end.is_own)(ip::destination(family, bytes)) {
        return Err(Outcome::NotTunnel);
    }
    let protocol = match family {
        Family::V4 => bytes[9],
        Family::V6 => bytes[6],
    };
    match (family, protocol) {
        (_, 4 | 41 | 47) => Ok(protocol),
        (_, 17) if is_gue(end, family, bytes) => Ok(protocol),
        (Family::V6, 44) if bytes.len() >= 48 && matches!(bytes[40], 4 | 41 | 47) => Err(Outcome::OuterFragment),
        _ => Err(Outcome::NotTunnel),
    }
}

/// Whole UDP to the port of GUE behind an IP header without options.
fn is_gue(end: &End<'_>, family: Family, bytes: &[u8]) -> bool {
    let is_plain = match family {
        Family::V4 => bytes[0] == 0x45 && !ip::is_ipv4_fragment(bytes),
        Family::V6 => bytes[0] >> 4 == 6,
    };
    let udp = &bytes[family.header_bytes()..];
    is_plain && udp.len() >= 8 && ip::be16(udp, 2) == end.gue_port
}

/// The inner family, and the bytes between the outer IP header and the inner packet.
fn header(
    end: &End<'_>,
    protocol: u8,
    payload_bytes: usize,
    readable: &[u8],
) -> Result<(Family, Kind, usize), Outcome> {
    match protocol {
        4 => Ok((Family::V4, Kind::Ipip, 0)),
        41 => Ok((Family::V6, Kind::Ipip, 0)),
        47 => gre(end, readable),
        _ => gue(payload_bytes, readable),
    }
}

fn gre(end: &End<'_>, payload: &[u8]) -> Result<(Family, Kind, usize), Outcome> {
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
    if (end.is_key)(key) {
        Ok((family, Kind::Gre(key), if key.is_some() { 8 } else { 4 }))
    } else {
        Err(Outcome::TunnelKey)
    }
}

fn gue(payload_bytes: usize, payload: &[u8]) -> Result<(Family, Kind, usize), Outcome> {
    if payload.len() < 8 || usize::from(ip::be16(payload, 4)) != payload_bytes {
        return Err(Outcome::TunnelHeader);
    }
    if ip::be16(payload, 6) != 0 {
        return Err(Outcome::TunnelChecksum);
    }
    match payload.get(8).map(|first| first >> 4) {
        Some(4) => Ok((Family::V4, Kind::Gue, 8)),
        Some(6) => Ok((Family::V6, Kind::Gue, 8)),
        _ => Err(Outcome::TunnelHeader),
    }
}

/// The packet, and what followed it, with this field.
pub(super) fn with_ecn(family: Family, bytes: &[u8], ecn: u8) -> Vec<u8> {
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
