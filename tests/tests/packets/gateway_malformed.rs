//! Tunnel packets whose outer or inner header is wrong.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::Packet;

use crate::fixture::{
    Row, gateway, outer, to,
    world::{GATEWAY_V4, vip},
};

const VIP_V4: &str = vip::WHOLE_V4_BY_V4;
const VIP_V6: &str = vip::WHOLE_V6_BY_V6;

pub fn rows() -> Vec<Row> {
    let mut rows = outer_v4();
    rows.extend(outer_v6());
    rows.extend(order());
    rows.extend(inner_v4());
    rows.extend(inner_v6());
    rows
}

/// 28 bytes.
fn datagram() -> Vec<u8> {
    to(VIP_V4).udp(1, 2).build_ip()
}

fn around(is_v6: bool) -> Packet {
    outer(is_v6).encapsulating(&datagram())
}

fn outer_v4() -> Vec<Row> {
    let header =
        |name: &str, packet: Packet| gateway(format!("{name} is refused"), packet).refused(Outcome::OuterHeader);
    let fragment =
        |name: &str, packet: Packet| gateway(format!("{name} is refused"), packet).refused(Outcome::OuterFragment);
    vec![
        header("outer IPv4: version 6", around(false).version(6)),
        header("outer IPv4: version 0", around(false).version(0)),
        header("outer IPv4: options", around(false).options(&[1; 4])),
        header("outer IPv4: a header length of 4 words", around(false).ihl(4)),
        header("outer IPv4: a header length of 6 words without options", around(false).ihl(6)),
        header("outer IPv4: a header length beyond the frame", outer(false).encapsulating(&[0x45]).ihl(15)),
        header("outer IPv4: a total length beyond the frame", around(false).total_length(49)),
        header("outer IPv4: a total length below its header", around(false).total_length(19)),
        header("outer IPv4: a total length of 0", around(false).total_length(0)),
        header("outer IPv4: a frame that was cut", around(false).truncate_ip(47)),
        header("outer IPv4: a tagged frame that lies, counted without its tag,", around(false).vlan(5).version(0)),
        fragment("outer IPv4: a first fragment", around(false).fragment(0, true)),
        fragment("outer IPv4: a middle fragment", around(false).fragment(8, true)),
        fragment("outer IPv4: a last fragment", around(false).fragment(1480, false)),
        gateway(
            "outer IPv4: no DF is no matter",
            Packet::from_to("10.3.0.1", GATEWAY_V4).id(7).encapsulating(&datagram()),
        )
        .decapsulated(VIP_V4, datagram()),
    ]
}

fn outer_v6() -> Vec<Row> {
    let header =
        |name: &str, packet: Packet| gateway(format!("{name} is refused"), packet).refused(Outcome::OuterHeader);
    let fragment =
        |name: &str, packet: Packet| gateway(format!("{name} is refused"), packet).refused(Outcome::OuterFragment);
    vec![
        header("outer IPv6: version 4", around(true).version(4)),
        header("outer IPv6: a payload length beyond the frame", around(true).payload_length(29)),
        header("outer IPv6: a payload length of 65535", around(true).payload_length(65_535)),
        header("outer IPv6: a frame that was cut", around(true).truncate_ip(67)),
        fragment("outer IPv6: a first fragment of IPIP", around(true).fragment(0, true)),
        fragment("outer IPv6: a last fragment of IPIP", around(true).fragment(8, false)),
        fragment("outer IPv6: an atomic fragment of IPIP", around(true).fragment(0, false)),
        fragment(
            "outer IPv6: a fragment of 6in6",
            outer(true).fragment(0, true).encapsulating(&to(VIP_V6).udp(1, 2).build_ip()),
        ),
        gateway("outer IPv6: a fragment of UDP is passed", outer(true).fragment(0, true).udp(1, 2))
            .passed(Outcome::NotTunnel),
        gateway(
            "outer IPv6: 7 bytes of a fragment header are passed",
            outer(true).protocol(44).payload([4, 0, 0, 1, 0, 0, 0]),
        )
        .passed(Outcome::NotTunnel),
        gateway("outer IPv6: a payload length of 0 leaves no inner header: refused", around(true).payload_length(0))
            .refused(Outcome::Ipv4TotalLength),
    ]
}

fn order() -> Vec<Row> {
    let from_stranger = || Packet::from_to("10.9.9.9", GATEWAY_V4).encapsulating(&datagram());
    vec![
        gateway("a wrong outer header is told before a wrong source", from_stranger().version(6))
            .refused(Outcome::OuterHeader),
        gateway("an outer fragment is told before a wrong source", from_stranger().fragment(8, false))
            .refused(Outcome::OuterFragment),
        gateway("a wrong outer header is told before a fragment", around(false).total_length(19).fragment(8, false))
            .refused(Outcome::OuterHeader),
    ]
}

/// A tunnel packet with this as its inner packet, of which `bytes` are there.
fn cut(packet: Packet, protocol: u8, bytes: usize) -> Packet {
    outer(false).protocol(protocol).payload(&packet.build_ip()[..bytes])
}

fn inner_v4() -> Vec<Row> {
    let of = |name: &str, inner: Packet, reason| {
        let inner = inner.build_ip();
        gateway(format!("inner IPv4: {name} is refused"), outer(true).protocol(4).payload(inner)).refused(reason)
    };
    let whole = || to(VIP_V4).udp(1, 2);
    vec![
        of("version 6", whole().version(6), Outcome::IpVersion),
        of("IPv6 under protocol 4", to(VIP_V6).udp(1, 2), Outcome::IpVersion),
        of("a header length of 4 words", whole().ihl(4), Outcome::Ipv4HeaderLength),
        of("a header length beyond the frame", whole().ihl(15), Outcome::Ipv4HeaderLength),
        gateway(
            "inner IPv4: a header length beyond the outer packet but not the frame contradicts its total length",
            outer(true).protocol(4).payload(whole().ihl(15).build_ip()).pad_to(150),
        )
        .refused(Outcome::Ipv4TotalLength),
        of("a total length below its header", whole().total_length(19), Outcome::Ipv4TotalLength),
        of("a total length beyond the outer packet", whole().total_length(29), Outcome::Ipv4TotalLength),
        gateway("inner IPv4: no byte of it: refused", cut(whole(), 4, 0)).refused(Outcome::Ipv4TotalLength),
        gateway("inner IPv4: 19 bytes of it: refused", cut(whole(), 4, 19)).refused(Outcome::Ipv4TotalLength),
        gateway("inner IPv4: 27 of 28 bytes: refused", cut(whole(), 4, 27)).refused(Outcome::Ipv4TotalLength),
        gateway("inner IPv4: padding does not complete it: refused", cut(whole(), 4, 27).pad_to(130))
            .refused(Outcome::Ipv4TotalLength),
        gateway("inner IPv4: padding does not complete its header: refused", cut(whole(), 4, 19).pad_to(130))
            .refused(Outcome::Ipv4TotalLength),
        of("a wrong header to no VIP", to("192.0.2.251").version(0), Outcome::IpVersion),
    ]
}

fn inner_v6() -> Vec<Row> {
    let of = |name: &str, inner: Packet, reason| {
        let inner = inner.build_ip();
        gateway(format!("inner IPv6: {name} is refused"), outer(false).protocol(41).payload(inner)).refused(reason)
    };
    let whole = || to(VIP_V6).udp(1, 2);
    vec![
        of("version 4", whole().version(4), Outcome::IpVersion),
        of("IPv4 under protocol 41", to(VIP_V4).udp(1, 2).payload_len(40), Outcome::IpVersion),
        of("a payload length beyond the outer packet", whole().payload_length(9), Outcome::Ipv6PayloadLength),
        gateway("inner IPv6: no byte of it: refused", cut(whole(), 41, 0)).refused(Outcome::Ipv6PayloadLength),
        gateway("inner IPv6: 39 bytes of it: refused", cut(whole(), 41, 39)).refused(Outcome::Ipv6PayloadLength),
        gateway("inner IPv6: 47 of 48 bytes: refused", cut(whole(), 41, 47)).refused(Outcome::Ipv6PayloadLength),
        gateway("inner IPv6: padding does not complete it: refused", cut(whole(), 41, 47).pad_to(130))
            .refused(Outcome::Ipv6PayloadLength),
    ]
}
