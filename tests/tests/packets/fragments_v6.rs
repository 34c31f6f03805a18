//! IPv6 fragment headers: an atomic fragment (RFC 6946) is an ordinary packet, any other has no ports.

use anycast_common::outcome::Outcome;

use crate::fixture::{
    Hashed, Row, pop, to,
    world::{vip, way},
};

const WHOLE: &str = vip::WHOLE_V6_BY_V6;
const LISTENING: &str = vip::LISTENING_V6;
const TCP: &str = vip::TCP_V6;

pub fn rows() -> Vec<Row> {
    let mut rows = atomic();
    rows.extend(fragments());
    rows.extend(broken());
    rows
}

fn atomic() -> Vec<Row> {
    let flow = Hashed::Flow(17, 1, 53);
    let forwarded = |name, packet| pop(name, packet).forwarded(LISTENING, way::V6).hashed(flow);
    vec![
        forwarded("an atomic fragment has ports", to(LISTENING).fragment(0, false).udp(1, 53)),
        forwarded(
            "two atomic fragment headers are walked through",
            to(LISTENING).fragment(0, false).fragment(0, false).udp(1, 53),
        ),
        forwarded(
            "options behind an atomic fragment header are walked through",
            to(LISTENING).fragment(0, false).destination_options().udp(1, 53),
        ),
        forwarded(
            "reserved bits of a fragment header make no fragment",
            to(LISTENING).raw_extension(44, &[0xff, 0, 0b110, 0, 0, 0, 7]).udp(1, 53),
        ),
        pop(
            "an atomic fragment to a port that no listener has is dropped",
            to(LISTENING).fragment(0, false).udp(1, 54),
        )
        .dropped(LISTENING, Outcome::NoListener),
        pop(
            "an atomic fragment that ends inside its header is truncated",
            to(LISTENING).fragment(0, false).protocol(17).payload_len(7),
        )
        .dropped(LISTENING, Outcome::L4Truncated),
        pop("an atomic fragment to a VIP without listeners is forwarded", to(WHOLE).fragment(0, false).udp(1, 53))
            .forwarded(WHOLE, way::V6),
    ]
}

fn fragments() -> Vec<Row> {
    let forwarded =
        |name, packet, protocol| pop(name, packet).forwarded(LISTENING, way::V6).hashed(Hashed::Protocol(protocol));
    vec![
        forwarded(
            "IPv6: a first fragment is forwarded, and its port not looked at",
            to(LISTENING).fragment(0, true).udp(1, 54).payload_len(64),
            17,
        ),
        forwarded(
            "IPv6: a middle fragment is forwarded",
            to(LISTENING).fragment(1232, true).protocol(17).payload_len(1232),
            17,
        ),
        forwarded(
            "IPv6: a last fragment is forwarded",
            to(LISTENING).fragment(2464, false).protocol(17).payload_len(1),
            17,
        ),
        forwarded(
            "IPv6: a fragment at offset 8 without M is a fragment",
            to(LISTENING).fragment(8, false).protocol(6).payload_len(1),
            6,
        ),
        forwarded(
            "IPv6: a fragment behind hop-by-hop and routing headers is forwarded",
            to(LISTENING).hop_by_hop().routing().fragment(8, true).protocol(6).payload_len(8),
            6,
        ),
        forwarded(
            "IPv6: a fragment behind an atomic one is a fragment",
            to(LISTENING).fragment(0, false).fragment(8, true).protocol(6).payload_len(8),
            6,
        ),
        forwarded(
            "IPv6: a fragment of an ICMPv6 error goes by its own addresses",
            to(LISTENING).fragment(0, true).icmp(2, 0, [0; 4]).payload_len(16),
            58,
        ),
        pop(
            "IPv6: a fragment to a VIP without listeners is forwarded",
            to(WHOLE).fragment(8, true).protocol(17).payload_len(8),
        )
        .forwarded(WHOLE, way::V6),
        pop(
            "IPv6: a fragment's protocol is that of its header, options or not",
            to(LISTENING).fragment(8, true).destination_options().udp(1, 53),
        )
        .dropped(LISTENING, Outcome::NoListener),
        pop(
            "IPv6: a fragment of a protocol without listener is dropped",
            to(TCP).fragment(8, true).protocol(17).payload_len(8),
        )
        .dropped(TCP, Outcome::NoListener),
    ]
}

fn broken() -> Vec<Row> {
    let cut = |vip| to(vip).protocol_octet(44).protocol(17).payload([17, 0, 0, 1, 0, 0, 0]);
    vec![
        pop("7 bytes of a fragment header are a broken chain", cut(LISTENING))
            .dropped(LISTENING, Outcome::Ipv6ExtensionHeaders),
        pop("7 bytes of a fragment header to a VIP without listeners are a broken chain", cut(WHOLE))
            .dropped(WHOLE, Outcome::Ipv6ExtensionHeaders),
        pop("padding does not complete a fragment header", cut(LISTENING).pad_to(80))
            .counted_as(47)
            .dropped(LISTENING, Outcome::Ipv6ExtensionHeaders),
    ]
}
