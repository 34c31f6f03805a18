//! ICMP (RFC 792, RFC 1191).

use anycast_common::{
    checksum,
    header::{IPV4_BYTES, icmp_forbids_error, protocol},
    map::OWN_ADDRESS_WORDS,
};
use aya_ebpf::bindings::xdp_md;

use super::{
    super::ip::{Upper, V4},
    Answer, ICMP_BYTES, TOS, TTL, functions, set_kind, write_icmp,
};
use crate::{maps, packet::Cursor};

const ECHO_REPLY: u8 = 0;

functions!(V4: send_error_v4, echo_v4);

impl Answer for V4 {
    const ECHO_REQUEST: u8 = 8;
    /// RFC 1812 section 4.3.2.3.
    const ERROR_MAX_BYTES: usize = 576;
    /// RFC 791 section 3.2.
    const MTU_MIN_BYTES: usize = 68;

    #[inline(always)]
    fn send_error(ctx: *mut xdp_md, l2_bytes: u32, mtu_bytes: u32) -> u32 {
        send_error_v4(ctx, l2_bytes, mtu_bytes)
    }

    #[inline(always)]
    fn echo(ctx: *mut xdp_md, l2_bytes: u32, offset: u32, policy: u32) -> u32 {
        echo_v4(ctx, l2_bytes, offset, policy)
    }

    #[inline(always)]
    fn forbids_error(kind: u8) -> bool {
        icmp_forbids_error(kind)
    }

    #[inline(always)]
    fn own_address() -> Option<u32> {
        let address = of_words(maps::icmp_source()?);
        (address != 0).then_some(address)
    }

    #[inline(always)]
    fn is_health_address(address: u32) -> bool {
        address != 0 && maps::health_source().is_some_and(|words| of_words(words) == address)
    }

    #[inline(always)]
    fn is_later_fragment(l3: Cursor, _upper: Upper) -> bool {
        l3.window::<IPV4_BYTES>().is_none_or(|ip| ip.be16::<6>() & 0x1fff != 0)
    }

    #[inline(always)]
    fn is_whole_by_demand(l3: Cursor) -> bool {
        l3.window::<IPV4_BYTES>().is_some_and(|ip| ip.be16::<6>() & 0x4000 != 0)
    }

    #[inline(always)]
    fn write_echo_reply(l3: Cursor) -> Option<()> {
        let packet = l3.window::<{ IPV4_BYTES + 4 }>()?;
        let (source, destination) = (packet.word::<12>(), packet.word::<16>());
        packet.set_word::<12>(destination);
        packet.set_word::<16>(source);
        let old = packet.ne16::<8>();
        let new = u16::from_ne_bytes([TTL, protocol::ICMP]);
        packet.set_ne16::<8>(new);
        packet.set_ne16::<10>(checksum::replace_word(packet.ne16::<10>(), old, new));
        set_kind(packet.part(IPV4_BYTES), ECHO_REPLY);
        Some(())
    }

    const SUMMED_FROM_BYTES: usize = IPV4_BYTES;

    #[inline(always)]
    fn pseudo_header_sum(_message_bytes: usize) -> u32 {
        0
    }

    #[inline(always)]
    fn write_error(l3: Cursor, mtu_bytes: u16, message_bytes: usize) -> Option<()> {
        let packet = l3.window::<{ IPV4_BYTES + ICMP_BYTES }>()?;
        let quoted = l3.skip_constant(IPV4_BYTES + ICMP_BYTES).window::<IPV4_BYTES>()?;
        let destination = quoted.word::<12>();
        let source = if mtu_bytes == 0 { Self::own_address()? } else { quoted.word::<16>() };
        Self::write_header(packet.part(0), TOS, IPV4_BYTES + message_bytes, protocol::ICMP, source, destination);
        let kind = if mtu_bytes == 0 { [11, 0] } else { [3, 4] };
        write_icmp(packet.part(IPV4_BYTES), kind, mtu_bytes);
        Some(())
    }
}

/// The address of a host's own in a set of them.
#[inline(always)]
fn of_words(words: &[u64; OWN_ADDRESS_WORDS]) -> u32 {
    let [a, b, c, d, ..] = words[0].to_ne_bytes();
    u32::from_ne_bytes([a, b, c, d])
}
