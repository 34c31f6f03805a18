//! What every tunnel carries, and what is told in it of packets that are too long.

use anycast_common::outcome::Outcome;
use anycast_tests::{
    oracle::{model::Action, place},
    packet::{IcmpError, Packet, ttl_decremented},
};

use super::{ETHERNET_BYTES, around, client, outer_bytes, returned, returned_as_is};
use crate::fixture::{Answer, Row, Way, backbone, world::interface};

/// Of one tunnel, with answers of one family in it.
pub fn rows(vip: &'static str, way: &Way, family: usize) -> Vec<Row> {
    let from_vip = || Packet::from_to(vip, client::ACCESS[family]);
    let datagram = from_vip().udp(53, 4321).payload_len(77).build_ip();
    let header_only = from_vip().ttl(2).build_ip();
    let row = |what: &str, packet: Packet| backbone(format!("{}: {what}", name(vip, way)), packet);
    let from_vip_to_narrow = Packet::from_to(vip, client::NARROW[family]);
    let padded = around(way, &header_only).pad_to(ETHERNET_BYTES + outer_bytes(way) + header_only.len() + 9);
    let too_long = Packet::from_to(vip, client::NARROW[family]).df().tcp(80, 4321).payload_len(1400).build_ip();
    let too_long_capable = from_vip_to_narrow.dscp_ecn(2).df().tcp(80, 4321).payload_len(1400).build_ip();
    vec![
        returned_as_is(row("a datagram goes on", around(way, &datagram)), vip, &datagram),
        returned_as_is(row("a TTL of 2 goes on as 1", around(way, &header_only)), vip, &header_only),
        returned_as_is(row("tags come off", around(way, &datagram).service_vlan(9).vlan(8)), vip, &datagram),
        returned(
            row("padding stays behind", padded),
            vip,
            &ttl_decremented(&header_only),
            interface::ACCESS.ifindex,
            &[0xaa; 9],
        ),
        returned_as_is(
            row("from another backbone interface it is redirected", around(way, &datagram)).by(interface::BACKBONE),
            vip,
            &datagram,
        ),
        returned(
            row("to a tagged interface it gets the tag", around(way, &to_tagged(vip, family))),
            vip,
            &ttl_decremented(&to_tagged(vip, family)),
            interface::TAGGED.ifindex,
            &[],
        ),
        told(row("too long for the client, it is told in the tunnel", around(way, &too_long)), vip, way, &too_long),
        told(
            row("too long and by another interface, it is told", around(way, &too_long)).by(interface::BACKBONE),
            vip,
            way,
            &too_long,
        ),
        told(
            row("too long and marked, it is told without the mark", around(way, &too_long_capable).dscp_ecn(0x03)),
            vip,
            way,
            &too_long_capable,
        ),
        told(
            row("too long and tagged, it is told without tags", around(way, &too_long).service_vlan(9).vlan(8)),
            vip,
            way,
            &too_long,
        ),
        row("a TTL of 1 is dropped", around(way, &from_vip().ttl(1).udp(1, 2).build_ip()))
            .counted_as(header_only.len() + 8)
            .not_returned(vip, Outcome::TtlExpired),
    ]
}

fn name(vip: &str, way: &Way) -> String {
    let inner = if vip.contains(':') { 6 } else { 4 };
    let outer = if way.is_v6() { 6 } else { 4 };
    format!("answer of IPv{inner} in {:?} over IPv{outer}", way.encap)
}

fn to_tagged(vip: &str, family: usize) -> Vec<u8> {
    Packet::from_to(vip, client::TAGGED[family]).udp(1, 2).payload_len(9).build_ip()
}

/// Sent back in its tunnel as an error of the client about `inner`.
fn told(row: Row, vip: &'static str, way: &Way, inner: &[u8]) -> Row {
    let client = if vip.contains(':') { client::NARROW[1] } else { client::NARROW[0] };
    let quote = &inner[..if vip.contains(':') { 1232 } else { 548 }];
    let error = IcmpError::TooBig(place::NARROW_MTU_BYTES);
    let error = Packet::from_to(client, vip).as_error().icmp_error(error, quote).build_ip();
    // The tunnel of the gateway, its ends turned.
    let ends = Way { backend: way.backend, ..*way };
    let turned = around(&ends, &error);
    let came = row.input.frame.clone();
    let frame = turned
        .ttl(64)
        .dscp_ecn(0xc0)
        .ethernet(came[6..12].try_into().expect("six bytes"), came[..6].try_into().expect("six bytes"))
        .raw_ip(turn_round)
        .build();
    let answer = Answer { vip, outcome: Outcome::TooBigAnswered, action: Action::Tx, frame: Some(frame), peer: None };
    row.counted_as(inner.len()).answer(answer)
}

/// Source and destination change places, which no checksum sees.
fn turn_round(packet: &mut [u8]) {
    let (at, bytes) = if packet[0] >> 4 == 6 { (8, 16) } else { (12, 4) };
    let (source, destination) = packet[at..at + bytes * 2].split_at_mut(bytes);
    source.swap_with_slice(destination);
}
