//! What is finished per packet in a ready-made outer header. Everything else of it is constant, see `outer`.

use crate::checksum;

/// The checksum of an outer IPv4 header, to be stored natively (see [`checksum`]).
///
/// `checksum_base` is [`crate::map::BackendEntry::checksum_base`]: the sum over the template, in which the three
/// fields given here are 0. `total_length` is in bytes, outer header included.
#[inline(always)]
pub const fn ipv4_checksum(checksum_base: u32, total_length: u16, tos: u8, protocol: u8) -> u16 {
    // TOS and protocol are the second bytes of their words, and no word carries into itself: their sum is one addend.
    let second_bytes = u16::from_ne_bytes([0, tos]) as u32 + u16::from_ne_bytes([0, protocol]) as u32;
    checksum::finish(checksum_base + total_length.to_be() as u32 + second_bytes)
}

/// The first four bytes of an outer IPv6 header (RFC 8200 section 3): version 6, traffic class, and the low 20 bits of `flow_label`.
#[inline(always)]
pub const fn ipv6_first_word(traffic_class: u8, flow_label: u32) -> [u8; 4] {
    (6 << 28 | (traffic_class as u32) << 20 | flow_label & 0xf_ffff).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_first_word_places_each_field() {
        assert_eq!(ipv6_first_word(0, 0), [0x60, 0, 0, 0]);
        assert_eq!(ipv6_first_word(0xb9, 0xa_bcde), [0x6b, 0x9a, 0xbc, 0xde]);
        assert_eq!(ipv6_first_word(0xff, 0), [0x6f, 0xf0, 0, 0]);
    }

    #[test]
    fn ipv6_flow_label_above_20_bits_touches_no_other_field() {
        assert_eq!(ipv6_first_word(0, u32::MAX), [0x60, 0x0f, 0xff, 0xff]);
    }
}
