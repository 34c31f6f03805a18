//! ICMPv6 (RFC 4443, RFC 8201).

use anycast_common::{
    header::{IPV6_BYTES, icmpv6_forbids_error, protocol},
    map::OWN_ADDRESS_WORDS,
    outer_patch::ipv6_first_word,
};
use aya_ebpf::bindings::xdp_md;

use super::{
    super::ip::{Upper, V6},
    Answer, ICMP_BYTES, TOS, TTL, functions, set_kind, write_icmp,
};
use crate::{maps, packet::Cursor};

const ECHO_REPLY: u8 = 129;
/// Bytes of a fragment header.
const FRAGMENT_BYTES: usize = 8;

functions!(V6: send_error_v6, echo_v6);

impl Answer for V6 {
    const ECHO_REQUEST: u8 = 128;
    /// RFC 4443 section 2.4 (c): the least MTU of IPv6.
    const ERROR_MAX_BYTES: usize = 1280;
    /// RFC 8201 section 4.
    const MTU_MIN_BYTES: usize = 1280;

    #[inline(always)]
    fn send_error(ctx: *mut xdp_md, l2_bytes: u32, mtu_bytes: u32) -> u32 {
        send_error_v6(ctx, l2_bytes, mtu_bytes)
    }

    #[inline(always)]
    fn echo(ctx: *mut xdp_md, l2_bytes: u32, offset: u32, policy: u32) -> u32 {
        echo_v6(ctx, l2_bytes, offset, policy)
    }

    #[inline(always)]
    fn forbids_error(kind: u8) -> bool {
        icmpv6_forbids_error(kind)
    }

    #[inline(always)]
    fn own_address() -> Option<[u32; 4]> {
        let address = of_words(maps::icmp_source()?);
        (address != [0; 4]).then_some(address)
    }

    #[inline(always)]
    fn is_health_address(address: [u32; 4]) -> bool {
        address != [0; 4] && maps::health_source().is_some_and(|words| of_words(words) == address)
    }

    #[inline(always)]
    fn is_later_fragment(l3: Cursor, upper: Upper) -> bool {
        let header = l3.skip(upper.offset - FRAGMENT_BYTES);
        header.window::<4>().is_none_or(|fragment| fragment.be16::<2>() & 0xfff8 != 0)
    }

    #[inline(always)]
    fn is_whole_by_demand(_l3: Cursor) -> bool {
        true
    }

    #[inline(always)]
    fn write_echo_reply(l3: Cursor) -> Option<()> {
        let packet = l3.window::<{ IPV6_BYTES + 4 }>()?;
        let (source, destination) = (packet.words::<8>(), packet.words::<24>());
        packet.set_words::<8>(destination);
        packet.set_words::<24>(source);
        packet.set_u8::<7>(TTL);
        // The pseudo header has both addresses, and so the same sum.
        set_kind(packet.part(IPV6_BYTES), ECHO_REPLY);
        Some(())
    }

    const SUMMED_FROM_BYTES: usize = 8;

    /// RFC 8200 section 8.1; the addresses lie in front of the message, where they are summed with it.
    #[inline(always)]
    fn pseudo_header_sum(message_bytes: usize) -> u32 {
        (message_bytes as u16).to_be() as u32 + u16::from_ne_bytes([0, protocol::ICMPV6]) as u32
    }

    #[inline(always)]
    fn write_error(l3: Cursor, mtu_bytes: u16, message_bytes: usize) -> Option<()> {
        let packet = l3.window::<{ IPV6_BYTES + ICMP_BYTES }>()?;
        let quoted = l3.skip_constant(IPV6_BYTES + ICMP_BYTES).window::<IPV6_BYTES>()?;
        let source = if mtu_bytes == 0 { Self::own_address()? } else { quoted.words::<24>() };
        let first_word = ipv6_first_word(TOS, 0);
        Self::write_header(packet.part(0), first_word, message_bytes, protocol::ICMPV6, source, quoted.words::<8>());
        let kind = if mtu_bytes == 0 { [3, 0] } else { [2, 0] };
        write_icmp(packet.part(IPV6_BYTES), kind, mtu_bytes);
        Some(())
    }
}

/// The address of a host's own in a set of them.
#[inline(always)]
fn of_words(words: &[u64; OWN_ADDRESS_WORDS]) -> [u32; 4] {
    let [_, first, second] = words.map(|word| [word as u32, (word >> 32) as u32].map(u32::to_le));
    [first[0], first[1], second[0], second[1]]
}
