//! IPv4 headers that lie: step 2 of docs/datapath.md. What fails it is counted with all bytes behind the tags.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::Packet;

use crate::fixture::{
    Hashed, Row, pop, to,
    world::{vip, way},
};

const VIP: &str = vip::WHOLE_V4_BY_V4;

pub fn rows() -> Vec<Row> {
    let mut rows = version();
    rows.extend(header_length());
    rows.extend(total_length());
    rows.extend(order());
    rows
}

fn dropped(name: impl Into<String>, packet: Packet, reason: Outcome) -> Row {
    pop(name, packet).dropped(VIP, reason)
}

fn version() -> Vec<Row> {
    let of = |version| {
        dropped(format!("IPv4: version {version} is wrong"), to(VIP).version(version).udp(1, 2), Outcome::IpVersion)
    };
    [0, 3, 5, 6, 15].map(of).into()
}

fn header_length() -> Vec<Row> {
    let of = |ihl| {
        dropped(
            format!("a header length of {ihl} words is too short"),
            to(VIP).ihl(ihl).udp(1, 2),
            Outcome::Ipv4HeaderLength,
        )
    };
    let mut rows: Vec<Row> = [0, 1, 4].map(of).into();
    rows.extend([
        dropped(
            "a header of 60 bytes in a frame of 59 runs beyond it",
            to(VIP).ihl(15).protocol(17).payload_len(39),
            Outcome::Ipv4HeaderLength,
        ),
        dropped("a header of 24 bytes in a frame of 20 runs beyond it", to(VIP).ihl(6), Outcome::Ipv4HeaderLength),
        dropped(
            "a header cut by the end of the frame",
            to(VIP).options(&[1; 40]).udp(1, 2).truncate_ip(40),
            Outcome::Ipv4HeaderLength,
        ),
        pop("a header of 60 bytes that is all of its packet is forwarded", to(VIP).options(&[1; 40]))
            .forwarded(VIP, way::V4),
    ]);
    rows
}

fn total_length() -> Vec<Row> {
    let of = |name: &str, packet: Packet| {
        dropped(format!("a total length {name} is dropped"), packet, Outcome::Ipv4TotalLength)
    };
    vec![
        of("of 0", to(VIP).total_length(0).udp(1, 2)),
        of("of 19, below the header's", to(VIP).total_length(19).udp(1, 2)),
        of("of 23 with a header of 24", to(VIP).options(&[1; 4]).total_length(23).udp(1, 2)),
        of("one byte beyond the frame", to(VIP).total_length(29).udp(1, 2)),
        of("of 65535 in a frame of 28", to(VIP).total_length(65_535).udp(1, 2)),
        of("of 1500 in a frame that was cut by one byte", to(VIP).udp(1, 2).payload_len(1472).truncate_ip(1499)),
        of("of 60 in a frame cut behind its IP header", to(VIP).udp(1, 2).payload_len(32).truncate_ip(20)),
        of("with its bytes swapped", to(VIP).total_length(28 << 8).udp(1, 2)),
        pop("a total length of 20 makes what follows padding", to(VIP).total_length(20).udp(1, 2))
            .forwarded(VIP, way::V4),
        pop("a total length that is the frame's is forwarded", to(VIP).total_length(28).udp(1, 2))
            .forwarded(VIP, way::V4),
        pop(
            "a total length that ends inside the UDP header truncates it",
            to(vip::LISTENING_V4).total_length(27).udp(1, 53),
        )
        .counted_as(27)
        .dropped(vip::LISTENING_V4, Outcome::L4Truncated),
        pop(
            "a total length that cuts the payload off is the packet's",
            to(vip::LISTENING_V4).total_length(28).udp(1, 53).payload_len(100),
        )
        .forwarded(vip::LISTENING_V4, way::V6)
        .hashed(Hashed::Flow(17, 1, 53)),
    ]
}

fn order() -> Vec<Row> {
    vec![
        dropped(
            "a wrong version is told before a wrong header length",
            to(VIP).version(6).ihl(4).total_length(0).ttl(0),
            Outcome::IpVersion,
        ),
        dropped(
            "a wrong header length is told before a wrong total length",
            to(VIP).ihl(4).total_length(0).ttl(0),
            Outcome::Ipv4HeaderLength,
        ),
        dropped(
            "a wrong total length is told before a TTL that is used up",
            to(VIP).total_length(0).ttl(0),
            Outcome::Ipv4TotalLength,
        ),
    ]
}
