//! What an ICMPv6 error must quote, all within the packet, its extension headers included.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::Packet;

use crate::fixture::{
    Hashed, Row, pop,
    world::{CLIENT_V6, ROUTER_V6, vip, way},
};

const WHOLE: &str = vip::WHOLE_V6_BY_V6;
const LISTENING: &str = vip::LISTENING_V6;

/// What a VIP sent.
fn sent_by(vip: &str) -> Packet {
    Packet::from_to(vip, CLIENT_V6)
}

/// Destination unreachable, with these bytes as the quote.
fn error(vip: &str, quote: impl AsRef<[u8]>) -> Packet {
    Packet::from_to(ROUTER_V6, vip).icmp(1, 4, [0; 4]).payload(quote)
}

fn dropped(name: &str, vip: &'static str, quote: impl AsRef<[u8]>) -> Row {
    pop(format!("{name} is dropped"), error(vip, quote)).dropped(vip, Outcome::IcmpQuote)
}

/// So many destination options.
fn chain(packet: Packet, count: usize) -> Packet {
    (0..count).fold(packet, |packet, _| packet.destination_options())
}

pub fn rows() -> Vec<Row> {
    let mut rows = cut();
    rows.extend(wrong());
    rows.extend(chains());
    rows.extend(truncated_messages());
    rows
}

fn cut() -> Vec<Row> {
    let udp = sent_by(LISTENING).udp(53, 9).build_ip();
    let whole = sent_by(WHOLE).udp(53, 9).build_ip();
    vec![
        dropped("IPv6: an error that quotes nothing", LISTENING, []),
        dropped("IPv6: an error that quotes nothing, to a VIP without listeners", WHOLE, []),
        dropped("IPv6: a quote of 39 bytes", LISTENING, &udp[..39]),
        dropped("IPv6: a quote of 39 bytes to a VIP without listeners", WHOLE, &whole[..39]),
        dropped("IPv6: a quote without ports", LISTENING, &udp[..40]),
        dropped("IPv6: a quote with 3 bytes of ports", LISTENING, &udp[..43]),
        pop("IPv6: padding does not complete a quote: dropped", error(LISTENING, &udp[..43]).pad_to(150))
            .counted_as(40 + 8 + 43)
            .dropped(LISTENING, Outcome::IcmpQuote),
        pop("IPv6: a quote without ports to a VIP without listeners is forwarded", error(WHOLE, &whole[..40]))
            .forwarded(WHOLE, way::V6)
            .flow_of(CLIENT_V6),
    ]
}

fn wrong() -> Vec<Row> {
    vec![
        dropped(
            "IPv6: a quoted packet that another address sent",
            LISTENING,
            sent_by("2001:db8:1::fb").udp(53, 9).build_ip(),
        ),
        dropped("IPv6: a quoted packet that another VIP sent", LISTENING, sent_by(WHOLE).udp(53, 9).build_ip()),
        dropped(
            "IPv6: a quoted packet that another address sent, to a VIP without listeners",
            WHOLE,
            sent_by("2001:db8:1::fb").udp(53, 9).build_ip(),
        ),
        dropped("IPv6: a quoted version of 4", LISTENING, sent_by(LISTENING).version(4).udp(53, 9).build_ip()),
        dropped(
            "IPv6: a quoted IPv4 packet",
            LISTENING,
            Packet::from_to(vip::LISTENING_V4, "198.51.100.7").udp(53, 9).payload_len(40).build_ip(),
        ),
    ]
}

fn chains() -> Vec<Row> {
    let forwarded = |name: &str, quoted: Packet, hashed| {
        pop(name, error(LISTENING, quoted.build_ip())).forwarded(LISTENING, way::V6).hashed(hashed).flow_of(CLIENT_V6)
    };
    let flow = Hashed::Flow(17, 9, 53);
    let sent = || sent_by(LISTENING);
    let cut_chain = |vip, bytes| chain(sent_by(vip), 2).udp(53, 9).truncate_ip(bytes).build_ip();
    vec![
        forwarded("a quoted chain of 8 extension headers is walked", chain(sent(), 8).udp(53, 9), flow),
        forwarded("a quoted atomic fragment has ports", sent().fragment(0, false).udp(53, 9), flow),
        forwarded(
            "a quoted fragment behind options has none",
            sent().routing().fragment(8, true).udp(54, 9),
            Hashed::Protocol(17),
        ),
        forwarded("a quoted routing header of 40 bytes is walked", sent().extension(43, 4).udp(53, 9), flow),
        pop("an error behind 8 extension headers, which quotes 8, is forwarded", {
            let quote = chain(sent(), 8).udp(53, 9).build_ip();
            chain(Packet::from_to(ROUTER_V6, LISTENING), 8).icmp(1, 4, [0; 4]).payload(quote)
        })
        .forwarded(LISTENING, way::V6)
        .hashed(flow)
        .flow_of(CLIENT_V6),
        pop("an error behind an atomic fragment header is an error", {
            let quote = sent().udp(53, 9).build_ip();
            Packet::from_to(ROUTER_V6, LISTENING).fragment(0, false).icmp(1, 4, [0; 4]).payload(quote)
        })
        .forwarded(LISTENING, way::V6)
        .hashed(flow)
        .flow_of(CLIENT_V6),
        dropped("a quoted chain of 9 extension headers", LISTENING, chain(sent(), 9).udp(53, 9).build_ip()),
        dropped(
            "a quoted chain of 9 extension headers, to a VIP without listeners",
            WHOLE,
            chain(sent_by(WHOLE), 9).udp(53, 9).build_ip(),
        ),
        dropped("a quoted chain cut within its second header", LISTENING, cut_chain(LISTENING, 55)),
        dropped("a quoted chain cut within its second header, to a VIP without listeners", WHOLE, cut_chain(WHOLE, 55)),
        dropped("a quoted chain cut before the ports behind it", LISTENING, cut_chain(LISTENING, 56)),
        dropped(
            "a quoted extension header longer than the quote",
            LISTENING,
            sent().raw_extension(60, &[2, 1, 4, 0, 0, 0, 0]).udp(53, 9).payload_len(7).build_ip(),
        ),
    ]
}

fn truncated_messages() -> Vec<Row> {
    let message =
        |vip, bytes: usize| Packet::from_to(ROUTER_V6, vip).protocol(58).payload(&[2, 0, 0, 0, 0, 0, 5][..bytes]);
    vec![
        pop("7 bytes of an ICMPv6 error are truncated", message(LISTENING, 7)).dropped(LISTENING, Outcome::L4Truncated),
        pop("7 bytes of an ICMPv6 error to a VIP without listeners are truncated", message(WHOLE, 7))
            .dropped(WHOLE, Outcome::L4Truncated),
        pop("the first byte of an ICMPv6 error to a VIP without listeners is truncated", message(WHOLE, 1))
            .dropped(WHOLE, Outcome::L4Truncated),
        pop("padding does not complete an ICMPv6 error: truncated", message(WHOLE, 7).pad_to(90))
            .counted_as(47)
            .dropped(WHOLE, Outcome::L4Truncated),
    ]
}
