//! IPv6 headers that lie: step 2 of docs/datapath.md.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::Packet;

use crate::fixture::{
    Hashed, Row, pop, to,
    world::{vip, way},
};

const VIP: &str = vip::WHOLE_V6_BY_V6;
const LISTENING: &str = vip::LISTENING_V6;

pub fn rows() -> Vec<Row> {
    let mut rows = version();
    rows.extend(payload_length());
    rows.extend(jumbograms());
    rows
}

fn dropped(name: impl Into<String>, packet: Packet, reason: Outcome) -> Row {
    pop(name, packet).dropped(VIP, reason)
}

fn version() -> Vec<Row> {
    let of = |version| {
        dropped(format!("IPv6: version {version} is wrong"), to(VIP).version(version).udp(1, 2), Outcome::IpVersion)
    };
    let first = dropped(
        "IPv6: a wrong version is told before a wrong length",
        to(VIP).version(4).payload_length(65_535).ttl(0),
        Outcome::IpVersion,
    );
    [0, 4, 5, 7, 15].map(of).into_iter().chain([first]).collect()
}

fn payload_length() -> Vec<Row> {
    let of = |name: &str, packet: Packet| {
        dropped(format!("a payload length {name} is dropped"), packet, Outcome::Ipv6PayloadLength)
    };
    vec![
        of("one byte beyond the frame", to(VIP).payload_length(9).udp(1, 2)),
        of("of 1 in a frame of 40", to(VIP).payload_length(1).protocol(59)),
        of("of 65535 in a frame of 48", to(VIP).payload_length(65_535).udp(1, 2)),
        of("of 65496, which wraps 16 bits with the header", to(VIP).payload_length(65_496).udp(1, 2)),
        of("of 1460 in a frame cut by one byte", to(VIP).udp(1, 2).payload_len(1452).truncate_ip(1499)),
        of("of 8 in a frame cut behind its IP header", to(VIP).udp(1, 2).truncate_ip(40)),
        dropped(
            "a payload length beyond the frame is told before a hop limit that is used up",
            to(VIP).payload_length(9).ttl(0).udp(1, 2),
            Outcome::Ipv6PayloadLength,
        ),
        dropped(
            "a payload length beyond the frame is told before a broken chain",
            to(VIP).payload_length(1).protocol(60),
            Outcome::Ipv6PayloadLength,
        ),
        pop("a payload length that is the frame's is forwarded", to(VIP).payload_length(8).udp(1, 2))
            .forwarded(VIP, way::V6),
        pop(
            "a payload length that cuts the payload off is the packet's",
            to(LISTENING).payload_length(8).udp(1, 53).payload_len(100),
        )
        .forwarded(LISTENING, way::V6)
        .hashed(Hashed::Flow(17, 1, 53)),
        pop(
            "a payload length that ends inside the UDP header truncates it",
            to(LISTENING).payload_length(7).udp(1, 53),
        )
        .counted_as(47)
        .dropped(LISTENING, Outcome::L4Truncated),
    ]
}

fn jumbograms() -> Vec<Row> {
    vec![
        pop(
            "a payload length of 0 makes a packet of 40 bytes, and the rest padding",
            to(VIP).payload_length(0).udp(1, 2).payload_len(30),
        )
        .forwarded(VIP, way::V6),
        pop("a payload length of 0 leaves no byte for a UDP header", to(LISTENING).payload_length(0).udp(1, 53))
            .counted_as(40)
            .dropped(LISTENING, Outcome::L4Truncated),
        pop("a jumbogram has no room for its option", {
            // RFC 2675: option 194 of 4 bytes with the true length.
            to(VIP).payload_length(0).raw_extension(0, &[0, 194, 4, 0, 1, 0, 0]).udp(1, 2)
        })
        .counted_as(40)
        .dropped(VIP, Outcome::Ipv6ExtensionHeaders),
    ]
}
