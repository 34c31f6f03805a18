//! An ICMP message that tells of a packet that was too big, and the outer header that it quotes.

use std::net::IpAddr;

use anycast_common::{
    checksum,
    header::{IPV4_BYTES, IPV6_BYTES, protocol},
};

/// Bytes of an ICMP header of these kinds, before the quoted packet.
const ICMP_BYTES: usize = 8;
/// ICMP "destination unreachable", "fragmentation needed and DF set" (RFC 792, RFC 1191).
const FRAGMENTATION_NEEDED: [u8; 2] = [3, 4];
/// ICMPv6 "packet too big" (RFC 4443 section 3.2): receivers ignore its code.
const PACKET_TOO_BIG: u8 = 2;
/// MTUs of links that there are (RFC 1191 section 7), for routers that do not tell theirs.
const PLATEAUS: [u32; 11] = [65_535, 32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];

/// What an ICMP socket received.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The interface that it came in by.
    pub ifindex: u32,
    /// Who sent it.
    pub source: IpAddr,
    /// To which address of this host.
    pub destination: IpAddr,
    /// From the ICMP header on.
    pub icmp: &'a [u8],
}

/// What a message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooBig {
    /// Longest packet that the router can send on.
    pub mtu_bytes: u32,
    /// The packet that was longer.
    pub quoted: Quoted,
}

/// An outer header of the only shape that this program writes: without options, and not to be fragmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Source.
    pub source: IpAddr,
    /// Destination.
    pub destination: IpAddr,
    /// IPv4 protocol, or the first IPv6 next header.
    pub protocol: u8,
    /// Length of the packet, header and all.
    pub length_bytes: u32,
    /// The third and fourth byte behind the header, as far as they are quoted: UDP's destination port.
    pub port: Option<u16>,
}

impl<'a> Message<'a> {
    /// From what a raw IPv4 socket gives: the packet with its IP header. `None`: it is none.
    pub fn ipv4(ifindex: u32, packet: &'a [u8]) -> Option<Self> {
        let header_bytes = usize::from(packet.first()? & 0x0f) * 4;
        let icmp = packet.get(header_bytes.max(IPV4_BYTES)..usize::from(word(packet, 2)?))?;
        Some(Self { ifindex, source: ipv4_at(packet, 12)?, destination: ipv4_at(packet, 16)?, icmp })
    }

    /// Is the ICMP checksum right?
    pub fn is_intact(&self) -> bool {
        let pseudo_header = match (self.source, self.destination) {
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let length = (self.icmp.len() as u32).to_be_bytes();
                let next_header = [0, 0, 0, protocol::ICMPV6];
                let addresses = checksum::sum(&source.octets()) + checksum::sum(&destination.octets());
                addresses + checksum::sum(&length) + checksum::sum(&next_header)
            }
            _ => 0,
        };
        let odd = if self.icmp.len() % 2 == 1 { self.icmp.last() } else { None };
        let odd = odd.map_or(0, |last| u32::from(u16::from_ne_bytes([*last, 0])));
        checksum::fold(pseudo_header + checksum::sum(self.icmp) + odd) == u16::MAX
    }

    /// What it tells; `None`: it is about something else, or about a packet that this program did not make.
    pub fn too_big(&self) -> Option<TooBig> {
        let (head, quote) = self.icmp.split_at_checked(ICMP_BYTES)?;
        if self.destination.is_ipv4() {
            let quoted = Quoted::ipv4(quote)?;
            let mtu_bytes = match u32::from(word(head, 6)?) {
                0 => PLATEAUS.into_iter().find(|plateau| *plateau < quoted.length_bytes)?,
                told => told,
            };
            head.starts_with(&FRAGMENTATION_NEEDED).then_some(TooBig { mtu_bytes, quoted })
        } else {
            let mtu_bytes = u32::from_be_bytes(head[4..].try_into().ok()?);
            (head[0] == PACKET_TOO_BIG).then_some(TooBig { mtu_bytes, quoted: Quoted::ipv6(quote)? })
        }
    }
}

impl Quoted {
    fn ipv4(quote: &[u8]) -> Option<Self> {
        const VERSION_AND_LENGTH: u8 = 0x45;
        const DONT_FRAGMENT: u16 = 0x4000;
        let is_shaped_like_ours = *quote.first()? == VERSION_AND_LENGTH && word(quote, 6)? == DONT_FRAGMENT;
        is_shaped_like_ours.then_some(Self {
            source: ipv4_at(quote, 12)?,
            destination: ipv4_at(quote, 16)?,
            protocol: *quote.get(9)?,
            length_bytes: word(quote, 2)?.into(),
            port: word(quote, IPV4_BYTES + 2),
        })
    }

    fn ipv6(quote: &[u8]) -> Option<Self> {
        let is_ipv6 = quote.first()? >> 4 == 6;
        is_ipv6.then_some(Self {
            source: ipv6_at(quote, 8)?,
            destination: ipv6_at(quote, 24)?,
            protocol: *quote.get(6)?,
            length_bytes: IPV6_BYTES as u32 + u32::from(word(quote, 4)?),
            port: word(quote, IPV6_BYTES + 2),
        })
    }
}

/// The bytes from `at` on; `None`: they are not all there.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    field(bytes, at).map(u16::from_be_bytes)
}

fn ipv4_at(bytes: &[u8], at: usize) -> Option<IpAddr> {
    field::<4>(bytes, at).map(IpAddr::from)
}

fn ipv6_at(bytes: &[u8], at: usize) -> Option<IpAddr> {
    field::<16>(bytes, at).map(IpAddr::from)
}
