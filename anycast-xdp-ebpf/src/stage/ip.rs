//! What differs between the families: where fields lie, and what makes a header valid.

use anycast_common::{
    checksum,
    flow::{self, FlowKey, Transport},
    header::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, IPV4_BYTES, IPV6_BYTES, icmp_is_error, icmpv6_is_error, protocol},
    map::{TunnelKey, VipEntry, tunnel_key, v4_mapped},
    outcome::Outcome,
};

use super::extensions;
use crate::{
    maps,
    packet::{Cursor, Window},
};

/// The bytes of an inner header that may be written: everything up to the IPv4 checksum.
pub const INNER_WRITTEN_BYTES: usize = 12;

/// A valid IP header.
pub struct Header<I: Ip> {
    /// Source address.
    pub source: I::Address,
    /// Destination address.
    pub destination: I::Address,
    /// Bytes of the header: options included, extension headers not.
    pub bytes: usize,
    /// Bytes of the packet, header included; within the frame.
    pub length: usize,
    /// TOS or traffic class: DSCP and ECN.
    pub tos: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Protocol, or the first next header.
    pub next: u8,
    /// IPv4: MF set or offset not 0. IPv6 knows it from a fragment header.
    pub fragment: bool,
}

/// What lies behind the IP header and its extension headers.
#[derive(Clone, Copy)]
pub struct Upper {
    /// Protocol number.
    pub protocol: u8,
    /// Where it begins, from the IP header.
    pub offset: usize,
    /// The packet is a fragment.
    pub fragment: bool,
}

/// An IP family.
pub trait Ip: Sized {
    /// Address, as its wire bytes lie in memory.
    type Address: Copy + PartialEq;
    /// EtherType.
    const ETHERTYPE: u16;
    /// Protocol number of this family inside a tunnel.
    const TUNNEL_PROTOCOL: u8;
    /// Protocol number of the family's ICMP.
    const ICMP: u8;
    /// Bytes of the shortest header.
    const HEADER_BYTES: usize;
    /// The outcome of a packet that is longer than what holds it.
    const BAD_LENGTH: Outcome;

    /// The destination address, if the frame is long enough for a header.
    fn destination(l3: Cursor) -> Option<Self::Address>;
    /// Index of the VIP with this address.
    fn vip_index(address: Self::Address) -> Option<u32>;
    /// Does the entry repeat this address?
    fn is_entry_of(entry: &VipEntry, address: Self::Address) -> bool;
    /// The address as a key of the gateway's tables.
    fn with_family(address: Self::Address) -> TunnelKey;
    /// Checks the header against itself and the frame.
    fn parse(l3: Cursor) -> Result<Header<Self>, Outcome>;
    /// Can what lies behind the header be used as it is, for a VIP that takes everything?
    fn is_plain(header: &Header<Self>) -> bool;
    /// Walks to the upper protocol. `None`: the chain is broken or too long.
    fn upper(l3: Cursor, header: &Header<Self>) -> Option<Upper>;
    /// The header of a packet quoted in an ICMP error, of which only the beginning has to be there.
    fn quoted(l3: Cursor, room: usize) -> Option<Header<Self>>;
    /// Is this ICMP type an error?
    fn icmp_is_error(kind: u8) -> bool;
    /// Hash of a flow.
    fn hash(key: &FlowKey, source: Self::Address, destination: Self::Address, transport: Transport) -> u64;
    /// Decrements TTL or hop limit.
    fn decrement_ttl(ip: Window<INNER_WRITTEN_BYTES>);
    /// Sets the ECN field.
    fn set_ecn(ip: Window<INNER_WRITTEN_BYTES>, ecn: u8);
}

/// Two words as they lie in memory, as one of eight bytes.
#[inline(always)]
fn join(words: [u32; 2]) -> u64 {
    // SAFETY: same size, and every bit pattern is a number.
    unsafe { core::mem::transmute(words) }
}

/// The 16 bytes of an IPv6 address.
#[inline(always)]
fn bytes(address: [u32; 4]) -> [u8; 16] {
    // SAFETY: same size, and every bit pattern is a valid byte array.
    unsafe { core::mem::transmute(address) }
}

/// IPv4 (RFC 791).
pub struct V4;
/// IPv6 (RFC 8200).
pub struct V6;

impl Ip for V4 {
    type Address = u32;
    const ETHERTYPE: u16 = ETHERTYPE_IPV4;
    const TUNNEL_PROTOCOL: u8 = protocol::IPIP;
    const ICMP: u8 = protocol::ICMP;
    const HEADER_BYTES: usize = IPV4_BYTES;
    const BAD_LENGTH: Outcome = Outcome::Ipv4TotalLength;

    #[inline(always)]
    fn destination(l3: Cursor) -> Option<u32> {
        l3.window::<IPV4_BYTES>().map(Window::word::<16>)
    }

    #[inline(always)]
    fn vip_index(address: u32) -> Option<u32> {
        // SAFETY: the value is copied at once; a value that changes under the copy is caught by the entry's own address.
        unsafe { maps::VIP4.get(address.to_ne_bytes()).copied() }
    }

    #[inline(always)]
    fn is_entry_of(entry: &VipEntry, address: u32) -> bool {
        maps::vip_address(entry) == [0, join([u32::from_ne_bytes([0, 0, 0xff, 0xff]), address])]
    }

    #[inline(always)]
    fn with_family(address: u32) -> TunnelKey {
        tunnel_key(4, v4_mapped(address.to_ne_bytes()))
    }

    #[inline(always)]
    fn parse(l3: Cursor) -> Result<Header<Self>, Outcome> {
        let ip = l3.window::<IPV4_BYTES>().ok_or(Outcome::Ipv4HeaderLength)?;
        let first = ip.u8::<0>();
        if first >> 4 != 4 {
            return Err(Outcome::IpVersion);
        }
        let bytes = ((first & 15) as usize) << 2;
        if bytes < IPV4_BYTES {
            return Err(Outcome::Ipv4HeaderLength);
        }
        let length = ip.be16::<2>() as usize;
        if length < bytes || !l3.holds(length) {
            // A header that runs beyond the frame does so whatever the total length says.
            return Err(if l3.holds(bytes) { Outcome::Ipv4TotalLength } else { Outcome::Ipv4HeaderLength });
        }
        Ok(Header {
            source: ip.word::<12>(),
            destination: ip.word::<16>(),
            bytes,
            length,
            tos: ip.u8::<1>(),
            ttl: ip.u8::<8>(),
            next: ip.u8::<9>(),
            fragment: ip.be16::<6>() & 0x3fff != 0,
        })
    }

    #[inline(always)]
    fn is_plain(header: &Header<Self>) -> bool {
        header.next != protocol::ICMP
    }

    #[inline(always)]
    fn upper(_l3: Cursor, header: &Header<Self>) -> Option<Upper> {
        Some(Upper { protocol: header.next, offset: header.bytes, fragment: header.fragment })
    }

    #[inline(always)]
    fn quoted(l3: Cursor, room: usize) -> Option<Header<Self>> {
        let ip = l3.window::<IPV4_BYTES>()?;
        let first = ip.u8::<0>();
        let bytes = ((first & 15) as usize) << 2;
        if first >> 4 != 4 || bytes < IPV4_BYTES || room < bytes {
            return None;
        }
        Some(Header {
            source: ip.word::<12>(),
            destination: ip.word::<16>(),
            bytes,
            length: room,
            tos: ip.u8::<1>(),
            ttl: ip.u8::<8>(),
            next: ip.u8::<9>(),
            fragment: ip.be16::<6>() & 0x3fff != 0,
        })
    }

    #[inline(always)]
    fn icmp_is_error(kind: u8) -> bool {
        icmp_is_error(kind)
    }

    #[inline(always)]
    fn hash(key: &FlowKey, source: u32, destination: u32, transport: Transport) -> u64 {
        flow::hash_v4(key, source.to_ne_bytes(), destination.to_ne_bytes(), transport)
    }

    #[inline(always)]
    fn decrement_ttl(ip: Window<INNER_WRITTEN_BYTES>) {
        // One load and one store of the word: a load across a byte just stored would wait for it.
        let old = ip.ne16::<8>();
        let [ttl, protocol] = old.to_ne_bytes();
        let new = u16::from_ne_bytes([ttl.wrapping_sub(1), protocol]);
        ip.set_ne16::<8>(new);
        ip.set_ne16::<10>(checksum::replace_word(ip.ne16::<10>(), old, new));
    }

    #[inline(always)]
    fn set_ecn(ip: Window<INNER_WRITTEN_BYTES>, ecn: u8) {
        let old = ip.ne16::<0>();
        let [version_ihl, tos] = old.to_ne_bytes();
        let new = u16::from_ne_bytes([version_ihl, tos & !3 | ecn]);
        ip.set_ne16::<0>(new);
        ip.set_ne16::<10>(checksum::replace_word(ip.ne16::<10>(), old, new));
    }
}

impl Ip for V6 {
    type Address = [u32; 4];
    const ETHERTYPE: u16 = ETHERTYPE_IPV6;
    const TUNNEL_PROTOCOL: u8 = protocol::IPV6;
    const ICMP: u8 = protocol::ICMPV6;
    const HEADER_BYTES: usize = IPV6_BYTES;
    const BAD_LENGTH: Outcome = Outcome::Ipv6PayloadLength;

    #[inline(always)]
    fn destination(l3: Cursor) -> Option<[u32; 4]> {
        l3.window::<IPV6_BYTES>().map(Window::words::<24>)
    }

    #[inline(always)]
    fn vip_index(address: [u32; 4]) -> Option<u32> {
        // SAFETY: as for IPv4.
        unsafe { maps::VIP6.get(bytes(address)).copied() }
    }

    #[inline(always)]
    fn is_entry_of(entry: &VipEntry, address: [u32; 4]) -> bool {
        maps::vip_address(entry) == [join([address[0], address[1]]), join([address[2], address[3]])]
    }

    #[inline(always)]
    fn with_family(address: [u32; 4]) -> TunnelKey {
        tunnel_key(6, bytes(address))
    }

    #[inline(always)]
    fn parse(l3: Cursor) -> Result<Header<Self>, Outcome> {
        let ip = l3.window::<IPV6_BYTES>().ok_or(Outcome::Ipv6PayloadLength)?;
        if ip.u8::<0>() >> 4 != 6 {
            return Err(Outcome::IpVersion);
        }
        let length = IPV6_BYTES + ip.be16::<4>() as usize;
        if !l3.holds(length) {
            return Err(Outcome::Ipv6PayloadLength);
        }
        Ok(Header {
            source: ip.words::<8>(),
            destination: ip.words::<24>(),
            bytes: IPV6_BYTES,
            length,
            tos: (ip.be16::<0>() >> 4) as u8,
            ttl: ip.u8::<7>(),
            next: ip.u8::<6>(),
            fragment: false,
        })
    }

    #[inline(always)]
    fn is_plain(header: &Header<Self>) -> bool {
        header.next != protocol::ICMPV6 && !extensions::is_extension(header.next)
    }

    #[inline(always)]
    fn upper(l3: Cursor, header: &Header<Self>) -> Option<Upper> {
        extensions::walk(l3, header.next, header.length)
    }

    #[inline(always)]
    fn quoted(l3: Cursor, room: usize) -> Option<Header<Self>> {
        let ip = l3.window::<IPV6_BYTES>()?;
        if ip.u8::<0>() >> 4 != 6 || room < IPV6_BYTES {
            return None;
        }
        Some(Header {
            source: ip.words::<8>(),
            destination: ip.words::<24>(),
            bytes: IPV6_BYTES,
            length: room,
            tos: 0,
            ttl: ip.u8::<7>(),
            next: ip.u8::<6>(),
            fragment: false,
        })
    }

    #[inline(always)]
    fn icmp_is_error(kind: u8) -> bool {
        icmpv6_is_error(kind)
    }

    #[inline(always)]
    fn hash(key: &FlowKey, source: [u32; 4], destination: [u32; 4], transport: Transport) -> u64 {
        flow::hash_v6(key, source.map(u32::to_ne_bytes), destination.map(u32::to_ne_bytes), transport)
    }

    #[inline(always)]
    fn decrement_ttl(ip: Window<INNER_WRITTEN_BYTES>) {
        ip.set_u8::<7>(ip.u8::<7>().wrapping_sub(1));
    }

    #[inline(always)]
    fn set_ecn(ip: Window<INNER_WRITTEN_BYTES>, ecn: u8) {
        ip.set_u8::<1>(ip.u8::<1>() & !0x30 | ecn << 4);
    }
}
