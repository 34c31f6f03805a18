//! What an ICMP error must quote, all within the packet.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::Packet;

use crate::fixture::{
    Hashed, Row, pop,
    world::{CLIENT_V4, ROUTER_V4, vip, way},
};

const WHOLE: &str = vip::WHOLE_V4_BY_V6;
const LISTENING: &str = vip::LISTENING_V4;

/// What a VIP sent.
fn sent_by(vip: &str) -> Packet {
    Packet::from_to(vip, CLIENT_V4)
}

/// Destination unreachable, with these bytes as the quote.
fn error(vip: &str, quote: impl AsRef<[u8]>) -> Packet {
    Packet::from_to(ROUTER_V4, vip).icmp(3, 1, [0; 4]).payload(quote)
}

fn dropped(name: &str, vip: &'static str, quote: impl AsRef<[u8]>) -> Row {
    pop(format!("{name} is dropped"), error(vip, quote)).dropped(vip, Outcome::IcmpQuote)
}

pub fn rows() -> Vec<Row> {
    let mut rows = cut();
    rows.extend(wrong());
    rows.extend(truncated_messages());
    rows.push(
        pop("a quoted header with options has its ports behind them", {
            error(LISTENING, sent_by(LISTENING).options(&[1; 40]).udp(53, 9).build_ip())
        })
        .forwarded(LISTENING, way::V6)
        .hashed(Hashed::Flow(17, 9, 53))
        .flow_of(CLIENT_V4),
    );
    rows
}

fn cut() -> Vec<Row> {
    let udp = sent_by(LISTENING).udp(53, 9).build_ip();
    let whole = sent_by(WHOLE).udp(53, 9).build_ip();
    let with_options = sent_by(LISTENING).options(&[1; 8]).udp(53, 9).build_ip();
    vec![
        dropped("an error that quotes nothing", LISTENING, []),
        dropped("an error that quotes nothing, to a VIP without listeners", WHOLE, []),
        dropped("a quote of 19 bytes", LISTENING, &udp[..19]),
        dropped("a quote of 19 bytes to a VIP without listeners", WHOLE, &whole[..19]),
        dropped("a quote without ports", LISTENING, &udp[..20]),
        dropped("a quote with 3 bytes of ports", LISTENING, &udp[..23]),
        dropped("a quote cut within its options", LISTENING, &with_options[..24]),
        dropped("a quote cut within the ports behind its options", LISTENING, &with_options[..31]),
        pop("padding does not complete a quote: dropped", error(LISTENING, &udp[..23]).pad_to(120))
            .counted_as(20 + 8 + 23)
            .dropped(LISTENING, Outcome::IcmpQuote),
        pop("a quote without ports to a VIP without listeners is forwarded", error(WHOLE, &whole[..20]))
            .forwarded(WHOLE, way::V6)
            .flow_of(CLIENT_V4),
    ]
}

fn wrong() -> Vec<Row> {
    let quote = |packet: Packet| packet.build_ip();
    vec![
        dropped("a quoted packet that another address sent", LISTENING, quote(sent_by("192.0.2.251").udp(53, 9))),
        dropped("a quoted packet that another VIP sent", LISTENING, quote(sent_by(WHOLE).udp(53, 9))),
        dropped(
            "a quoted packet that another address sent, to a VIP without listeners",
            WHOLE,
            quote(sent_by("192.0.2.251").udp(53, 9)),
        ),
        dropped(
            "a quoted packet to the VIP, not from it",
            LISTENING,
            quote(Packet::from_to(CLIENT_V4, LISTENING).udp(9, 53)),
        ),
        dropped("a quoted version of 6", LISTENING, quote(sent_by(LISTENING).version(6).udp(53, 9))),
        dropped("a quoted header length of 4 words", LISTENING, quote(sent_by(LISTENING).ihl(4).udp(53, 9))),
        dropped("a quoted header that runs beyond the packet", LISTENING, quote(sent_by(LISTENING).ihl(15).udp(53, 9))),
        dropped(
            "a quoted header that runs beyond the packet, to a VIP without listeners",
            WHOLE,
            quote(sent_by(WHOLE).ihl(15).udp(53, 9)),
        ),
        dropped(
            "a quoted IPv6 packet",
            LISTENING,
            quote(Packet::from_to(vip::LISTENING_V6, "2001:db8:c::7").udp(53, 9)),
        ),
    ]
}

fn truncated_messages() -> Vec<Row> {
    let message =
        |vip, bytes: usize| Packet::from_to(ROUTER_V4, vip).protocol(1).payload(&[3, 1, 0, 0, 0, 0, 0][..bytes]);
    vec![
        pop("7 bytes of an error are truncated", message(LISTENING, 7)).dropped(LISTENING, Outcome::L4Truncated),
        pop("7 bytes of an error to a VIP without listeners are truncated", message(WHOLE, 7))
            .dropped(WHOLE, Outcome::L4Truncated),
        pop("the first byte of an error to a VIP without listeners is truncated", message(WHOLE, 1))
            .dropped(WHOLE, Outcome::L4Truncated),
        pop("padding does not complete an error: truncated", message(WHOLE, 7).pad_to(90))
            .counted_as(27)
            .dropped(WHOLE, Outcome::L4Truncated),
    ]
}
