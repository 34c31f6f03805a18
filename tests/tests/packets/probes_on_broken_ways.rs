//! Probes where the ways of backends end early, or are narrow. Whatever the VIP's pool has, the mark says where they go.

use anycast_common::outcome::Outcome;
use anycast_tests::{
    oracle::model::Mark,
    packet::{IcmpError, Packet},
};

use crate::fixture::{
    Hashed, Row, Way, probe, to,
    world::{CLIENT_V4, CLIENT_V6, broken_vip as vip, broken_way as way, interface},
};

/// Pools of one backend each, by their positions.
const UNRESOLVED: [(usize, &str); 3] =
    [(2, "without a next-hop group"), (3, "with the places of its group unset"), (4, "with an unknown neighbour")];
const NARROW: [(usize, Way, usize); 2] = [(5, way::NARROW_V4, 20), (6, way::NARROW_V6, 40)];
const UNMAPPED: usize = 7;

pub fn rows() -> Vec<Row> {
    [0, 1].into_iter().flat_map(of_family).collect()
}

fn of_family(family: usize) -> Vec<Row> {
    let (kind, header_bytes) = [("IPv4", 20), ("IPv6", 40)][family];
    let client = [CLIENT_V4, CLIENT_V6][family];
    let vip = vip::NO_POOL[family];
    let flow = Hashed::Flow(17, 1, 2);
    let of_length = |bytes: usize| to(vip).df().udp(1, 2).payload_len(bytes - header_bytes - 8);
    let row = |what: &str, packet: Packet, pool: usize| {
        probe(format!("probe, {kind}: {what}"), packet).marked_for(Mark::Of(pool, 0))
    };
    let mut rows = Vec::new();
    for (pool, what) in UNRESOLVED {
        rows.push(row(&format!("a backend {what}"), to(vip).udp(1, 2), pool).dropped(vip, Outcome::NextHopUnresolved));
    }
    for (pool, way, outer_bytes) in NARROW {
        let fits = 1400 - outer_bytes;
        let name = |what: &str| format!("{what} {fits} bytes to {}", way.backend);
        let whole = of_length(fits + 1).build_ip();
        let quote = &whole[..[548, 1232][family]];
        let told = Packet::from_to(vip, client).as_error().icmp_error(IcmpError::TooBig(fits as u16), quote).build_ip();
        rows.push(row(&name("a VIP without a pool,"), of_length(fits), pool).forwarded(vip, way).hashed(flow));
        rows.push(row(&name("told that it is longer than"), of_length(fits + 1), pool).answered(
            vip,
            Outcome::TooBigAnswered,
            told,
        ));
        let later = to(vip).df().fragment(800, false).payload_len(1420);
        rows.push(row(&name("a later fragment longer than"), later, pool).dropped(vip, Outcome::TooBig));
    }
    rows.push(row("out of no device of the map", to(vip).udp(1, 2), UNMAPPED).dropped(vip, Outcome::NoEgress));
    rows.push(
        row("out of where it came in", to(vip).udp(1, 2), UNMAPPED)
            .by(interface::UNMAPPED)
            .forwarded(vip, way::UNMAPPED)
            .hashed(flow),
    );
    rows
}
