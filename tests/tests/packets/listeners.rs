//! A VIP with listeners takes what they say, and hashes on the flow.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::Packet;

use crate::fixture::{
    Hashed, Row, pop, to,
    world::{vip, way},
};

pub fn rows() -> Vec<Row> {
    let of_family = |(family, listening, tcp_only, icmp)| {
        let taken = taken(icmp).into_iter().map(move |(what, packet, hashed)| {
            pop(format!("{family}: {what}"), packet(to(listening))).forwarded(listening, way::V6).hashed(hashed)
        });
        let refused = refused().into_iter().map(move |(what, packet)| {
            pop(format!("{family}: {what}"), packet(to(listening))).dropped(listening, Outcome::NoListener)
        });
        taken.chain(refused).chain(whole_tcp(family, tcp_only)).collect::<Vec<Row>>()
    };
    let families = [("IPv4", vip::LISTENING_V4, vip::TCP_V4, 1), ("IPv6", vip::LISTENING_V6, vip::TCP_V6, 58)];
    families.into_iter().flat_map(of_family).collect()
}

/// A change that gives a packet its protocol and ports.
type Change = fn(Packet) -> Packet;

/// `icmp` is the family's number of it.
fn taken(icmp: u8) -> Vec<(&'static str, Change, Hashed)> {
    vec![
        ("a TCP SYN to a listener's port is forwarded", |p| p.tcp_syn(4321, 80), Hashed::Flow(6, 4321, 80)),
        ("TCP to the last port there is, a listener's, is forwarded", |p| p.tcp(1, 65_535), Hashed::Flow(6, 1, 65_535)),
        ("UDP to a listener's port is forwarded", |p| p.udp(4321, 53), Hashed::Flow(17, 4321, 53)),
        ("UDP to port 0, a listener's, is forwarded", |p| p.udp(4321, 0), Hashed::Flow(17, 4321, 0)),
        ("UDP to the first port of a range is forwarded", |p| p.udp(1, 5000), Hashed::Flow(17, 1, 5000)),
        ("UDP to a port within a range is forwarded", |p| p.udp(1, 5376), Hashed::Flow(17, 1, 5376)),
        ("UDP to the last port of a range is forwarded", |p| p.udp(1, 5600), Hashed::Flow(17, 1, 5600)),
        ("SCTP to a listener's port is forwarded", |p| p.sctp(9, 36_413), Hashed::Flow(132, 9, 36_413)),
        ("an echo request, its protocol taken whole, is forwarded", |p| p.icmp_echo(7, 1), Hashed::Protocol(icmp)),
        ("ESP, taken whole, is forwarded", |p| p.esp(77), Hashed::Protocol(50)),
        ("GRE, taken whole, is forwarded", |p| p.gre(0x0800).payload_len(20), Hashed::Protocol(47)),
    ]
}

fn refused() -> Vec<(&'static str, Change)> {
    vec![
        ("TCP to a port that only UDP has is dropped", |p| p.tcp(4321, 53)),
        ("TCP to the port above a listener's is dropped", |p| p.tcp(4321, 81)),
        ("TCP to port 0 is dropped", |p| p.tcp(4321, 0)),
        ("TCP from a listener's port to another is dropped", |p| p.tcp(80, 4321)),
        ("UDP to a port that only TCP has is dropped", |p| p.udp(4321, 80)),
        ("UDP to the port below a range is dropped", |p| p.udp(1, 4999)),
        ("UDP to the port above a range is dropped", |p| p.udp(1, 5601)),
        ("UDP to a listener's port with its bytes swapped is dropped", |p| p.udp(1, 53 << 8)),
        ("SCTP to a port that no listener has is dropped", |p| p.sctp(9, 36_414)),
        ("AH, which no listener takes, is dropped", |p| p.protocol(51).payload_len(24)),
        ("an experimental protocol is dropped", |p| p.protocol(253).payload_len(24)),
    ]
}

fn whole_tcp(family: &str, vip: &'static str) -> Vec<Row> {
    vec![
        pop(format!("{family}: TCP without a port in its listener takes every port"), to(vip).tcp(2, 1))
            .forwarded(vip, way::V6)
            .hashed(Hashed::Flow(6, 2, 1)),
        pop(format!("{family}: TCP taken whole takes no UDP"), to(vip).udp(2, 1)).dropped(vip, Outcome::NoListener),
        pop(format!("{family}: TCP taken whole takes no echo request"), to(vip).icmp_echo(2, 1))
            .dropped(vip, Outcome::NoListener),
    ]
}
