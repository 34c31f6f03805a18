//! TTL and hop limit used up: the sender is told, from the PoP's own address, so that traceroute shows it.

use anycast_common::outcome::Outcome::{TtlAnswered, TtlExpired};
use anycast_tests::packet::{IcmpError, Packet};

use crate::fixture::{
    Row, pop, to,
    world::{CLIENT_V4, CLIENT_V6, OWN_V4, OWN_V6, vip},
};

pub fn rows() -> Vec<Row> {
    let families = [
        ("IPv4", vip::WHOLE_V4_BY_V4, vip::LISTENING_V4, OWN_V4, CLIENT_V4, 576 - 28),
        ("IPv6", vip::WHOLE_V6_BY_V6, vip::LISTENING_V6, OWN_V6, CLIENT_V6, 1280 - 48),
    ];
    families.into_iter().flat_map(of_family).collect()
}

type Family = (&'static str, &'static str, &'static str, &'static str, &'static str, usize);

fn of_family((name, whole, listening, own, client, quote_bytes): Family) -> Vec<Row> {
    let told = |what: &str, vip: &'static str, change: &dyn Fn(Packet) -> Packet| {
        let expired = || change(to(vip).ttl(1));
        let packet = expired().build_ip();
        let quote = &packet[..packet.len().min(quote_bytes)];
        let error = Packet::from_to(own, client).as_error().icmp_error(IcmpError::TimeExceeded, quote).build_ip();
        pop(format!("{name}: {what} at its last hop is told so by the PoP"), expired()).answered(
            vip,
            TtlAnswered,
            error,
        )
    };
    let untold = |what: &str, change: &dyn Fn(Packet) -> Packet| {
        pop(format!("{name}: {what} at its last hop is dropped silently"), change(to(whole).ttl(1)))
            .dropped(whole, TtlExpired)
    };
    let (icmp, redirect) = if name == "IPv4" { (1, 5) } else { (58, 137) };
    let header_bytes = if name == "IPv4" { 20 } else { 40 };
    let mut rows = vec![
        told("a UDP datagram", whole, &|packet| packet.udp(1, 2)),
        told("a TCP SYN", whole, &|packet| packet.tcp_syn(1, 80)),
        told("a packet that no listener takes", listening, &|packet| packet.tcp(1, 81)),
        told("a packet without payload", whole, &|packet| packet.protocol(253)),
        told("a packet with one tag", whole, &|packet| packet.vlan(5).udp(1, 2)),
        told("a packet with two tags", whole, &|packet| packet.service_vlan(5).vlan(6).udp(1, 2).payload_len(31)),
        told("an echo reply", whole, &|packet| packet.icmp_echo_reply(1, 2)),
        told("a first fragment", whole, &|packet| packet.id(5).fragment(0, true).udp(1, 2).payload_len(64)),
        untold("a later fragment", &|packet| packet.id(5).fragment(64, false).payload_len(64)),
        untold("a middle fragment", &|packet| packet.id(5).fragment(64, true).payload_len(64)),
        untold("an error", &|packet| {
            packet.icmp_error(IcmpError::Unreachable, Packet::from_to(whole, client).udp(2, 1).build_ip())
        }),
        untold("a redirect", &|packet| packet.icmp(redirect, 0, [0; 4]).payload_len(40)),
        untold("an ICMP message without a byte", &|packet| packet.protocol(icmp)),
        pop(
            format!("{name}: a packet at its last hop is dropped where there is no room for an answer"),
            to(whole).ttl(1).udp(1, 2),
        )
        .without_headroom()
        .dropped(whole, TtlExpired),
        pop(format!("{name}: a hop limit of 0 is answered as one of 1"), to(whole).ttl(0).udp(1, 2)).answered(
            whole,
            TtlAnswered,
            Packet::from_to(own, client)
                .as_error()
                .icmp_error(IcmpError::TimeExceeded, to(whole).ttl(0).udp(1, 2).build_ip())
                .build_ip(),
        ),
        pop(format!("{name}: padding is not quoted"), to(whole).ttl(1).payload_len(2).pad_to(90))
            .counted_as(header_bytes + 2)
            .answered(
                whole,
                TtlAnswered,
                Packet::from_to(own, client)
                    .as_error()
                    .icmp_error(IcmpError::TimeExceeded, to(whole).ttl(1).payload_len(2).build_ip())
                    .build_ip(),
            ),
    ];
    // Every length of the last word, and the edge of what is quoted.
    for bytes in [1, 2, 3, 4, 5, 100, 257, 500, 510, 511, 512, quote_bytes - 1, quote_bytes, quote_bytes + 1, 1400] {
        let payload_bytes = bytes.max(header_bytes) - header_bytes + bytes % 4;
        rows.push(told(
            &format!("a packet with {payload_bytes} bytes behind its header ({bytes})"),
            whole,
            &|packet| packet.payload_len(payload_bytes),
        ));
    }
    rows
}
