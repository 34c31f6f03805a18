//! What differs between the families: where fields lie, and what makes a header valid.

mod v4;
mod v6;

use anycast_common::{
    flow::{FlowKey, Transport},
    map::{BackendEntry, TunnelPolicy, VipEntry},
    outcome::Outcome,
};
use aya_ebpf::bindings::{bpf_fib_lookup, xdp_md};
pub use v4::V4;
pub use v6::V6;

use crate::{
    maps::KeyWords,
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
    /// The address of which every bit is 0.
    const NO_ADDRESS: Self::Address;
    /// 4 or 6, as entries and keys of maps have it.
    const FAMILY: u8;
    /// EtherType.
    const ETHERTYPE: u16;
    /// Protocol number of this family inside a tunnel.
    const TUNNEL_PROTOCOL: u8;
    /// Protocol number of the family's ICMP.
    const ICMP: u8;
    /// Bytes of the shortest header.
    const HEADER_BYTES: usize;
    /// Where the source address lies.
    const SOURCE_AT: usize;
    /// Where the destination address lies.
    const DESTINATION_AT: usize;
    /// The outcome of a packet that is longer than what holds it.
    const BAD_LENGTH: Outcome;
    /// Is [`Ip::hint_word`] the whole address?
    const HINT_IS_WHOLE: bool;

    /// The destination address, if the frame is long enough for a header.
    fn destination(l3: Cursor) -> Option<Self::Address>;
    /// IPv4: the protocol; IPv6: the first next header.
    fn next(l3: Cursor) -> Option<u8>;
    /// A header of this version without options, of a packet that is no fragment by it.
    fn has_plain_header(l3: Cursor) -> bool;
    /// The address at a place of the packet.
    fn address(at: Cursor) -> Option<Self::Address>;
    /// Index of the VIP with this address.
    fn vip_index(address: Self::Address) -> Option<u32>;
    /// Does the entry repeat this address?
    fn is_entry_of(entry: &VipEntry, address: Self::Address) -> bool;
    /// The word that hints of an address go by.
    fn hint_word(address: Self::Address) -> u32;
    /// The address as a key of the gateway's tables.
    fn with_family(address: Self::Address) -> KeyWords;
    /// The address in 16 bytes, v4-mapped.
    fn mapped(address: Self::Address) -> [u64; 2];
    /// The address that such 16 bytes are of.
    fn unmapped(address: [u64; 2]) -> Self::Address;
    /// The last two bytes of the address, as they lie in memory.
    fn end(address: Self::Address) -> u16;
    /// The address with other last two bytes.
    fn with_end(address: Self::Address, end: u16) -> Self::Address;
    /// Destination of a backend's ready-made header.
    fn destination_of(entry: &BackendEntry) -> Self::Address;
    /// Family and addresses of a route look-up.
    fn fill(params: &mut bpf_fib_lookup, header: &Header<Self>);
    /// Low bits that differ among the addresses that tunnels end at.
    fn varying_bits(policy: TunnelPolicy) -> u8;
    /// Checks the header against itself and the frame.
    fn parse(l3: Cursor) -> Result<Header<Self>, Outcome>;
    /// Can what lies behind the header be used as it is, for a VIP that takes everything?
    fn is_plain(header: &Header<Self>) -> bool;
    /// Is this source none of a single host? (RFC 1122 section 3.2.1.3; RFC 4291 section 2)
    fn is_martian(source: Self::Address) -> bool;
    /// Walks to the upper protocol. `None`: the chain is broken or too long.
    fn upper(l3: Cursor, header: &Header<Self>) -> Option<Upper>;
    /// The header of a packet quoted in an ICMP error, of which only the beginning has to be there.
    fn quoted(l3: Cursor, room: usize) -> Option<Header<Self>>;
    /// Is this ICMP type an error?
    fn icmp_is_error(kind: u8) -> bool;
    /// Hash of a flow.
    fn hash(key: &FlowKey, source: Self::Address, destination: Self::Address, transport: Transport) -> u64;
    /// What a packet says of its flow, while its slot is in transition.
    fn tcp(ctx: *mut xdp_md, l2_bytes: u64) -> u64;
    /// The backend of such a packet.
    fn transition(ctx: *mut xdp_md, l2_bytes: u64, flow_hash: u64, pool_and_slot: u64, tcp: u64) -> u32;
    /// Decrements TTL or hop limit.
    fn decrement_ttl(ip: Window<INNER_WRITTEN_BYTES>);
    /// Sets the ECN field.
    fn set_ecn(ip: Window<INNER_WRITTEN_BYTES>, ecn: u8);
}

/// One word of eight bytes as two, as they lie in memory.
#[inline(always)]
fn part(word: u64) -> [u32; 2] {
    // SAFETY: same size, and every bit pattern is a number.
    unsafe { core::mem::transmute(word) }
}

/// A word with other last two bytes in memory.
#[inline(always)]
fn with_end_of_word(word: u32, end: u16) -> u32 {
    let ([a, b, ..], [c, d]) = (word.to_ne_bytes(), end.to_ne_bytes());
    u32::from_ne_bytes([a, b, c, d])
}

/// The last two bytes of a word in memory.
#[inline(always)]
fn end_of_word(word: u32) -> u16 {
    let [_, _, c, d] = word.to_ne_bytes();
    u16::from_ne_bytes([c, d])
}

/// Two words as they lie in memory, as one of eight bytes.
#[inline(always)]
pub fn join(words: [u32; 2]) -> u64 {
    // SAFETY: same size, and every bit pattern is a number.
    unsafe { core::mem::transmute(words) }
}
