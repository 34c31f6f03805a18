//! The gateway takes GRE and GUE as it takes IPIP.

use anycast_tests::packet::Packet;

use crate::fixture::{
    Row, gateway, outer, to,
    world::{DEFAULT_GUE_PORT, vip},
};

pub fn rows() -> Vec<Row> {
    let vips = [vip::WHOLE_V4_BY_V4, vip::WHOLE_V6_BY_V6];
    vips.into_iter().flat_map(|vip| [false, true].map(|is_v6| of(vip, is_v6))).flatten().collect()
}

/// GRE without a key around a packet.
fn gre(is_v6: bool, inner: &[u8]) -> Packet {
    let ether_type = if inner[0] >> 4 == 6 { [0x86, 0xdd] } else { [0x08, 0x00] };
    outer(is_v6).protocol(47).payload([&[0, 0], &ether_type[..], inner].concat())
}

fn gue(is_v6: bool, inner: &[u8]) -> Packet {
    outer(is_v6).udp_without_checksum(49_999, DEFAULT_GUE_PORT).payload(inner)
}

/// Wraps an inner packet, in an outer one of IPv6 or not.
type Around = fn(bool, &[u8]) -> Packet;

fn of(vip: &'static str, is_v6: bool) -> Vec<Row> {
    let inner = to(vip).udp(4321, 53).payload_len(77).build_ip();
    let header_only = to(vip).build_ip();
    let followed = [&header_only[..], &[0xbb; 9]].concat();
    let ways: [(&str, Around); 2] = [("GRE", gre), ("GUE", gue)];
    let families =
        format!("{} over {}", if vip.contains(':') { "IPv6" } else { "IPv4" }, if is_v6 { "IPv6" } else { "IPv4" });
    let rows = |(encap, around): (&str, Around)| {
        let row = |what: &str, packet: Packet, inner: &[u8]| {
            gateway(format!("{encap}, {families}: {what} is decapsulated"), packet).decapsulated(vip, inner)
        };
        vec![
            row("a datagram", around(is_v6, &inner), &inner),
            row("a packet that is nothing but its header", around(is_v6, &header_only), &header_only),
            row("a packet shorter than what holds it", around(is_v6, &followed), &header_only),
            row("a packet in a padded frame", around(is_v6, &header_only).pad_to(130), &header_only),
            row("a packet behind two tags", around(is_v6, &inner).service_vlan(9).vlan(8), &inner),
        ]
    };
    ways.into_iter().flat_map(rows).collect()
}
