//! Every encap over either outer family around either inner family, from as many sources as the prefix holds.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::{IcmpError, Packet};

use crate::fixture::{
    Row, Way, pop, to,
    world::{CLIENT_V4, CLIENT_V6, TUNNELS},
};

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
        too_big(&what, vip, fits),
    ]
}

/// The sender of a packet that is one byte too long is told the MTU that this encap leaves.
fn too_big(what: &str, vip: &'static str, fits: usize) -> Row {
    let (client, header_bytes, quote_bytes) =
        if vip.contains(':') { (CLIENT_V6, 40, 1232) } else { (CLIENT_V4, 20, 548) };
    let packet = || to(vip).df().payload_len(fits - header_bytes + 1);
    let quote = &packet().build_ip()[..quote_bytes];
    let answer = Packet::from_to(vip, client).as_error().icmp_error(IcmpError::TooBig(fits as u16), quote).build_ip();
    pop(format!("{what}: one byte longer than fits"), packet()).answered(vip, Outcome::TooBigAnswered, answer)
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
