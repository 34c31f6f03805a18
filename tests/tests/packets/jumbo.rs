//! Frames that go on in fragments: lengths are those of the whole frame, headers are read from the linear part.

use anycast_common::outcome::Outcome;
use anycast_tests::{
    oracle::kernel::LINEAR_BYTES,
    packet::{IcmpError, Packet},
};

use crate::fixture::{
    Hashed, Row, Way, gateway, outer, pop, to,
    world::{CLIENT_V4, CLIENT_V6, DEFAULT_GUE_PORT, ROUTER_V4, ROUTER_V6, interface, vip, way},
};

/// IP packets that fill the MTU of an access interface.
const PACKET_BYTES: usize = 9000;
/// Longest outer packet.
const MTU_BYTES: usize = 9100;
/// A frame's Ethernet header.
const L2: usize = 14;

pub fn rows() -> Vec<Row> {
    let ways = [
        (vip::WHOLE_V4_BY_V4, way::V4),
        (vip::WHOLE_V4_BY_V6, way::V6),
        (vip::WHOLE_V6_BY_V4, way::V4),
        (vip::WHOLE_V6_BY_V6, way::V6),
        (vip::TAGGED_V4, way::TAGGED_V4),
        (vip::TAGGED_V6, way::TAGGED_V6),
    ];
    let mut rows: Vec<Row> = ways.into_iter().flat_map(|(vip, way)| forwarded(vip, way)).collect();
    for vip in [vip::WHOLE_V4_BY_V4, vip::WHOLE_V6_BY_V6] {
        rows.extend(lengths(vip));
        rows.extend(decapsulated(vip));
    }
    rows.extend(headers_beyond());
    rows.extend(quotes_beyond());
    rows.extend(tunnels_beyond());
    rows
}

fn header_bytes(vip: &str) -> usize {
    if vip.contains(':') { 40 } else { 20 }
}

/// A packet of so many bytes.
fn of_bytes(vip: &str, bytes: usize) -> Packet {
    to(vip).payload_len(bytes - header_bytes(vip))
}

fn forwarded(vip: &'static str, way: Way) -> Vec<Row> {
    let fits = MTU_BYTES - if way.is_v6() { 40 } else { 20 };
    let row = |what: &str, packet: Packet| pop(format!("jumbo to {vip}: {what}"), packet).in_fragments(LINEAR_BYTES);
    vec![
        row("9000 bytes", of_bytes(vip, PACKET_BYTES)).forwarded(vip, way),
        row("9000 bytes, behind two tags", of_bytes(vip, PACKET_BYTES).vlan(3).vlan(4)).forwarded(vip, way),
        row("9000 bytes, by XDP_TX", of_bytes(vip, PACKET_BYTES)).by(way.egress).forwarded(vip, way),
        row("the longest without fragments", of_bytes(vip, LINEAR_BYTES - L2)).forwarded(vip, way),
        row("one byte in a fragment", of_bytes(vip, LINEAR_BYTES - L2 + 1)).forwarded(vip, way),
        row("the longest that fits", of_bytes(vip, fits)).forwarded(vip, way),
        too_big(vip, fits),
    ]
}

/// IPv4 without DF is dropped; of IPv6, the sender is told.
fn too_big(vip: &'static str, fits: usize) -> Row {
    let packet = || of_bytes(vip, fits + 1);
    let row = pop(format!("jumbo to {vip}: one byte longer than fits"), packet()).in_fragments(LINEAR_BYTES);
    if !vip.contains(':') {
        return row.dropped(vip, Outcome::TooBig);
    }
    let quote = &packet().build_ip()[..1232];
    let answer = Packet::from_to(vip, CLIENT_V6).as_error().icmp_error(IcmpError::TooBig(fits as u16), quote);
    row.answered(vip, Outcome::TooBigAnswered, answer.build_ip())
}

fn lengths(vip: &'static str) -> Vec<Row> {
    let (way, lies) =
        if vip.contains(':') { (way::V6, Outcome::Ipv6PayloadLength) } else { (way::V4, Outcome::Ipv4TotalLength) };
    let row = |what: &str, packet: Packet| pop(format!("lengths to {vip}: {what}"), packet).in_fragments(LINEAR_BYTES);
    vec![
        row("one byte of the last fragment is missing", of_bytes(vip, PACKET_BYTES).truncate(L2 + PACKET_BYTES - 1))
            .dropped(vip, lies),
        row("all fragments are missing", of_bytes(vip, PACKET_BYTES).truncate(LINEAR_BYTES)).dropped(vip, lies),
        row("padding in fragments stays behind the packet", of_bytes(vip, 100).pad_to(5000)).forwarded(vip, way),
        row("for no VIP", of_bytes(if way.is_v6() { CLIENT_V6 } else { CLIENT_V4 }, PACKET_BYTES))
            .passed(Outcome::NotVip),
    ]
}

fn decapsulated(vip: &'static str) -> Vec<Row> {
    let inner = of_bytes(vip, PACKET_BYTES).build_ip();
    let longer = if vip.contains(':') { Outcome::Ipv6PayloadLength } else { Outcome::Ipv4TotalLength };
    let rows = |is_v6: bool| {
        let ip_in_ip = || outer(is_v6).encapsulating(&inner);
        let gue = outer(is_v6).udp_without_checksum(49_999, DEFAULT_GUE_PORT).payload(&inner);
        let row = |what: &str, packet: Packet| {
            gateway(format!("jumbo for {vip} over IPv{}: {what}", if is_v6 { 6 } else { 4 }), packet)
                .in_fragments(LINEAR_BYTES)
        };
        let cut = outer(is_v6).encapsulating(&inner[..PACKET_BYTES - 1]);
        vec![
            row("IPIP", ip_in_ip()).decapsulated(vip, &*inner),
            row("IPIP behind a tag", ip_in_ip().vlan(7)).decapsulated(vip, &*inner),
            row("GUE", gue).decapsulated(vip, &*inner),
            row("the inner packet ends behind the outer one", cut).refused(longer),
        ]
    };
    [false, true].into_iter().flat_map(rows).collect()
}

/// A header that the linear part does not hold is one that is cut off.
fn headers_beyond() -> Vec<Row> {
    let udp = |vip| to(vip).udp(1, 53).payload_len(500);
    let ports = Hashed::Flow(17, 1, 53);
    let (v4, v6) = (vip::LISTENING_V4, vip::LISTENING_V6);
    let options = || to(v6).destination_options().udp(1, 53).payload_len(500);
    vec![
        pop("linear up to the ports, IPv4", udp(v4)).in_fragments(38).forwarded(v4, way::V6).hashed(ports),
        pop("linear up to half of the ports, IPv4", udp(v4)).in_fragments(37).dropped(v4, Outcome::L4Truncated),
        pop("linear up to the ports, IPv6", udp(v6)).in_fragments(58).forwarded(v6, way::V6).hashed(ports),
        pop("linear up to half of the ports, IPv6", udp(v6)).in_fragments(57).dropped(v6, Outcome::L4Truncated),
        pop("linear up to the IP header, which suffices for a VIP that takes everything", udp(vip::WHOLE_V4_BY_V4))
            .in_fragments(34)
            .forwarded(vip::WHOLE_V4_BY_V4, way::V4),
        pop("linear up to a part of the IPv4 header", udp(v4)).in_fragments(33).passed(Outcome::NotVip),
        pop("linear up to a part of the IPv6 header", udp(v6)).in_fragments(53).passed(Outcome::NotVip),
        pop("linear up to a part of a tag", udp(v4).vlan(3))
            .in_fragments(17)
            .counted_as(528 + 4)
            .passed(Outcome::NotVip),
        pop("linear up to the ports behind options", options()).in_fragments(66).forwarded(v6, way::V6).hashed(ports),
        pop("linear up to a part of an extension header", options())
            .in_fragments(61)
            .dropped(v6, Outcome::Ipv6ExtensionHeaders),
        pop("linear up to the IP header, by XDP_TX", udp(vip::WHOLE_V6_BY_V6))
            .in_fragments(54)
            .by(interface::BACKBONE)
            .forwarded(vip::WHOLE_V6_BY_V6, way::V6),
    ]
}

fn quotes_beyond() -> Vec<Row> {
    let families = [(vip::LISTENING_V4, CLIENT_V4, ROUTER_V4), (vip::LISTENING_V6, CLIENT_V6, ROUTER_V6)];
    let of = |(vip, client, router): (&'static str, &'static str, &str)| {
        let sent = Packet::from_to(vip, client).udp(53, 1).payload_len(400).build_ip();
        let error = || Packet::from_to(router, vip).icmp_error(IcmpError::Unreachable, &sent);
        let icmp = L2 + header_bytes(vip);
        let quoted_ports = icmp + 8 + header_bytes(vip);
        let row = |what: &str, linear_bytes| {
            pop(format!("ICMP error to {vip}, linear up to {what}"), error()).in_fragments(linear_bytes)
        };
        [
            row("the quoted ports", quoted_ports + 4)
                .forwarded(vip, way::V6)
                .flow_of(client)
                .hashed(Hashed::Flow(17, 1, 53)),
            row("half of the quoted ports", quoted_ports + 3).dropped(vip, Outcome::IcmpQuote),
            row("a part of the quoted header", quoted_ports - 1).dropped(vip, Outcome::IcmpQuote),
            row("the IP header: its type cannot be read", icmp).dropped(vip, Outcome::IcmpQuote),
        ]
    };
    families.into_iter().flat_map(of).collect()
}

fn tunnels_beyond() -> Vec<Row> {
    let vip = vip::WHOLE_V4_BY_V4;
    let inner = of_bytes(vip, 1000).build_ip();
    let ip_in_ip = || outer(false).encapsulating(&inner);
    let gre = || outer(false).protocol(47).payload([&[0, 0, 8, 0], &inner[..]].concat());
    let gue = || outer(false).udp_without_checksum(49_999, DEFAULT_GUE_PORT).payload(&inner);
    vec![
        gateway("linear up to the inner header", ip_in_ip()).in_fragments(54).decapsulated(vip, &*inner),
        gateway("linear up to a part of the inner header", ip_in_ip())
            .in_fragments(53)
            .refused(Outcome::Ipv4HeaderLength),
        gateway("linear up to a part of the outer header", ip_in_ip()).in_fragments(33).passed(Outcome::NotTunnel),
        gateway("linear up to a part of the GRE header", gre()).in_fragments(37).refused(Outcome::TunnelHeader),
        gateway("linear up to a part of the UDP header of GUE", gue()).in_fragments(41).passed(Outcome::NotTunnel),
        gateway("linear up to the UDP header of GUE", gue()).in_fragments(42).refused(Outcome::TunnelHeader),
    ]
}
