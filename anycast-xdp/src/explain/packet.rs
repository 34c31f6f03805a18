//! A packet made of what an operator knows of a flow.

use std::net::IpAddr;

use anycast_common::{
    checksum,
    header::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, IPV4_BYTES, IPV6_BYTES, protocol},
};
use anyhow::{Result, bail, ensure};

use super::headers;

/// Ethernet addresses of frames that were given without: the programs look at neither.
const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
const ACK: u8 = 0x10;
const SYN: u8 = 0x02;
const ECHO_REQUEST: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;

/// Protocol, addresses, and ports where it has them; 0 where not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuple {
    /// IP protocol number.
    pub protocol: u8,
    /// Address and port of the client.
    pub source: (IpAddr, u16),
    /// Address and port of the VIP.
    pub destination: (IpAddr, u16),
}

/// What else there is to say of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// TTL or hop limit.
    pub ttl: u8,
    /// Bytes of the IP packet; none: its headers alone.
    pub length_bytes: Option<u16>,
    /// Don't fragment; IPv6 never does.
    pub dont_fragment: bool,
    /// A TCP SYN; otherwise an ACK.
    pub syn: bool,
}

/// Can this protocol have ports?
pub const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, protocol::TCP | protocol::UDP | protocol::SCTP)
}

/// The packet, from the IP header on, with right checksums (but for SCTP's, which nobody on the way reads).
///
/// # Errors
///
/// Addresses of two families, or a length that its headers exceed.
pub fn build(tuple: &Tuple, shape: Shape) -> Result<Vec<u8>> {
    let (source, destination) = (tuple.source.0, tuple.destination.0);
    ensure!(source.is_ipv4() == destination.is_ipv4(), "{source} and {destination} are of different families");
    let mut upper = upper_header(tuple, shape);
    let header_bytes = if source.is_ipv4() { IPV4_BYTES } else { IPV6_BYTES } + upper.len();
    if let Some(length) = shape.length_bytes.map(usize::from) {
        ensure!(length >= header_bytes, "{length} bytes are less than the {header_bytes} of its headers");
        upper.resize(upper.len() + length - header_bytes, 0);
    }
    finish_upper(tuple, &mut upper);
    wrap(tuple.protocol, source, destination, shape, &upper)
}

/// An IP packet around `payload`.
///
/// # Errors
///
/// Addresses of two families, or a payload too long for one.
pub fn wrap(protocol: u8, source: IpAddr, destination: IpAddr, shape: Shape, payload: &[u8]) -> Result<Vec<u8>> {
    let mut packet = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let length = u16::try_from(IPV4_BYTES + payload.len())?.to_be_bytes();
            let flags = if shape.dont_fragment { 0x40 } else { 0 };
            let mut header = vec![0x45, 0, length[0], length[1], 0, 0, flags, 0, shape.ttl, protocol, 0, 0];
            header.extend(source.octets());
            header.extend(destination.octets());
            let sum = checksum::finish(checksum::sum(&header));
            header[10..12].copy_from_slice(&sum.to_ne_bytes());
            header
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let length = u16::try_from(payload.len())?.to_be_bytes();
            let mut header = vec![0x60, 0, 0, 0, length[0], length[1], protocol, shape.ttl];
            header.extend(source.octets());
            header.extend(destination.octets());
            header
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            bail!("{source} and {destination} are of different families")
        }
    };
    packet.extend(payload);
    Ok(packet)
}

/// Source and destination of the IP packet in a frame, behind its tags.
pub fn addresses(frame: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let ip = frame.get(headers::decode(frame, false).ip_at..)?;
    let v4 = |at: usize| Some(IpAddr::from(<[u8; 4]>::try_from(ip.get(at..at + 4)?).ok()?));
    let v6 = |at: usize| Some(IpAddr::from(<[u8; 16]>::try_from(ip.get(at..at + 16)?).ok()?));
    match ip.first()? >> 4 {
        4 => v4(12).zip(v4(16)),
        6 => v6(8).zip(v6(24)),
        _ => None,
    }
}

/// A frame around an IP packet: its EtherType is that of the version, and IPv4's where that is neither.
pub fn frame(ip: &[u8]) -> Vec<u8> {
    let ethertype = if ip.first().is_some_and(|first| first >> 4 == 6) { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 };
    [&MACS, ethertype.to_be_bytes().as_slice(), ip].concat()
}

fn upper_header(tuple: &Tuple, shape: Shape) -> Vec<u8> {
    let ports = [tuple.source.1.to_be_bytes(), tuple.destination.1.to_be_bytes()].concat();
    let with_ports = |rest: &[u8]| [ports.as_slice(), rest].concat();
    match tuple.protocol {
        // Data offset of five words, a window.
        protocol::TCP => {
            with_ports(&[0, 0, 0, 1, 0, 0, 0, 0, 0x50, if shape.syn { SYN } else { ACK }, 0xff, 0xff, 0, 0, 0, 0])
        }
        protocol::UDP => with_ports(&[0; 4]),
        protocol::SCTP => with_ports(&[0; 8]),
        protocol::ICMP => vec![ECHO_REQUEST, 0, 0, 0, 0, 1, 0, 1],
        protocol::ICMPV6 => vec![ECHO_REQUEST_V6, 0, 0, 0, 0, 1, 0, 1],
        _ => Vec::new(),
    }
}

/// UDP's length, and the checksum.
fn finish_upper(tuple: &Tuple, upper: &mut [u8]) {
    let checksum_at = match tuple.protocol {
        protocol::TCP => 16,
        protocol::UDP => 6,
        protocol::ICMP | protocol::ICMPV6 => 2,
        _ => return,
    };
    if tuple.protocol == protocol::UDP {
        let length = (upper.len() as u16).to_be_bytes();
        upper[4..6].copy_from_slice(&length);
    }
    let mut summed = Vec::new();
    if tuple.protocol != protocol::ICMP {
        for address in [tuple.source.0, tuple.destination.0] {
            match address {
                IpAddr::V4(address) => summed.extend(address.octets()),
                IpAddr::V6(address) => summed.extend(address.octets()),
            }
        }
        summed.extend((upper.len() as u32).to_be_bytes());
        summed.extend([0, 0, 0, tuple.protocol]);
    }
    summed.extend(&*upper);
    // A last odd byte is padded (RFC 1071 section 4.1).
    summed.resize(summed.len().next_multiple_of(2), 0);
    let sum = match checksum::finish(checksum::sum(&summed)) {
        // No checksum, for UDP (RFC 768).
        0 => 0xffff,
        sum => sum,
    };
    upper[checksum_at..checksum_at + 2].copy_from_slice(&sum.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { ttl: 64, length_bytes: None, dont_fragment: false, syn: false };

    fn tuple(protocol: u8, source: &str, destination: &str) -> Tuple {
        let address = |text: &str| text.parse().expect("an address");
        Tuple { protocol, source: (address(source), 4321), destination: (address(destination), 443) }
    }

    #[test]
    fn syn_over_ipv4_is_these_bytes() {
        let shape = Shape { syn: true, dont_fragment: true, ..SHAPE };
        let packet = build(&tuple(6, "203.0.113.7", "192.0.2.80"), shape).expect("a packet");
        let hex = headers::hex(&packet);
        assert_eq!(hex, "450000280000400040063c78cb007107c000025010e101bb00000001000000005002ffff9eed0000");
    }

    #[test]
    fn length_is_that_of_the_ip_packet() {
        for (protocol, source, destination) in [(17, "203.0.113.7", "192.0.2.80"), (58, "2001:db8::7", "2001:db8::80")]
        {
            let shape = Shape { length_bytes: Some(1401), ..SHAPE };
            assert_eq!(build(&tuple(protocol, source, destination), shape).expect("a packet").len(), 1401);
        }
    }

    #[test]
    fn lengths_below_the_headers_and_two_families_are_refused() {
        let short = Shape { length_bytes: Some(27), ..SHAPE };
        let error = build(&tuple(17, "203.0.113.7", "192.0.2.80"), short).expect_err("too short");
        assert_eq!(error.to_string(), "27 bytes are less than the 28 of its headers");
        let error = build(&tuple(17, "203.0.113.7", "2001:db8::80"), SHAPE).expect_err("two families");
        assert_eq!(error.to_string(), "203.0.113.7 and 2001:db8::80 are of different families");
    }
}
