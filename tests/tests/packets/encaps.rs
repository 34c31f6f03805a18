//! Every encap over either outer family around either inner family, from as many sources as the prefix holds.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::Packet;

use crate::fixture::{Row, Way, pop, to, world::TUNNELS};

pub fn rows() -> Vec<Row> {
    let by_vip = |(vips, way): ([&'static str; 2], Way)| vips.map(|vip| (vip, way));
    TUNNELS.into_iter().flat_map(by_vip).flat_map(|(vip, way)| of(vip, way)).chain(sources()).collect()
}

fn of(vip: &'static str, way: Way) -> Vec<Row> {
    let family = |is_v6| if is_v6 { "IPv6" } else { "IPv4" };
    let tag = if way.tag.is_some() { ", tagged" } else { "" };
    let what = format!("{} in {} over {}{tag}", family(vip.contains(':')), way.encap, family(way.is_v6()));
    let header_bytes = if vip.contains(':') { 40 } else { 20 };
    let fits = 1600 - way.encap.overhead_bytes(way.backend.parse().expect("an address"));
    vec![
        pop(format!("{what}: a datagram"), to(vip).udp(4321, 53).payload_len(64)).forwarded(vip, way),
        pop(
            format!("{what}: a datagram of an odd length behind two tags"),
            to(vip).vlan(3).vlan(4).udp(1, 2).payload_len(7),
        )
        .forwarded(vip, way),
        pop(format!("{what}: by the interface that it leaves by"), to(vip).tcp(1, 80))
            .by(way.egress)
            .forwarded(vip, way),
        pop(format!("{what}: nothing but a header, in a padded frame"), to(vip).pad_to(90))
            .counted_as(header_bytes)
            .forwarded(vip, way),
        pop(format!("{what}: DSCP and ECN"), to(vip).dscp_ecn(0xb9).udp(1, 2)).forwarded(vip, way).marked(0xb9),
        pop(format!("{what}: the longest that fits"), to(vip).payload_len(fits - header_bytes)).forwarded(vip, way),
        pop(format!("{what}: one byte longer than fits"), to(vip).payload_len(fits - header_bytes + 1))
            .dropped(vip, Outcome::TooBig),
    ]
}

/// Flows of many clients: each has its source, its UDP port and its flow label.
fn sources() -> impl Iterator<Item = Row> {
    let ways = TUNNELS.into_iter().take(8);
    ways.flat_map(|([vip, _], way)| {
        (1..9).map(move |client| {
            let from = format!("198.51.100.{client}");
            pop(format!("{from} to {vip}: the flow's own source"), Packet::from_to(&from, vip).udp(1, 2))
                .forwarded(vip, way)
        })
    })
}
