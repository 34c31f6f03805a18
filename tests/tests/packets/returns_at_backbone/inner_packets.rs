//! What is in the tunnel is not what it says, or not for here.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::{Packet, ttl_decremented};

use super::{FLOW_HASH, around, client, returned, ways};
use crate::fixture::{
    Row, backbone,
    world::{address, interface},
};

/// Of the VIP of this family.
pub fn rows(family: usize) -> Vec<Row> {
    let (vips, way) = ways()[0];
    let (_, way_v6) = ways()[1];
    let vip = vips[family];
    let kind = if family == 0 { "IPv4" } else { "IPv6" };
    let from_vip = || Packet::from_to(vip, client::ACCESS[family]);
    let row = |what: &str, packet: Packet| backbone(format!("backbone, {kind} inside: {what}"), packet);
    let length = if family == 0 { Outcome::Ipv4TotalLength } else { Outcome::Ipv6PayloadLength };
    let beyond =
        if family == 0 { from_vip().udp(1, 2).total_length(99) } else { from_vip().udp(1, 2).payload_length(99) };
    let to_pop = [way, way_v6][family].source_of(FLOW_HASH);
    let nested = Packet::between(address(vip), to_pop).udp(1, 2).build_ip();
    let short = from_vip().build_ip()[..19].to_vec();
    let shorter = [from_vip().build_ip(), vec![0xbb; 9]].concat();
    vec![
        row("too short for a header", around(&way, &short)).refused(length),
        row("a length beyond the outer packet", around(&way, &beyond.build_ip())).refused(length),
        row("another version", around(&way, &from_vip().version(5).build_ip()).protocol_octet([4, 41][family]))
            .refused(Outcome::IpVersion),
        row("for a tunnel source", around(&way, &nested)).counted_as(nested.len()).refused(Outcome::NestedTunnel),
        returned(
            row("shorter than what holds it", around(&way, &shorter)),
            vip,
            &ttl_decremented(&from_vip().build_ip()),
            interface::ACCESS.ifindex,
            &[0xbb; 9],
        ),
    ]
}
