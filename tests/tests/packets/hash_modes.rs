//! What a VIP hashes on is its own choice, whether it has listeners or not.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::{IcmpError, Packet};

use crate::fixture::{
    Hashed, Row, pop, to,
    world::{CLIENT_V4, CLIENT_V6, ROUTER_V4, ROUTER_V6, vip, way},
};

pub fn rows() -> Vec<Row> {
    [source(), whole_by_flow(), with_listeners()].concat()
}

/// The source alone: not the VIP, no port, no protocol.
fn source() -> Vec<Row> {
    let of_family = |(family, vip, client, router): (&str, &'static str, &'static str, &str)| {
        let quoted = Packet::from_to(vip, client).tcp(443, 20_000).payload_len(20).build_ip();
        let row = |what: &str, packet| {
            pop(format!("{family}: {what} to a VIP by source is hashed on its source"), packet)
                .forwarded(vip, way::V6)
                .hashed(Hashed::Source)
        };
        vec![
            row("TCP", to(vip).tcp(20_000, 443)),
            row("UDP", to(vip).udp(1, 2).payload_len(9)),
            row("ESP", to(vip).esp(7)),
            row("a fragment", to(vip).fragment(8, false).protocol(17).payload_len(8)),
            row("an ICMP error", Packet::from_to(router, vip).icmp_error(IcmpError::TooBig(1400), quoted))
                .flow_of(client),
        ]
    };
    let families = [("IPv4", vip::SOURCE_V4, CLIENT_V4, ROUTER_V4), ("IPv6", vip::SOURCE_V6, CLIENT_V6, ROUTER_V6)];
    families.into_iter().flat_map(of_family).collect()
}

/// Every protocol is taken, and read as far as its ports.
fn whole_by_flow() -> Vec<Row> {
    let of_family = |(family, vip): (&str, &'static str)| {
        let row = |what: &str, packet, hashed| {
            pop(format!("{family}: {what} to a VIP by 5-tuple without listeners"), packet)
                .forwarded(vip, way::V6)
                .hashed(hashed)
        };
        vec![
            row("TCP", to(vip).tcp(20_000, 443), Hashed::Flow(6, 20_000, 443)),
            row("UDP", to(vip).udp(1, 65_535), Hashed::Flow(17, 1, 65_535)),
            row("SCTP", to(vip).sctp(5, 6), Hashed::Flow(132, 5, 6)),
            row("ESP", to(vip).esp(7), Hashed::Protocol(50)),
            row("protocol 255", to(vip).protocol(255).payload_len(8), Hashed::Protocol(255)),
            row("a fragment", to(vip).fragment(8, false).protocol(17).payload_len(8), Hashed::Protocol(17)),
            pop(format!("{family}: 10 bytes of TCP to it"), to(vip).protocol(6).payload_len(10))
                .dropped(vip, Outcome::L4Truncated),
        ]
    };
    [("IPv4", vip::WHOLE_BY_FLOW_V4), ("IPv6", vip::WHOLE_BY_FLOW_V6)].into_iter().flat_map(of_family).collect()
}

/// Listeners decide what is taken, and nothing else.
fn with_listeners() -> Vec<Row> {
    let (v4, v6) = (vip::LISTENING_BY_ADDRESSES_V4, vip::LISTENING_BY_SOURCE_V6);
    vec![
        pop("TCP to a listener of a VIP by addresses", to(v4).tcp(20_000, 80)).forwarded(v4, way::V6),
        pop("UDP to a listener of a VIP by addresses", to(v4).udp(9, 53)).forwarded(v4, way::V6),
        pop("TCP to a port that a VIP by addresses does not take", to(v4).tcp(20_000, 81))
            .dropped(v4, Outcome::NoListener),
        pop("TCP to a listener of a VIP by source", to(v6).tcp(20_000, 80))
            .forwarded(v6, way::V6)
            .hashed(Hashed::Source),
        pop("TCP to a port that a VIP by source does not take", to(v6).tcp(20_000, 81))
            .dropped(v6, Outcome::NoListener),
    ]
}
