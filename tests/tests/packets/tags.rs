//! Tags of the access side are removed; the tag of the egress link, if it has one, is put on.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::Packet;

use crate::fixture::{
    Row, Way, pop, to,
    world::{interface, vip, way},
};

/// A change that gives a packet its tags.
type Tags = fn(Packet) -> Packet;

/// Tags that come in.
const INGRESS: [(&str, Tags); 6] = [
    ("untagged", |packet| packet),
    ("one 802.1Q tag", |packet| packet.vlan(100)),
    ("one 802.1Q tag with priority and drop eligibility", |packet| packet.tag(0x8100, 0xf064)),
    ("a priority tag of VLAN 0", |packet| packet.tag(0x8100, 0xe000)),
    ("one 802.1ad tag", |packet| packet.service_vlan(200)),
    ("an 802.1ad and an 802.1Q tag", |packet| packet.service_vlan(200).vlan(100)),
];

pub fn rows() -> Vec<Row> {
    let egress = [
        ("untagged", vip::WHOLE_V4_BY_V4, way::V4),
        ("untagged", vip::WHOLE_V6_BY_V6, way::V6),
        ("tagged", vip::TAGGED_V4, way::TAGGED_V4),
        ("tagged", vip::TAGGED_V6, way::TAGGED_V6),
    ];
    let mut rows: Vec<Row> = egress.into_iter().flat_map(|(out, vip, way)| through(out, vip, way)).collect();
    rows.extend(dropped());
    rows.extend(passed());
    rows
}

fn through(out: &str, vip: &'static str, way: Way) -> Vec<Row> {
    let family = if vip.contains(':') { "IPv6" } else { "IPv4" };
    let redirected = INGRESS.map(|(what, tags)| {
        pop(format!("{family}: {what} in, {out} out, redirected"), tags(to(vip)).udp(1, 2).payload_len(33))
            .forwarded(vip, way)
    });
    let transmitted = pop(
        format!("{family}: two 802.1Q tags in, {out} out, transmitted"),
        to(vip).vlan(1).vlan(4094).udp(1, 2).pad_to(100),
    )
    .by(way.egress)
    .counted_as(if family == "IPv6" { 48 } else { 28 })
    .forwarded(vip, way);
    redirected.into_iter().chain([transmitted]).collect()
}

fn dropped() -> Vec<Row> {
    let vip = vip::WHOLE_V4_BY_V4;
    vec![
        pop(
            "a tagged packet that is dropped is counted without its tag",
            Packet::from_to("127.0.0.1", vip).vlan(5).udp(1, 2),
        )
        .counted_as(28)
        .dropped(vip, Outcome::MartianSource),
        pop(
            "a tagged frame that lies about its length is counted without its tags",
            to(vip).service_vlan(6).vlan(5).total_length(1000).udp(1, 2),
        )
        .counted_as(28)
        .dropped(vip, Outcome::Ipv4TotalLength),
    ]
}

fn passed() -> Vec<Row> {
    let vip = vip::WHOLE_V4_BY_V4;
    let passed = |name, packet| pop(name, packet).passed(Outcome::NotVip);
    vec![
        passed("a third tag is not looked behind", to(vip).vlan(1).vlan(2).vlan(3).udp(1, 2)).counted_as(4 + 28),
        passed("a TPID of 0x9100 is no tag", to(vip).tag(0x9100, 5).udp(1, 2)).counted_as(4 + 28),
        passed("ARP behind a tag is passed", to(vip).vlan(5).ether_type(0x0806).udp(1, 2)).counted_as(28),
        passed("a frame that ends inside its tag is passed", to(vip).vlan(5).udp(1, 2).truncate(16)).counted_as(2),
        passed("a frame that ends inside its second tag is passed", to(vip).vlan(5).vlan(6).udp(1, 2).truncate(21))
            .counted_as(3),
        passed("a frame that ends behind its tag is passed", to(vip).vlan(5).udp(1, 2).truncate(18)).counted_as(0),
        passed("a tagged packet for no VIP is passed", to("192.0.2.250").vlan(5).udp(1, 2))
            .counted_as(28)
            .by(interface::TAGGED),
    ]
}
