//! GRE and GUE that a gateway does not take: wrong headers, keys and checksums; and UDP that is none of its business.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::Packet;

use crate::fixture::{
    Row, gateway, outer, to,
    world::{GUE_PORT, KEYS},
};

const VIP_V4: &str = "192.0.2.1";
const VIP_V6: &str = "2001:db8:1::2";

pub fn rows() -> Vec<Row> {
    [false, true].into_iter().flat_map(|is_v6| [gre(is_v6), keys(is_v6), gue(is_v6), inner(is_v6)]).flatten().collect()
}

/// 28 bytes.
fn datagram() -> Vec<u8> {
    to(VIP_V4).udp(1, 2).build_ip()
}

fn over(is_v6: bool) -> &'static str {
    if is_v6 { "IPv6" } else { "IPv4" }
}

fn gre_of(is_v6: bool, header: &[u8], inner: &[u8]) -> Packet {
    outer(is_v6).protocol(47).payload([header, inner].concat())
}

/// The key that the gateway takes, behind these flags and protocol type.
fn keyed(is_v6: bool, flags: [u8; 2], ether_type: [u8; 2], key: u32) -> Packet {
    gre_of(is_v6, &[&flags[..], &ether_type, &key.to_be_bytes()].concat(), &datagram())
}

fn gre(is_v6: bool) -> Vec<Row> {
    let over = over(is_v6);
    let row = |what: &str, packet: Packet| {
        gateway(format!("GRE over {over}: {what} is refused"), packet).refused(Outcome::TunnelHeader)
    };
    let flags = |flags| keyed(is_v6, flags, [0x08, 0x00], KEYS[0]);
    vec![
        row("a checksum", flags([0x80, 0])),
        row("a checksum beside a key", flags([0xa0, 0])),
        row("a routing field", flags([0x60, 0])),
        row("a sequence number", flags([0x30, 0])),
        row("strict source route", flags([0x28, 0])),
        row("recursion control", flags([0x21, 0])),
        row("version 1", flags([0x20, 1])),
        row("a reserved bit", flags([0x20, 0x80])),
        row("Ethernet inside", keyed(is_v6, [0x20, 0], [0x65, 0x58], KEYS[0])),
        row("MPLS inside", keyed(is_v6, [0x20, 0], [0x88, 0x47], KEYS[0])),
        row("no byte of it", outer(is_v6).protocol(47)),
        row("3 bytes of it", outer(is_v6).protocol(47).payload([0x20, 0, 0x08])),
        row("half of a key", outer(is_v6).protocol(47).payload([0x20, 0, 0x08, 0, 1, 2])),
        row("half of a key in a padded frame", outer(is_v6).protocol(47).payload([0x20, 0, 0x08, 0, 1, 2]).pad_to(120)),
    ]
}

fn keys(is_v6: bool) -> Vec<Row> {
    let over = over(is_v6);
    let taken = |key| {
        gateway(format!("GRE over {over}: key {key} is taken"), keyed(is_v6, [0x20, 0], [0x08, 0x00], key))
            .decapsulated(VIP_V4, datagram())
    };
    let row = |what: &str, packet: Packet| {
        gateway(format!("GRE over {over}: {what} is refused"), packet).refused(Outcome::TunnelKey)
    };
    vec![
        taken(KEYS[0]),
        taken(KEYS[1]),
        row("another key", keyed(is_v6, [0x20, 0], [0x08, 0x00], KEYS[0] + 1)),
        row("a key in the wrong byte order", keyed(is_v6, [0x20, 0], [0x08, 0x00], KEYS[0].swap_bytes())),
        row("a key of 0", keyed(is_v6, [0x20, 0], [0x08, 0x00], 0)),
        row("no key where one is asked for", gre_of(is_v6, &[0, 0, 0x08, 0x00], &datagram())),
    ]
}

fn gue(is_v6: bool) -> Vec<Row> {
    let over = over(is_v6);
    let to_port = |port| outer(is_v6).udp_without_checksum(50_000, port);
    let raw = |length: u16, checksum: u16, behind: &[u8]| {
        let header = [50_000, GUE_PORT, length, checksum].map(u16::to_be_bytes).concat();
        outer(is_v6).protocol(17).payload([&header, behind].concat())
    };
    let refused = |what: &str, packet: Packet, reason| {
        gateway(format!("GUE over {over}: {what} is refused"), packet).refused(reason)
    };
    let passed = |what: &str, packet: Packet| {
        gateway(format!("UDP over {over}: {what} is passed"), packet).passed(Outcome::NotTunnel)
    };
    vec![
        gateway(format!("GUE over {over}: a datagram is taken"), to_port(GUE_PORT).payload(datagram()))
            .decapsulated(VIP_V4, datagram()),
        refused("a UDP length below the payload", raw(35, 0, &datagram()), Outcome::TunnelHeader),
        refused("a UDP length beyond the payload", raw(37, 0, &datagram()), Outcome::TunnelHeader),
        refused("a UDP length of 0", raw(0, 0, &datagram()), Outcome::TunnelHeader),
        refused("a UDP checksum, right or wrong,", raw(36, 0x1234, &datagram()), Outcome::TunnelChecksum),
        refused("a UDP checksum of 65535", raw(36, 0xffff, &datagram()), Outcome::TunnelChecksum),
        refused("nothing inside", raw(8, 0, &[]), Outcome::TunnelHeader),
        refused("nothing inside of a padded frame", raw(8, 0, &[]).pad_to(120), Outcome::TunnelHeader),
        refused("variant 0", raw(12, 0, &[0x00, 4, 0, 0]), Outcome::TunnelHeader),
        refused("variant 2", raw(12, 0, &[0x80, 4, 0, 0]), Outcome::TunnelHeader),
        refused("version 5 inside", raw(12, 0, &[0x50, 4, 0, 0]), Outcome::TunnelHeader),
        refused("a byte of IPv4 inside", raw(9, 0, &[0x45]), Outcome::Ipv4TotalLength),
        passed("another port", to_port(GUE_PORT + 1).payload(datagram())),
        passed("the default port where another is set", to_port(6080).payload(datagram())),
        passed("the port as source", outer(is_v6).udp_without_checksum(GUE_PORT, 9).payload(datagram())),
        passed("7 bytes of a header", outer(is_v6).protocol(17).payload([0xc3, 0x50, 0x17, 0xca, 0, 7, 0])),
        passed("a first fragment to the port", to_port(GUE_PORT).fragment(0, true).payload(datagram())),
        passed("a last fragment", to_port(GUE_PORT).fragment(1480, false).payload(datagram())),
    ]
}

fn inner(is_v6: bool) -> Vec<Row> {
    let over = over(is_v6);
    let stranger =
        if is_v6 { Packet::from_to("fd00:9::9", "fd00:4::2") } else { Packet::from_to("10.9.9.9", "10.4.0.2") };
    let around = |inner: &[u8]| outer(is_v6).udp_without_checksum(50_000, GUE_PORT).payload(inner);
    let to_gateway = Packet::from_to("198.51.100.7", "10.4.0.2").udp(1, 2).build_ip();
    vec![
        gateway(
            format!("GUE over {over}: from a stranger it is refused"),
            stranger.udp_without_checksum(1, GUE_PORT).payload(datagram()),
        )
        .refused(Outcome::SourceNotAllowed),
        gateway(format!("GUE over {over}: a packet to the tunnel address inside is refused"), around(&to_gateway))
            .counted_as(28)
            .refused(Outcome::NestedTunnel),
        gateway(
            format!("GUE over {over}: a packet for no VIP inside is refused"),
            around(&to("192.0.2.250").udp(1, 2).build_ip()),
        )
        .counted_as(28)
        .refused(Outcome::InnerNotVip),
        gateway(
            format!("GUE over {over}: a marked packet that cannot carry the mark is refused"),
            around(&datagram()).dscp_ecn(3),
        )
        .counted_as(28)
        .dropped(VIP_V4, Outcome::EcnNotCapable),
        gateway(
            format!("GUE over {over}: a mark goes inside"),
            around(&to(VIP_V6).dscp_ecn(2).udp(1, 2).build_ip()).dscp_ecn(3),
        )
        .decapsulated(VIP_V6, to(VIP_V6).dscp_ecn(3).udp(1, 2).build_ip()),
    ]
}
