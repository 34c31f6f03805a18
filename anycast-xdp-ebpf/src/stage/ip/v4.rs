//! IPv4 (RFC 791).

use anycast_common::{
    checksum,
    flow::{self, FlowKey, Transport},
    header::{ETHERTYPE_IPV4, IPV4_BYTES, icmp_is_error, protocol},
    map::{BackendEntry, TunnelPolicy, VipEntry},
    outcome::Outcome,
};

use aya_ebpf::bindings::{bpf_fib_lookup, xdp_md};

use super::{
    super::{answer::TTL, transition},
    Header, INNER_WRITTEN_BYTES, Ip, Upper, end_of_word, join, part, with_end_of_word,
};
use crate::{
    maps::{self, KeyWords},
    packet::{Cursor, Window},
};

/// IPv4 (RFC 791).
pub struct V4;

/// MF set or offset not 0.
#[inline(always)]
fn is_fragment(ip: Window<IPV4_BYTES>) -> bool {
    ip.be16::<6>() & 0x3fff != 0
}

impl V4 {
    /// Writes a header of this host's own: no options; DF, with which an identification of 0 is one as good as any (RFC 6864).
    #[inline(always)]
    pub fn write_header(ip: Window<IPV4_BYTES>, tos: u8, length: usize, protocol: u8, source: u32, destination: u32) {
        let length = (length as u16).to_be();
        let first = u16::from_ne_bytes([0x45, tos]);
        let fragment = 0x4000_u16.to_be();
        let ttl = u16::from_ne_bytes([TTL, protocol]);
        ip.set_ne16::<0>(first);
        ip.set_ne16::<2>(length);
        ip.set_ne16::<4>(0);
        ip.set_ne16::<6>(fragment);
        ip.set_ne16::<8>(ttl);
        let sum = first as u32
            + length as u32
            + fragment as u32
            + ttl as u32
            + checksum::halves(source)
            + checksum::halves(destination);
        ip.set_ne16::<10>(checksum::finish(sum));
        ip.set_word::<12>(source);
        ip.set_word::<16>(destination);
    }
}

impl Ip for V4 {
    type Address = u32;
    const NO_ADDRESS: u32 = 0;
    const FAMILY: u8 = 4;
    const ETHERTYPE: u16 = ETHERTYPE_IPV4;
    const TUNNEL_PROTOCOL: u8 = protocol::IPIP;
    const ICMP: u8 = protocol::ICMP;
    const HEADER_BYTES: usize = IPV4_BYTES;
    const SOURCE_AT: usize = 12;
    const DESTINATION_AT: usize = 16;
    const BAD_LENGTH: Outcome = Outcome::Ipv4TotalLength;
    const HINT_IS_WHOLE: bool = true;

    #[inline(always)]
    fn destination(l3: Cursor) -> Option<u32> {
        l3.window::<IPV4_BYTES>().map(Window::word::<16>)
    }

    #[inline(always)]
    fn next(l3: Cursor) -> Option<u8> {
        l3.window::<IPV4_BYTES>().map(Window::u8::<9>)
    }

    #[inline(always)]
    fn has_plain_header(l3: Cursor) -> bool {
        l3.window::<IPV4_BYTES>().is_some_and(|ip| ip.u8::<0>() == 0x45 && !is_fragment(ip))
    }

    #[inline(always)]
    fn address(at: Cursor) -> Option<u32> {
        at.window::<4>().map(Window::word::<0>)
    }

    #[inline(always)]
    fn vip_index(address: u32) -> Option<u32> {
        // SAFETY: the value is copied at once; a value that changes under the copy is caught by the entry's own address.
        unsafe { maps::VIP4.get(address).copied() }
    }

    #[inline(always)]
    fn is_entry_of(entry: &VipEntry, address: u32) -> bool {
        maps::vip_address(entry) == Self::mapped(address)
    }

    #[inline(always)]
    fn hint_word(address: u32) -> u32 {
        address
    }

    #[inline(always)]
    fn with_family(address: u32) -> KeyWords {
        let mapped = u32::from_ne_bytes([0, 0, 0xff, 0xff]);
        [u32::from_ne_bytes([0, 0, 0, 4]), 0, 0, mapped, address]
    }

    #[inline(always)]
    fn mapped(address: u32) -> [u64; 2] {
        [0, join([u32::from_ne_bytes([0, 0, 0xff, 0xff]), address])]
    }

    #[inline(always)]
    fn unmapped([_, low]: [u64; 2]) -> u32 {
        let [_, address] = part(low);
        address
    }

    #[inline(always)]
    fn end(address: u32) -> u16 {
        end_of_word(address)
    }

    #[inline(always)]
    fn with_end(address: u32, end: u16) -> u32 {
        with_end_of_word(address, end)
    }

    #[inline(always)]
    fn destination_of(entry: &BackendEntry) -> u32 {
        let [_, _, _, _, destination]: [u32; 5] = maps::words(&entry.outer);
        destination
    }

    #[inline(always)]
    fn fill(params: &mut bpf_fib_lookup, header: &Header<Self>) {
        params.family = 2;
        params.__bindgen_anon_2.tos = header.tos;
        params.__bindgen_anon_3.ipv4_src = header.source;
        params.__bindgen_anon_4.ipv4_dst = header.destination;
    }

    #[inline(always)]
    fn varying_bits(policy: TunnelPolicy) -> u8 {
        policy.varying_bits_v4
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
        let length = ip.length::<2>();
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
            fragment: is_fragment(ip),
        })
    }

    #[inline(always)]
    fn is_plain(header: &Header<Self>) -> bool {
        header.next != protocol::ICMP
    }

    #[inline(always)]
    fn is_martian(source: u32) -> bool {
        let [first, ..] = source.to_ne_bytes();
        // 0/8 and 224/3 lie side by side, going round.
        first.wrapping_sub(1) >= 223 || first == 127
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
            fragment: is_fragment(ip),
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
    fn tcp(ctx: *mut xdp_md, l2_bytes: u64) -> u64 {
        transition::tcp_v4(ctx, l2_bytes)
    }

    #[inline(always)]
    fn transition(ctx: *mut xdp_md, l2_bytes: u64, flow_hash: u64, pool_and_slot: u64, tcp: u64) -> u32 {
        transition::transition_v4(ctx, l2_bytes, flow_hash, pool_and_slot, tcp)
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
