//! With listeners, the minimum header of TCP, UDP, SCTP and ICMP must lie within the packet. Padding does not count.

use anycast_common::outcome::Outcome;

use crate::fixture::{
    Hashed, Row, pop, to,
    world::{vip, way},
};

/// Protocol, name, minimum header, its first bytes, and what is hashed.
type Header = (u8, &'static str, usize, &'static [u8], Hashed);

pub fn rows() -> Vec<Row> {
    let v4 = [
        (6, "TCP", 20, &[0, 9, 0, 80][..], Hashed::Flow(6, 9, 80)),
        (17, "UDP", 8, &[0, 9, 0, 53], Hashed::Flow(17, 9, 53)),
        (132, "SCTP", 12, &[0, 9, 0x8e, 0x3c], Hashed::Flow(132, 9, 36_412)),
        (1, "ICMP", 8, &[8, 0], Hashed::Protocol(1)),
    ];
    let v6 =
        v4.map(|header| if header.0 == 1 { (58, "ICMPv6", 8, &[128, 0][..], Hashed::Protocol(58)) } else { header });
    let of_family = |vip, headers: [Header; 4]| headers.into_iter().flat_map(move |header| around_minimum(vip, header));
    let (listening_v4, listening_v6) = (vip::LISTENING_V4, vip::LISTENING_V6);
    of_family(listening_v4, v4).chain(of_family(listening_v6, v6)).chain(order()).collect()
}

fn around_minimum(vip: &'static str, (protocol, name, minimum, begin, hashed): Header) -> [Row; 4] {
    let family = if vip.contains(':') { "IPv6" } else { "IPv4" };
    let ip_bytes = if vip.contains(':') { 40 } else { 20 };
    let first = move |bytes: usize| {
        let mut header = begin.to_vec();
        header.resize(bytes, 0);
        to(vip).protocol(protocol).payload(header)
    };
    [
        pop(format!("{family}: {minimum} bytes of {name} are a header"), first(minimum))
            .forwarded(vip, way::V6)
            .hashed(hashed),
        pop(format!("{family}: {} bytes of {name} are truncated", minimum - 1), first(minimum - 1))
            .dropped(vip, Outcome::L4Truncated),
        pop(format!("{family}: padding does not complete {name}"), first(minimum - 1).pad_to(120))
            .counted_as(ip_bytes + minimum - 1)
            .dropped(vip, Outcome::L4Truncated),
        pop(format!("{family}: no byte of {name} is truncated"), to(vip).protocol(protocol))
            .dropped(vip, Outcome::L4Truncated),
    ]
}

fn order() -> Vec<Row> {
    let v4 = vip::LISTENING_V4;
    vec![
        pop(
            "truncated TCP is told before a port that no listener has",
            to(v4).protocol(6).payload([0, 9, 0, 9, 0, 0, 0, 0]),
        )
        .dropped(v4, Outcome::L4Truncated),
        pop(
            "truncated UDP is told before a protocol that no listener takes",
            to(vip::TCP_V4).protocol(17).payload([0; 4]),
        )
        .dropped(vip::TCP_V4, Outcome::L4Truncated),
        pop(
            "truncated ICMP is told before a protocol that no listener takes",
            to(vip::TCP_V4).protocol(1).payload([8; 4]),
        )
        .dropped(vip::TCP_V4, Outcome::L4Truncated),
        pop("IPv4 options are not taken for the transport header", to(v4).options(&[1; 20]).udp(9, 53))
            .forwarded(v4, way::V6)
            .hashed(Hashed::Flow(17, 9, 53)),
    ]
}
