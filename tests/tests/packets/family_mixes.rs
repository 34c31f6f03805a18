//! Every inner family over every outer family, by both ways out, from the shortest frame to the longest.

use anycast_tests::packet::Packet;

use crate::fixture::{
    Row, Way, pop, to,
    world::{interface, vip, way},
};

/// A VIP of each mix and its way.
const MIXES: [(&str, &str, Way); 4] = [
    ("4in4", vip::WHOLE_V4_BY_V4, way::V4),
    ("4in6", vip::WHOLE_V4_BY_V6, way::V6),
    ("6in4", vip::WHOLE_V6_BY_V4, way::V4),
    ("6in6", vip::WHOLE_V6_BY_V6, way::V6),
];

pub fn rows() -> Vec<Row> {
    MIXES.into_iter().flat_map(|(mix, vip, way)| of_mix(mix, vip, way)).chain(others()).collect()
}

fn of_mix(mix: &str, vip: &'static str, way: Way) -> Vec<Row> {
    let header_bytes = if vip.contains(':') { 40 } else { 20 };
    vec![
        pop(
            format!("{mix}: a datagram from the access interface is redirected"),
            to(vip).udp(4321, 53).payload_len(64),
        )
        .forwarded(vip, way),
        pop(format!("{mix}: one from the interface that it leaves by is transmitted"), to(vip).udp(4321, 53))
            .by(interface::BACKBONE)
            .forwarded(vip, way),
        pop(format!("{mix}: a packet that is nothing but its header is forwarded"), to(vip)).forwarded(vip, way),
        pop(
            format!("{mix}: padding of a frame of 60 bytes is not part of the packet, and stays behind it"),
            to(vip).payload_len(3).pad_to(60),
        )
        .counted_as(header_bytes + 3)
        .forwarded(vip, way),
        pop(
            format!("{mix}: a frame of 1514 bytes is forwarded whole"),
            to(vip).tcp(4321, 80).payload_len(1500 - header_bytes - 20),
        )
        .forwarded(vip, way),
    ]
}

fn others() -> Vec<Row> {
    let (v4, other) = (vip::WHOLE_V4_BY_V4, vip::WHOLE_V4_BY_V6);
    vec![
        pop("a long frame around a short packet keeps its padding", to(v4).udp(1, 2).pad_to(1514))
            .counted_as(28)
            .forwarded(v4, way::V4),
        pop("a packet from one VIP to another is forwarded", Packet::from_to(other, v4).udp(53, 53))
            .forwarded(v4, way::V4),
        pop("the MAC addresses of the frame that came in do not matter", to(v4).udp(1, 2).ethernet([0xfe; 6], [0; 6]))
            .forwarded(v4, way::V4),
    ]
}
