//! IPv6 (RFC 8200).

use anycast_common::{
    flow::{self, FlowKey, Transport},
    header::{ETHERTYPE_IPV6, IPV6_BYTES, icmpv6_is_error, protocol},
    map::{BackendEntry, TunnelPolicy, VipEntry, hint_word_v6},
    outcome::Outcome,
};

use aya_ebpf::bindings::{bpf_fib_lookup, xdp_md};

use super::{
    super::{answer::TTL, extensions, transition},
    Header, INNER_WRITTEN_BYTES, Ip, Upper, end_of_word, join, part, with_end_of_word,
};
use crate::{
    maps::{self, KeyWords},
    packet::{Cursor, Window},
};

/// IPv6 (RFC 8200).
pub struct V6;

impl V6 {
    /// Writes a header of this host's own, in front of `payload_bytes`.
    #[inline(always)]
    pub fn write_header(
        ip: Window<IPV6_BYTES>,
        first_word: [u8; 4],
        payload_bytes: usize,
        next: u8,
        source: [u32; 4],
        destination: [u32; 4],
    ) {
        ip.set_bytes4::<0>(first_word);
        ip.set_ne16::<4>((payload_bytes as u16).to_be());
        ip.set_u8::<6>(next);
        ip.set_u8::<7>(TTL);
        ip.set_words::<8>(source);
        ip.set_words::<24>(destination);
    }
}

impl Ip for V6 {
    type Address = [u32; 4];
    const NO_ADDRESS: [u32; 4] = [0; 4];
    const FAMILY: u8 = 6;
    const ETHERTYPE: u16 = ETHERTYPE_IPV6;
    const TUNNEL_PROTOCOL: u8 = protocol::IPV6;
    const ICMP: u8 = protocol::ICMPV6;
    const HEADER_BYTES: usize = IPV6_BYTES;
    const SOURCE_AT: usize = 8;
    const DESTINATION_AT: usize = 24;
    const BAD_LENGTH: Outcome = Outcome::Ipv6PayloadLength;
    const HINT_IS_WHOLE: bool = false;

    #[inline(always)]
    fn destination(l3: Cursor) -> Option<[u32; 4]> {
        l3.window::<IPV6_BYTES>().map(Window::words::<24>)
    }

    #[inline(always)]
    fn next(l3: Cursor) -> Option<u8> {
        l3.window::<IPV6_BYTES>().map(Window::u8::<6>)
    }

    #[inline(always)]
    fn has_plain_header(l3: Cursor) -> bool {
        l3.window::<IPV6_BYTES>().is_some_and(|ip| ip.u8::<0>() >> 4 == 6)
    }

    #[inline(always)]
    fn address(at: Cursor) -> Option<[u32; 4]> {
        at.window::<16>().map(Window::words::<0>)
    }

    #[inline(always)]
    fn vip_index(address: [u32; 4]) -> Option<u32> {
        // SAFETY: as for IPv4.
        unsafe { maps::VIP6.get(address).copied() }
    }

    #[inline(always)]
    fn is_entry_of(entry: &VipEntry, address: [u32; 4]) -> bool {
        maps::vip_address(entry) == Self::mapped(address)
    }

    #[inline(always)]
    fn hint_word(address: [u32; 4]) -> u32 {
        hint_word_v6(address)
    }

    #[inline(always)]
    fn with_family([a, b, c, d]: [u32; 4]) -> KeyWords {
        [u32::from_ne_bytes([0, 0, 0, 6]), a, b, c, d]
    }

    #[inline(always)]
    fn mapped([a, b, c, d]: [u32; 4]) -> [u64; 2] {
        [join([a, b]), join([c, d])]
    }

    #[inline(always)]
    fn unmapped([high, low]: [u64; 2]) -> [u32; 4] {
        let ([a, b], [c, d]) = (part(high), part(low));
        [a, b, c, d]
    }

    #[inline(always)]
    fn end([_, _, _, last]: [u32; 4]) -> u16 {
        end_of_word(last)
    }

    #[inline(always)]
    fn with_end([a, b, c, last]: [u32; 4], end: u16) -> [u32; 4] {
        [a, b, c, with_end_of_word(last, end)]
    }

    #[inline(always)]
    fn destination_of(entry: &BackendEntry) -> [u32; 4] {
        let [_, _, _, _, _, _, a, b, c, d]: [u32; 10] = maps::words(&entry.outer);
        [a, b, c, d]
    }

    #[inline(always)]
    fn fill(params: &mut bpf_fib_lookup, header: &Header<Self>) {
        params.family = 10;
        params.__bindgen_anon_3.ipv6_src = header.source;
        params.__bindgen_anon_4.ipv6_dst = header.destination;
    }

    #[inline(always)]
    fn varying_bits(policy: TunnelPolicy) -> u8 {
        policy.varying_bits_v6
    }

    #[inline(always)]
    fn parse(l3: Cursor) -> Result<Header<Self>, Outcome> {
        let ip = l3.window::<IPV6_BYTES>().ok_or(Outcome::Ipv6PayloadLength)?;
        if ip.u8::<0>() >> 4 != 6 {
            return Err(Outcome::IpVersion);
        }
        let length = IPV6_BYTES + ip.length::<4>();
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
    fn is_martian(source: [u32; 4]) -> bool {
        let [first, second, third, last] = source;
        // ::, ::1 and ::ffff:0:0/96 begin with eight bytes of zero, as no global address does.
        first.to_ne_bytes()[0] == 0xff
            || first | second == 0 && (third == 0xffff_u32.to_be() || third == 0 && u32::from_be(last) <= 1)
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
            tos: (ip.be16::<0>() >> 4) as u8,
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
    fn tcp(ctx: *mut xdp_md, l2_bytes: u64) -> u64 {
        transition::tcp_v6(ctx, l2_bytes)
    }

    #[inline(always)]
    fn transition(ctx: *mut xdp_md, l2_bytes: u64, flow_hash: u64, pool_and_slot: u64, tcp: u64) -> u32 {
        transition::transition_v6(ctx, l2_bytes, flow_hash, pool_and_slot, tcp)
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
