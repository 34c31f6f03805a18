//! What a router does to a packet, computed the long way.

use etherparse::Ipv4Header;

/// The IP packet with TTL or hop limit one less and, in IPv4, the header checksum summed anew. Panics if `packet` does
/// not begin with a whole IP header.
pub fn ttl_decremented(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if packet[0] >> 4 == 6 {
        packet[7] -= 1;
        return packet;
    }
    packet[8] -= 1;
    let (header, _) = Ipv4Header::from_slice(&packet).expect("an IPv4 header");
    let checksum = header.calc_header_checksum();
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet
}
