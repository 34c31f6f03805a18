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

/// The 16 bits of a flow hash that make flows differ on the backbone: the host part of the outer source, the UDP source
/// port of GUE. A part of those that the IPv6 flow label shows, none of those that pick slot or next hop.
#[inline(always)]
const fn entropy(flow_hash: u64) -> u16 {
    (flow_hash >> 8) as u16
}

/// What a flow adds to the last two bytes of the outer source, in native order, by
/// [`crate::map::BackendEntry::source_mask`] in native order too.
#[inline(always)]
pub const fn source_bits(flow_hash: u64, source_mask: u16) -> u16 {
    entropy(flow_hash).to_le() & source_mask
}

/// The UDP source port of a flow over GUE, wire order: one of the 16384 dynamic ports (RFC 6335 section 6, RFC 7510 section 3.1).
#[inline(always)]
pub const fn gue_source_port(flow_hash: u64) -> [u8; 2] {
    let [high, low] = entropy(flow_hash).to_le_bytes();
    [high | 0xc0, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_bits_stay_within_their_mask_and_reach_all_of_it() {
        for mask in [[0, 0], [0, 1], [0, 0xff], [0x0f, 0xff], [0xff, 0xff]] {
            let mask = u16::from_ne_bytes(mask);
            let seen = (0..1 << 16).fold(0, |seen, bits| seen | source_bits(bits << 8, mask));
            assert_eq!(seen, mask);
        }
    }

    #[test]
    fn gue_source_ports_are_the_dynamic_ones() {
        let mut is_used = std::vec![false; 1 << 16];
        for bits in 0..1 << 16 {
            is_used[usize::from(u16::from_be_bytes(gue_source_port(bits << 8)))] = true;
        }
        assert!(is_used.iter().enumerate().all(|(port, used)| *used == (port >= 49_152)));
    }

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
