//! What no router forwards: frames to groups, and packets from where no host is.

use anycast_common::outcome::Outcome::{Ipv4TotalLength, LinkGroup, MartianSource, NotVip};
use anycast_tests::packet::{DEFAULT_SOURCE_MAC, Packet};

use crate::fixture::{
    Row, pop, to,
    world::{vip, way},
};

const MARTIANS: [&str; 19] = [
    "0.0.0.0",
    "0.1.2.3",
    "0.255.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "ff00::",
    "ff02::1",
    "ff0e::1:2:3",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "::ffff:0.0.0.0",
    "::ffff:198.51.100.7",
    "::ffff:127.0.0.1",
    "::ffff:255.255.255.255",
];

/// Beside the edges of those.
const HOSTS: [&str; 15] = [
    "1.0.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "223.255.255.255",
    "10.0.0.1",
    "169.254.0.1",
    "192.0.2.2",
    "::2",
    "::1:0:0",
    "::fffe:1.2.3.4",
    "0:0:0:1::1",
    "1::",
    "feff::1",
    "fe80::1",
    "2001:db8:1::1",
];

pub fn rows() -> Vec<Row> {
    let vip_of = |source: &str| if source.contains(':') { vip::WHOLE_V6_BY_V6 } else { vip::WHOLE_V4_BY_V4 };
    let way_of = |source: &str| if source.contains(':') { way::V6 } else { way::V4 };
    let from = |source| Packet::from_to(source, vip_of(source)).udp(1, 2);
    let martians = MARTIANS.map(|source| {
        pop(format!("a packet from {source} is dropped"), from(source)).dropped(vip_of(source), MartianSource)
    });
    let hosts = HOSTS.map(|source| {
        pop(format!("a packet from {source} is forwarded"), from(source)).forwarded(vip_of(source), way_of(source))
    });
    martians.into_iter().chain(hosts).chain(of_both_families()).chain(order()).collect()
}

fn of_both_families() -> Vec<Row> {
    let vips = [(vip::WHOLE_V4_BY_V4, vip::TAGGED_V4, way::V4), (vip::WHOLE_V6_BY_V6, vip::TAGGED_V6, way::V6)];
    let of_family = |(vip, other, way)| {
        let to_group = |mac: [u8; 6]| to(vip).ethernet(mac, DEFAULT_SOURCE_MAC).udp(1, 2);
        [
            pop(
                format!("{vip}: a packet from the VIP to itself is dropped"),
                Packet::from_to(vip, vip).tcp_syn(80, 80),
            )
            .dropped(vip, MartianSource),
            pop(format!("{vip}: a packet from another VIP is forwarded"), Packet::from_to(other, vip).udp(1, 2))
                .forwarded(vip, way),
            pop(format!("{vip}: a broadcast frame is dropped"), to_group([0xff; 6])).dropped(vip, LinkGroup),
            pop(format!("{vip}: a multicast frame is dropped"), to_group([0x01, 0, 0x5e, 0, 0, 1]))
                .dropped(vip, LinkGroup),
            pop(format!("{vip}: a tagged broadcast frame is dropped"), to_group([0xff; 6]).vlan(7))
                .dropped(vip, LinkGroup),
            pop(
                format!("{vip}: a frame to any one address is forwarded"),
                to_group([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff]),
            )
            .forwarded(vip, way),
        ]
    };
    vips.into_iter().flat_map(of_family).collect()
}

fn order() -> Vec<Row> {
    let vip = vip::WHOLE_V4_BY_V4;
    let broadcast = |packet: Packet| packet.ethernet([0xff; 6], DEFAULT_SOURCE_MAC);
    vec![
        pop("a broadcast frame for no VIP is passed", broadcast(to("192.0.2.251").udp(1, 2))).passed(NotVip),
        pop("a packet from nowhere for no VIP is passed", Packet::from_to("127.0.0.1", "192.0.2.251").udp(1, 2))
            .passed(NotVip),
        pop("a length that lies is told before a broadcast frame", broadcast(to(vip).udp(1, 2).total_length(2000)))
            .dropped(vip, Ipv4TotalLength),
        pop("a broadcast frame is told before a source", broadcast(Packet::from_to("127.0.0.1", vip).udp(1, 2)))
            .dropped(vip, LinkGroup),
        pop(
            "a source is told before a TTL that is used up, and not answered",
            Packet::from_to("127.0.0.1", vip).ttl(1).udp(1, 2),
        )
        .dropped(vip, MartianSource),
        pop("a broadcast frame is not answered", broadcast(to(vip::ANSWERED_V4).icmp_echo(1, 2)))
            .dropped(vip::ANSWERED_V4, LinkGroup),
    ]
}
