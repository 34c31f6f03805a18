//! At the egress of a gateway: packets that the kernel is to cut into segments. What a test run gives them has no type, without
//! which the kernel makes no room: those that fit fail there, in the place of what [`super::returns_of_stack`] sees of them.

use anycast_common::outcome::Outcome;
use anycast_tests::{oracle::place, packet::Packet};

use crate::{
    fixture::{Row, Way, gateway_return, world::returned_vip as vip},
    returns_at_egress::{known, outer_bytes, to, told},
};

/// Bytes of IP and of TCP headers without options.
pub fn headers_bytes(family: usize) -> usize {
    [40, 60][family]
}

/// Payload of the longest segment that fits in the tunnel.
pub fn longest(family: usize, way: &Way) -> usize {
    usize::from(place::MTU_BYTES) - outer_bytes(way) - headers_bytes(family)
}

pub fn rows() -> Vec<Row> {
    let of_way = |family: usize| known().into_iter().flat_map(move |(number, _, way)| rows_of(family, number, &way));
    [0, 1].into_iter().flat_map(of_way).collect()
}

fn rows_of(family: usize, number: u32, way: &Way) -> Vec<Row> {
    let name = |what: &str| format!("egress, IPv{} to {} in {:x?}: {what}", [4, 6][family], way.backend, way.encap);
    let row = |what: &str, packet: Packet| gateway_return(name(what), packet);
    let tcp = || to(family, number).df().tcp(80, 4321).payload_len(3000);
    let udp = || to(family, number).df().udp(53, 4321).payload_len(3000);
    let (longest, fits) = (longest(family, way), usize::from(place::MTU_BYTES) - outer_bytes(way));
    let longest_shortened = longest + outer_bytes(way);
    let udp_longest = fits - [28, 48][family];
    let mut rows = vec![
        row("TCP segments that fit have no type", tcp())
            .in_segments_of(longest as u16)
            .not_returned(vip::POP[family], Outcome::Headroom),
        row("TCP segments that fit when cut shorter have no type", tcp())
            .in_segments_of(longest_shortened as u16)
            .not_returned(vip::POP[family], Outcome::Headroom),
        told(
            row("TCP segments that are a byte too long for that", tcp()).in_segments_of(longest_shortened as u16 + 1),
            family,
            number,
            fits,
        ),
        row("UDP segments that fit have no type", udp())
            .in_segments_of(udp_longest as u16)
            .not_returned(vip::POP[family], Outcome::Headroom),
        told(
            row("UDP segments that are a byte too long", udp()).in_segments_of(udp_longest as u16 + 1),
            family,
            number,
            fits,
        ),
        told(
            row("TCP options make segments too long", tcp().tcp_options(&[1; 4]))
                .in_segments_of(longest_shortened as u16),
            family,
            number,
            fits,
        ),
    ];
    if family == 0 {
        let without_df = to(0, number).udp(53, 4321).payload_len(3000);
        rows.push(
            row("UDP segments that are too long without DF", without_df)
                .in_segments_of(udp_longest as u16 + 1)
                .not_returned(vip::POP[0], Outcome::TooBig),
        );
    }
    rows
}
