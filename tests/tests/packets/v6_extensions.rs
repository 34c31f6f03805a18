//! The chain of IPv6 extension headers: at most 8 are walked, each within the packet.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::Packet;

use crate::fixture::{
    Hashed, Row, pop, to,
    world::{vip, way},
};

const WHOLE: &str = vip::WHOLE_V6_BY_V6;
const LISTENING: &str = vip::LISTENING_V6;

/// Headers that are walked, fragment headers aside.
const WALKED: [(&str, u8); 6] = [
    ("hop-by-hop options", 0),
    ("a routing header", 43),
    ("destination options", 60),
    ("a mobility header", 135),
    ("a HIP header", 139),
    ("a Shim6 header", 140),
];

pub fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = WALKED.into_iter().flat_map(of_header).collect();
    rows.extend(chains());
    rows.extend(ends());
    rows.extend(broken());
    rows
}

fn of_header((what, number): (&str, u8)) -> [Row; 3] {
    [
        pop(format!("UDP behind {what} has ports"), to(LISTENING).extension(number, 0).udp(1, 53))
            .forwarded(LISTENING, way::V6)
            .hashed(Hashed::Flow(17, 1, 53)),
        pop(format!("UDP behind {what} of 40 bytes has ports"), to(LISTENING).extension(number, 4).udp(1, 53))
            .forwarded(LISTENING, way::V6)
            .hashed(Hashed::Flow(17, 1, 53)),
        pop(
            format!("{what} running beyond the packet: dropped"),
            to(LISTENING).raw_extension(number, &[1, 0, 0, 0, 0, 0, 0]).protocol(17).payload_len(7),
        )
        .dropped(LISTENING, Outcome::Ipv6ExtensionHeaders),
    ]
}

/// So many destination options.
fn chain(vip: &str, count: usize) -> Packet {
    (0..count).fold(to(vip), |packet, _| packet.destination_options())
}

fn chains() -> Vec<Row> {
    let flow = Hashed::Flow(17, 1, 53);
    vec![
        pop("8 extension headers are walked", chain(LISTENING, 8).udp(1, 53))
            .forwarded(LISTENING, way::V6)
            .hashed(flow),
        pop("9 extension headers are too many", chain(LISTENING, 9).udp(1, 53))
            .dropped(LISTENING, Outcome::Ipv6ExtensionHeaders),
        pop("9 extension headers are too many for a VIP without listeners", chain(WHOLE, 9).udp(1, 53))
            .dropped(WHOLE, Outcome::Ipv6ExtensionHeaders),
        pop("8 extension headers to a VIP without listeners are forwarded", chain(WHOLE, 8).udp(1, 53))
            .forwarded(WHOLE, way::V6),
        pop("an atomic fragment header is one of the 8", chain(LISTENING, 7).fragment(0, false).udp(1, 53))
            .forwarded(LISTENING, way::V6)
            .hashed(flow),
        pop("an atomic fragment header is the ninth", chain(LISTENING, 8).fragment(0, false).udp(1, 53))
            .dropped(LISTENING, Outcome::Ipv6ExtensionHeaders),
        pop("a fragment header is the ninth", chain(LISTENING, 8).fragment(8, true).udp(1, 53))
            .dropped(LISTENING, Outcome::Ipv6ExtensionHeaders),
        pop("every kind of extension header in one chain is walked", {
            let start = to(LISTENING).hop_by_hop().destination_options().routing().fragment(0, false);
            start.extension(135, 1).extension(139, 4).extension(140, 0).destination_options().udp(1, 53)
        })
        .forwarded(LISTENING, way::V6)
        .hashed(flow),
        pop(
            "hop-by-hop options that are not first are walked",
            to(LISTENING).destination_options().hop_by_hop().udp(1, 53),
        )
        .forwarded(LISTENING, way::V6)
        .hashed(flow),
        pop("an extension header of 1024 bytes is walked", to(LISTENING).extension(60, 127).udp(1, 53))
            .forwarded(LISTENING, way::V6)
            .hashed(flow),
        pop("a chain in front of TCP to a port without listener is dropped", chain(LISTENING, 2).tcp(1, 81))
            .dropped(LISTENING, Outcome::NoListener),
        pop("a chain in front of truncated TCP is dropped", chain(LISTENING, 2).protocol(6).payload_len(19))
            .dropped(LISTENING, Outcome::L4Truncated),
    ]
}

fn ends() -> Vec<Row> {
    vec![
        pop("ESP ends the chain, and is the protocol", chain(LISTENING, 1).esp(9))
            .forwarded(LISTENING, way::V6)
            .hashed(Hashed::Protocol(50)),
        pop(
            "AH ends the chain: it is the protocol, whatever is behind it",
            to(LISTENING).raw_extension(51, &[4, 0, 0, 0, 0, 0, 1]).udp(1, 53),
        )
        .dropped(LISTENING, Outcome::NoListener),
        pop("no next header ends the chain: it is the protocol", chain(LISTENING, 1).protocol(59))
            .dropped(LISTENING, Outcome::NoListener),
        pop("no next header behind options to a VIP without listeners is forwarded", chain(WHOLE, 1).protocol(59))
            .forwarded(WHOLE, way::V6),
        pop("an extension header that is none is a protocol", chain(LISTENING, 1).protocol(253).payload_len(8))
            .dropped(LISTENING, Outcome::NoListener),
    ]
}

fn broken() -> Vec<Row> {
    let seven = |vip| to(vip).protocol(60).payload([17, 0, 1, 4, 0, 0, 0]);
    let lying = |vip| to(vip).raw_extension(60, &[2, 1, 4, 0, 0, 0, 0]).udp(1, 53).payload_len(7);
    let dropped =
        |name: &str, packet, vip| pop(format!("{name}: dropped"), packet).dropped(vip, Outcome::Ipv6ExtensionHeaders);
    vec![
        dropped("no byte of an extension header within the packet", to(WHOLE).protocol(60), WHOLE),
        dropped("7 bytes of an extension header", seven(LISTENING), LISTENING),
        dropped("7 bytes of an extension header to a VIP without listeners", seven(WHOLE), WHOLE),
        dropped("padding does not complete 7 bytes of an extension header", seven(LISTENING).pad_to(90), LISTENING)
            .counted_as(47),
        dropped("an extension header one byte longer than the packet", lying(LISTENING), LISTENING),
        dropped("padding does not complete an extension header", lying(LISTENING).pad_to(200), LISTENING)
            .counted_as(40 + 8 + 15),
        dropped(
            "an extension header of 2048 bytes in a packet of 48",
            to(WHOLE).raw_extension(0, &[255, 0, 0, 0, 0, 0, 0]),
            WHOLE,
        ),
        dropped(
            "a second extension header runs beyond the packet",
            to(WHOLE).hop_by_hop().raw_extension(43, &[1, 0, 0, 0, 0, 0, 0]),
            WHOLE,
        ),
    ]
}
