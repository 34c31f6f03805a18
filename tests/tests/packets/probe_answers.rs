//! On a PoP: answers to its own probes come out of their tunnels for the host's stack, if those of clients would go on.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::Packet;

use crate::{
    fixture::{
        Row, Way, backbone,
        world::{OWN, TUNNELS},
    },
    returns_at_backbone::around,
};

pub fn rows() -> Vec<Row> {
    let tunnels = TUNNELS[..8].iter().flat_map(|(vips, way)| (0..2).map(move |family| (vips[family], *way, family)));
    let rows: Vec<_> = tunnels.flat_map(|(vip, way, family)| of_tunnel(vip, &way, family)).collect();
    let one_arm = rows.clone().into_iter().map(Row::on_one_arm);
    one_arm.chain(rows.clone()).collect()
}

fn of_tunnel(vip: &'static str, way: &Way, family: usize) -> Vec<Row> {
    let kind = if family == 0 { "IPv4" } else { "IPv6" };
    let over = if way.is_v6() { 6 } else { 4 };
    let from_vip = || Packet::from_to(vip, OWN[family]);
    let datagram = from_vip().udp(53, 4321).payload_len(77).build_ip();
    let capable = |octet: u8| from_vip().dscp_ecn(octet).tcp(80, 4321).build_ip();
    let row = |what: &str, packet: Packet| {
        backbone(format!("answer to a probe, {kind} in {:?} over IPv{over}: {what}", way.encap), packet)
    };
    let short = from_vip().ttl(1).udp(1, 2).build_ip();
    let stranger = Way { backend: if way.is_v6() { "fd00:4::99" } else { "10.4.0.99" }, ..*way };
    let plain = capable(0);
    vec![
        row("it goes to the stack", around(way, &datagram)).answers_probe(&datagram),
        row("tags come off", around(way, &datagram).service_vlan(9).vlan(8)).answers_probe(&datagram),
        row("it is marked as its tunnel is", around(way, &capable(2)).dscp_ecn(3)).answers_probe(&capable(3)),
        row("a mark that it cannot carry", around(way, &plain).dscp_ecn(3))
            .counted_as(plain.len())
            .not_returned(vip, Outcome::EcnNotCapable),
        row("a TTL of 1", around(way, &short)).counted_as(short.len()).not_returned(vip, Outcome::TtlExpired),
        row("by an unknown gateway", around(&stranger, &datagram))
            .counted_as(datagram.len())
            .not_returned(vip, Outcome::NotReturner),
    ]
}
