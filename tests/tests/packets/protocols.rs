//! A VIP without listeners takes every protocol, and does not look at it.

use anycast_tests::packet::{Packet, tcp_flags};

use crate::fixture::{
    Row, pop, to,
    world::{vip, way},
};

/// A change that gives a packet its protocol.
type Protocol = fn(Packet) -> Packet;

const EITHER_FAMILY: [(&str, Protocol); 18] = [
    ("a TCP SYN", |packet| packet.tcp_syn(4321, 80)),
    ("a TCP segment with data", |packet| packet.tcp(4321, 80).payload_len(100)),
    ("a TCP RST", |packet| packet.tcp_with(4321, 80, tcp_flags::RST)),
    ("a TCP FIN", |packet| packet.tcp_with(4321, 80, tcp_flags::FIN | tcp_flags::ACK)),
    ("a UDP datagram", |packet| packet.udp(4321, 53).payload_len(100)),
    ("a UDP datagram to port 0", |packet| packet.udp(0, 0)),
    ("SCTP", |packet| packet.sctp(4321, 36_412).payload_len(16)),
    ("an echo request", |packet| packet.icmp_echo(7, 1).payload_len(56)),
    ("an echo reply", |packet| packet.icmp_echo_reply(7, 1).payload_len(56)),
    ("ESP", |packet| packet.esp(0x1234).payload_len(40)),
    ("AH", |packet| packet.protocol(51).payload_len(24)),
    ("GRE", |packet| packet.gre(0x0800).payload_len(28)),
    ("IPv4 inside", |packet| packet.encapsulating(&to("192.0.2.200").udp(1, 2).build_ip())),
    ("IPv6 inside", |packet| packet.encapsulating(&to("2001:db8::200").udp(1, 2).build_ip())),
    ("OSPF", |packet| packet.protocol(89).payload_len(24)),
    ("an experimental protocol", |packet| packet.protocol(253).payload_len(1)),
    ("protocol 255", |packet| packet.protocol(255).payload_len(8)),
    ("no next header", |packet| packet.protocol(59).payload_len(8)),
];

/// Where a header is cut short, its port is not needed.
const TRUNCATED: [(&str, Protocol); 4] = [
    ("10 bytes of TCP", |packet| packet.protocol(6).payload_len(10)),
    ("3 bytes of UDP", |packet| packet.protocol(17).payload_len(3)),
    ("no byte of SCTP", |packet| packet.protocol(132)),
    ("a UDP header that claims 65535 bytes", |packet| packet.protocol(17).payload([0, 1, 0, 2, 0xff, 0xff, 0, 0])),
];

pub fn rows() -> Vec<Row> {
    let of_family = |(family, vip, way)| {
        EITHER_FAMILY
            .iter()
            .chain(&TRUNCATED)
            .map(move |(what, protocol)| {
                pop(format!("{family}: {what} to a VIP without listeners is forwarded"), protocol(to(vip)))
                    .forwarded(vip, way)
            })
            .collect::<Vec<Row>>()
    };
    let families = [("IPv4", vip::WHOLE_V4_BY_V6, way::V6), ("IPv6", vip::WHOLE_V6_BY_V6, way::V6)];
    families.into_iter().flat_map(of_family).chain(one_family()).collect()
}

fn one_family() -> Vec<Row> {
    let (v4, v6) = (vip::WHOLE_V4_BY_V6, vip::WHOLE_V6_BY_V6);
    vec![
        pop("a UDP datagram without checksum is forwarded", to(v4).udp_without_checksum(1, 2)).forwarded(v4, way::V6),
        pop("IPv4: protocol 0 is a protocol, not hop-by-hop options", to(v4).protocol(0).payload_len(3))
            .forwarded(v4, way::V6),
        pop("IPv4: protocol 44 is a protocol, not a fragment header", to(v4).protocol(44).payload_len(3))
            .forwarded(v4, way::V6),
        pop("IPv4: IGMP to a VIP without listeners is forwarded", to(v4).protocol(2).payload_len(8))
            .forwarded(v4, way::V6),
        pop("ICMPv6 over IPv4 is a protocol like any other", to(v4).protocol(58).payload([1, 0, 0, 0]))
            .forwarded(v4, way::V6),
        pop("ICMP over IPv6 is a protocol like any other", to(v6).protocol(1).payload([3, 3, 0, 0]))
            .forwarded(v6, way::V6),
        pop(
            "IPv4: 4 bytes of an echo request to a VIP without listeners are forwarded",
            to(v4).protocol(1).payload([8, 0, 0, 0]),
        )
        .forwarded(v4, way::V6),
        pop(
            "IPv6: 4 bytes of an echo request to a VIP without listeners are forwarded",
            to(v6).protocol(58).payload([128, 0, 0, 0]),
        )
        .forwarded(v6, way::V6),
        pop("IPv4: no byte of ICMP, so no error, to a VIP without listeners is forwarded", to(v4).protocol(1))
            .forwarded(v4, way::V6),
        pop("IPv6: no byte of ICMPv6, so no error, to a VIP without listeners is forwarded", to(v6).protocol(58))
            .forwarded(v6, way::V6),
        pop("IPv6: a neighbour solicitation is no error, and forwarded", to(v6).icmp(135, 0, [0; 4]).payload_len(16))
            .forwarded(v6, way::V6),
    ]
}
