//! IPv4 fragments have no ports: a VIP with listeners takes them by protocol and hashes on addresses and protocol.

use anycast_common::outcome::Outcome;

use crate::fixture::{
    Hashed, Row, pop, to,
    world::{vip, way},
};

const WHOLE: &str = vip::WHOLE_V4_BY_V6;
const LISTENING: &str = vip::LISTENING_V4;
const TCP: &str = vip::TCP_V4;

pub fn rows() -> Vec<Row> {
    let mut rows = without_listeners();
    rows.extend(taken());
    rows.extend(refused());
    rows.extend(no_fragments());
    rows
}

fn without_listeners() -> Vec<Row> {
    let forwarded = |name, packet| pop(name, packet).forwarded(WHOLE, way::V6);
    vec![
        forwarded(
            "a first fragment to a VIP without listeners is forwarded",
            to(WHOLE).id(7).fragment(0, true).udp(1, 2).payload_len(1472),
        ),
        forwarded(
            "a last fragment to a VIP without listeners is forwarded",
            to(WHOLE).id(7).fragment(1480, false).protocol(17).payload_len(9),
        ),
        forwarded(
            "a fragment of nothing to a VIP without listeners is forwarded",
            to(WHOLE).id(7).fragment(8, true).protocol(17),
        ),
        forwarded(
            "a fragment that looks like an ICMP error is none",
            to(WHOLE).id(7).fragment(8, false).protocol(1).payload([3, 3, 0, 0, 0, 0, 0, 0]),
        ),
    ]
}

fn taken() -> Vec<Row> {
    let forwarded = |name, packet, hashed| pop(name, packet).forwarded(LISTENING, way::V6).hashed(hashed);
    vec![
        forwarded(
            "a first fragment is forwarded, and its port not looked at",
            to(LISTENING).id(7).fragment(0, true).udp(1, 54).payload_len(64),
            Hashed::Protocol(17),
        ),
        forwarded(
            "a middle fragment is forwarded",
            to(LISTENING).id(7).fragment(1480, true).protocol(17).payload_len(1480),
            Hashed::Protocol(17),
        ),
        forwarded(
            "a last fragment is forwarded",
            to(LISTENING).id(7).fragment(2960, false).protocol(17).payload_len(1),
            Hashed::Protocol(17),
        ),
        forwarded(
            "a first fragment that ends inside its TCP header is forwarded",
            to(LISTENING).id(7).fragment(0, true).protocol(6).payload_len(8),
            Hashed::Protocol(6),
        ),
        forwarded(
            "a fragment of SCTP is forwarded",
            to(LISTENING).id(7).fragment(8, false).protocol(132).payload_len(8),
            Hashed::Protocol(132),
        ),
        forwarded(
            "a fragment of ESP, taken whole, is forwarded",
            to(LISTENING).id(7).fragment(8, false).protocol(50).payload_len(8),
            Hashed::Protocol(50),
        ),
        forwarded(
            "a fragment of an ICMP error goes by its own addresses",
            to(LISTENING).id(7).fragment(0, true).icmp(3, 4, [0; 4]).payload_len(16),
            Hashed::Protocol(1),
        ),
        forwarded(
            "a fragment with DF set is a fragment",
            to(LISTENING).df().fragment(8, false).protocol(17).payload_len(8),
            Hashed::Protocol(17),
        ),
        forwarded(
            "a fragment at the last offset there is, is forwarded",
            to(LISTENING).fragment(65_528, false).protocol(17).payload_len(7),
            Hashed::Protocol(17),
        ),
        pop(
            "a fragment for a protocol taken whole with ports is forwarded",
            to(TCP).id(7).fragment(8, false).protocol(6).payload_len(8),
        )
        .forwarded(TCP, way::V6)
        .hashed(Hashed::Protocol(6)),
    ]
}

fn refused() -> Vec<Row> {
    vec![
        pop(
            "a fragment of a protocol without listener is dropped",
            to(TCP).id(7).fragment(8, false).protocol(17).payload_len(8),
        )
        .dropped(TCP, Outcome::NoListener),
        pop("a fragment of ICMP without listener is dropped", {
            to(TCP).id(7).fragment(0, true).icmp(3, 4, [0; 4]).payload_len(16)
        })
        .dropped(TCP, Outcome::NoListener),
    ]
}

fn no_fragments() -> Vec<Row> {
    let flow = Hashed::Flow(17, 1, 53);
    vec![
        pop("DF alone makes no fragment", to(LISTENING).df().udp(1, 53)).forwarded(LISTENING, way::V6).hashed(flow),
        pop("the reserved flag makes no fragment", to(LISTENING).udp(1, 53).raw_ip(set_reserved_flag))
            .forwarded(LISTENING, way::V6)
            .hashed(flow)
            .with_inner(to(LISTENING).ttl(63).udp(1, 53).raw_ip(set_reserved_flag).build_ip()),
        pop("an ID makes no fragment", to(LISTENING).id(0xffff).udp(1, 53)).forwarded(LISTENING, way::V6).hashed(flow),
    ]
}

/// Bit 0 of the flags (RFC 791: must be zero), and a header checksum that agrees.
fn set_reserved_flag(ip: &mut [u8]) {
    ip[6] |= 0x80;
    let checksum = u16::from_be_bytes([ip[10], ip[11]]);
    let less = checksum.checked_sub(0x8000).unwrap_or_else(|| checksum + 0x7fff);
    ip[10..12].copy_from_slice(&less.to_be_bytes());
}
