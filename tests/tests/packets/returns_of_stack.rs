//! At the egress of a gateway: what test runs cannot give, in buffers as the stack makes them. The program is interpreted.

use anycast_common::outcome::Outcome;
use anycast_tests::{oracle::place, packet::Packet};

use crate::{
    fixture::{
        Row, Way, check_interpreted, gateway_return,
        world::{TAG, interface, returned_vip as vip, returns},
    },
    returns_at_egress::{in_tunnel, known, outer_bytes, tagged, to, told},
    returns_in_segments::{headers_bytes, longest},
};

/// Of the device that packets were leaving by.
const DEVICE_TAG: u16 = 0x0123;

#[test]
fn segments_and_tags_of_the_stack() {
    anycast_tests::require_root!();
    let of_way = |family: usize| {
        let of = move |(number, peer, way): (u32, usize, Way)| {
            segments(family, number, peer, &way).into_iter().chain(tags(family, number, peer, &way))
        };
        known().into_iter().flat_map(of).chain(tagged_link(family))
    };
    let rows: Vec<Row> = [0, 1].into_iter().flat_map(of_way).collect();
    check_interpreted(&returns(), &rows);
}

fn name(family: usize, way: &Way, what: &str) -> String {
    format!("egress, IPv{} to {} in {:x?}: {what}", [4, 6][family], way.backend, way.encap)
}

/// Wrapped whole: as many packets are counted as it is cut into.
fn segments(family: usize, number: u32, peer: usize, way: &Way) -> Vec<Row> {
    let wrapped = |what: &str, packet: &dyn Fn() -> Packet, segment: usize, cut_to: usize, headers: usize| {
        let packets = 3001_usize.div_ceil(cut_to);
        let row = gateway_return(name(family, way, what), packet()).of_stack(None).in_segments_of(segment as u16);
        let row = row.counted_as_packets(packets, 3001 + packets * headers);
        in_tunnel(row, family, peer, way, &packet().build_ip(), 0)
    };
    let tcp = || to(family, number).df().tcp(80, 4321).payload_len(3001);
    let udp = || to(family, number).df().udp(53, 4321).payload_len(3001);
    let (longest, outer_bytes, headers) = (longest(family, way), outer_bytes(way), headers_bytes(family));
    let udp_headers = [28, 48][family];
    let fits = usize::from(place::MTU_BYTES) - outer_bytes;
    let too_long = |packet: Packet, segment: usize| {
        gateway_return(name(family, way, "segments too long"), packet).of_stack(None).in_segments_of(segment as u16)
    };
    vec![
        wrapped("segments of TCP that fit stay as long", &tcp, longest, longest, headers),
        wrapped("short segments of TCP stay as long", &tcp, 100, 100, headers),
        wrapped("segments of TCP are cut shorter", &tcp, longest + 1, longest + 1 - outer_bytes, headers),
        wrapped("segments of TCP are cut to what fits", &tcp, longest + outer_bytes, longest, headers),
        wrapped("segments of UDP stay as long", &udp, fits - udp_headers, fits - udp_headers, udp_headers),
        told(too_long(tcp(), longest + outer_bytes + 1), family, number, fits),
        told(too_long(udp(), fits - udp_headers + 1), family, number, fits),
        in_tunnel(
            gateway_return(name(family, way, "headers in fragments"), tcp_short(family, number))
                .of_stack(None)
                .in_fragments(20),
            family,
            peer,
            way,
            &tcp_short(family, number).build_ip(),
            0,
        ),
    ]
}

fn tcp_short(family: usize, number: u32) -> Packet {
    to(family, number).tcp(80, 4321).payload_len(200)
}

/// A tag beside the frame goes with a packet that is wrapped, and stays with one that is not.
fn tags(family: usize, number: u32, peer: usize, way: &Way) -> Vec<Row> {
    let datagram = || to(family, number).udp(53, 4321).payload_len(64);
    let row = |what: &str, packet: Packet| gateway_return(name(family, way, what), packet).of_stack(Some(DEVICE_TAG));
    let fits = usize::from(place::MTU_BYTES) - outer_bytes(way);
    let header_bytes = [20, 40][family];
    let long = to(family, number).df().payload_len(fits + 1 - header_bytes);
    vec![
        in_tunnel(row("a tag comes off", datagram()), family, peer, way, &datagram().build_ip(), 0),
        in_tunnel(
            row("a tag comes off where the tunnel leaves by the same interface", datagram()).by(interface::BACKBONE),
            family,
            peer,
            way,
            &datagram().build_ip(),
            0,
        ),
        told(row("who sent too much behind a tag is told behind it", long), family, number, fits),
        row("a tag stays with what is left alone", to(family, 99).udp(1, 2))
            .not_returned(vip::POP[family], Outcome::NoPopDirect),
    ]
}

/// Toward a link with a tag: that one shows, whatever the packet was to have.
fn tagged_link(family: usize) -> Vec<Row> {
    let way = Way { tag: Some(TAG), ..tagged() };
    let datagram = || to(family, 20).udp(53, 4321).payload_len(9);
    let row = |what: &str, tci| gateway_return(name(family, &way, what), datagram()).of_stack(tci);
    [("untagged to a tagged link", None), ("tagged to a tagged link", Some(DEVICE_TAG)), ("tagged as zero", Some(0))]
        .map(|(what, tci)| in_tunnel(row(what, tci), family, 3, &way, &datagram().build_ip(), 0))
        .to_vec()
}
