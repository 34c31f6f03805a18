//! Step 4 of the PoP program: what flow is it?

use std::net::IpAddr;

use anycast_common::outcome::Outcome;

use super::ip::{self, Family};

/// Most IPv6 extension headers that are walked.
const EXTENSIONS_MAX: usize = 8;
/// Bytes of ICMP before the quoted packet.
const ICMP_BYTES: usize = 8;

/// What a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    /// The client's address.
    pub source: IpAddr,
    /// IP protocol; for ICMP errors the quoted one.
    pub protocol: u8,
    /// The client's port, then the VIP's.
    pub ports: Option<(u16, u16)>,
    /// A TCP packet that begins it.
    pub begins: bool,
}

/// What lies behind the IP header and its extension headers.
pub(super) struct Upper {
    pub protocol: u8,
    pub offset: usize,
    pub is_fragment: bool,
}

/// The flow of a valid packet for `vip`, of which so many bytes can be read.
pub(super) fn parse(
    family: Family,
    packet: &[u8],
    readable_bytes: usize,
    vip: IpAddr,
    reads_ports: bool,
) -> Result<Flow, Outcome> {
    let source = ip::source(family, packet);
    let upper = upper(family, packet, readable_bytes)?;
    let readable_bytes = readable_bytes.saturating_sub(upper.offset);
    let without_ports = Flow { source, protocol: upper.protocol, ports: None, begins: false };
    if upper.is_fragment {
        return Ok(without_ports);
    }
    let segment = &packet[upper.offset..];
    let is_icmp = upper.protocol == icmp_protocol(family);
    if is_icmp && segment.first().is_some_and(|kind| readable_bytes == 0 || is_icmp_error(family, *kind)) {
        if segment.len() < ICMP_BYTES {
            return Err(Outcome::L4Truncated);
        }
        let readable_bytes = readable_bytes.saturating_sub(ICMP_BYTES);
        return quoted_flow(family, &segment[ICMP_BYTES..], readable_bytes, vip, reads_ports);
    }
    if !reads_ports {
        return Ok(without_ports);
    }
    let ports = ports_of(family, segment, readable_bytes, upper.protocol)?;
    // SYN without ACK.
    let begins = upper.protocol == 6 && segment[13] & 0x12 == 0x02;
    Ok(Flow { ports, begins, ..without_ports })
}

/// The ports of a packet, whatever it is about.
pub(super) fn ports(
    family: Family,
    packet: &[u8],
    readable_bytes: usize,
    upper: &Upper,
) -> Result<Option<(u16, u16)>, Outcome> {
    if upper.is_fragment {
        return Ok(None);
    }
    ports_of(family, &packet[upper.offset..], readable_bytes.saturating_sub(upper.offset), upper.protocol)
}

fn ports_of(
    family: Family,
    segment: &[u8],
    readable_bytes: usize,
    protocol: u8,
) -> Result<Option<(u16, u16)>, Outcome> {
    let minimum = match protocol {
        6 => 20,
        17 => 8,
        132 => 12,
        _ if protocol == icmp_protocol(family) => ICMP_BYTES,
        _ => 0,
    };
    if segment.len() < minimum || has_ports(protocol) && readable_bytes < 4 {
        return Err(Outcome::L4Truncated);
    }
    Ok(has_ports(protocol).then(|| (ip::be16(segment, 0), ip::be16(segment, 2))))
}

/// Is the whole header of a TCP segment within the bytes that can be read, if it is one?
pub(super) fn is_tcp_readable(family: Family, packet: &[u8], readable_bytes: usize) -> bool {
    upper(family, packet, readable_bytes)
        .is_ok_and(|upper| upper.is_fragment || upper.protocol != 6 || readable_bytes >= upper.offset + 20)
}

/// The flow that an ICMP error is about, turned round: the VIP sent the quoted packet.
fn quoted_flow(
    family: Family,
    quote: &[u8],
    readable_bytes: usize,
    vip: IpAddr,
    reads_ports: bool,
) -> Result<Flow, Outcome> {
    let version = match family {
        Family::V4 => 4,
        Family::V6 => 6,
    };
    if quote.len().min(readable_bytes) < family.header_bytes() || quote[0] >> 4 != version {
        return Err(Outcome::IcmpQuote);
    }
    let header_length = ip::header_length(family, quote);
    if header_length < family.header_bytes() || header_length > quote.len() || ip::source(family, quote) != vip {
        return Err(Outcome::IcmpQuote);
    }
    let upper = upper(family, quote, readable_bytes).map_err(|_| Outcome::IcmpQuote)?;
    let segment = &quote[upper.offset..];
    let mut ports = None;
    if reads_ports && has_ports(upper.protocol) && !upper.is_fragment {
        if segment.len() < 4 || readable_bytes < upper.offset + 4 {
            return Err(Outcome::IcmpQuote);
        }
        ports = Some((ip::be16(segment, 2), ip::be16(segment, 0)));
    }
    Ok(Flow { source: ip::destination(family, quote), protocol: upper.protocol, ports, begins: false })
}

pub(super) fn upper(family: Family, packet: &[u8], readable_bytes: usize) -> Result<Upper, Outcome> {
    match family {
        Family::V4 => Ok(Upper {
            protocol: packet[9],
            offset: ip::header_length(family, packet),
            is_fragment: ip::is_ipv4_fragment(packet),
        }),
        Family::V6 => walk_extensions(packet, readable_bytes),
    }
}

fn walk_extensions(packet: &[u8], readable_bytes: usize) -> Result<Upper, Outcome> {
    let mut protocol = packet[6];
    let mut offset = 40;
    let mut walked = 0;
    while matches!(protocol, 0 | 43 | 44 | 60 | 135 | 139 | 140) {
        let rest = &packet[offset..];
        if walked == EXTENSIONS_MAX || rest.len() < 8 || readable_bytes < offset + 8 {
            return Err(Outcome::Ipv6ExtensionHeaders);
        }
        walked += 1;
        let is_fragment_header = protocol == 44;
        protocol = rest[0];
        let length = if is_fragment_header { 8 } else { 8 + usize::from(rest[1]) * 8 };
        if rest.len() < length {
            return Err(Outcome::Ipv6ExtensionHeaders);
        }
        offset += length;
        // Offset in the upper 13 bits, two reserved bits, M.
        if is_fragment_header && ip::be16(rest, 2) & 0xfff9 != 0 {
            return Ok(Upper { protocol, offset, is_fragment: true });
        }
    }
    Ok(Upper { protocol, offset, is_fragment: false })
}

pub(super) fn icmp_protocol(family: Family) -> u8 {
    match family {
        Family::V4 => 1,
        Family::V6 => 58,
    }
}

pub(super) fn is_icmp_error(family: Family, kind: u8) -> bool {
    match family {
        Family::V4 => matches!(kind, 3 | 4 | 5 | 11 | 12),
        Family::V6 => matches!(kind, 1..=4),
    }
}

/// TCP, UDP and SCTP.
pub(super) fn has_ports(protocol: u8) -> bool {
    matches!(protocol, 6 | 17 | 132)
}
