//! The inner IPv4 header checksum is updated, never computed anew (RFC 1624).

use anycast_tests::packet::Packet;

use crate::fixture::{
    Row, pop, to,
    world::{vip, way},
};

const VIP: &str = vip::WHOLE_V4_BY_V4;

pub fn rows() -> Vec<Row> {
    vec![
        pop("a header with options is summed whole", to(VIP).options(&[148, 4, 0, 0]).udp(1, 2))
            .forwarded(VIP, way::V4),
        pop("a header of 60 bytes is summed whole", to(VIP).options(&[1; 40]).udp(1, 2)).forwarded(VIP, way::V4),
        pop("a header checksum of 0xfeff becomes 0x0000, not 0xffff", with_checksum(0xfeff)).forwarded(VIP, way::V4),
        pop("a header checksum of 0xff00 carries around its end", with_checksum(0xff00)).forwarded(VIP, way::V4),
        pop("a header checksum of 0x0000 becomes 0x0100", with_checksum(0x0000)).forwarded(VIP, way::V4),
        pop("a wrong header checksum stays wrong by as much", to(VIP).udp(1, 2).corrupt_ip_checksum())
            .forwarded(VIP, way::V4)
            .with_inner(wrong_by_as_much(to(VIP).udp(1, 2).corrupt_ip_checksum().build_ip())),
        pop("a wrong UDP checksum is none of the program's business", to(VIP).udp(1, 2).raw_ip(|ip| ip[26] ^= 0xff))
            .forwarded(VIP, way::V4),
    ]
}

/// A datagram whose ID makes its header checksum this.
fn with_checksum(checksum: u16) -> Packet {
    let with_id = |id| to(VIP).id(id).udp(1, 2);
    let has_it = |id: &u16| with_id(*id).build_ip()[10..12] == checksum.to_be_bytes();
    with_id((0..=u16::MAX).find(has_it).expect("an ID for every checksum but one"))
}

/// TTL one less, and its octet's place in the checksum one more.
fn wrong_by_as_much(mut packet: Vec<u8>) -> Vec<u8> {
    packet[8] -= 1;
    packet[10] = packet[10].checked_add(1).expect("a checksum without a carry");
    packet
}
