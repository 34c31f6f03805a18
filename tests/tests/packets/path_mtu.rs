//! A packet that does not fit the path: its sender is told the MTU that does, in the VIP's name.

use anycast_common::outcome::Outcome::{TooBig, TooBigAnswered};
use anycast_tests::packet::{IcmpError, Packet};

use crate::fixture::{
    Row, Way, pop, to,
    world::{CLIENT_V4, CLIENT_V6, broken_vip as vip, broken_way as way},
};

pub fn rows() -> Vec<Row> {
    [(vip::NARROW_V4, way::NARROW_V4, 20), (vip::NARROW_V6, way::NARROW_V6, 40)].into_iter().flat_map(by_way).collect()
}

fn by_way(([v4, v6], way, outer_bytes): ([&'static str; 2], Way, usize)) -> Vec<Row> {
    let fits = 1400 - outer_bytes;
    let told = |what: &str, vip: &'static str, client, packet: &dyn Fn() -> Packet, quote_bytes: usize| {
        let whole = packet().build_ip();
        let error = IcmpError::TooBig(fits as u16);
        let quote = &whole[..whole.len().min(quote_bytes)];
        let answer = Packet::from_to(vip, client).as_error().icmp_error(error, quote).build_ip();
        pop(format!("{vip}: {what} is told the MTU {fits}"), packet()).answered(vip, TooBigAnswered, answer)
    };
    let untold = |what: &str, vip: &'static str, packet: Packet| {
        pop(format!("{vip}: {what} is dropped silently"), packet).dropped(vip, TooBig)
    };
    let v4_of = move |bytes: usize| to(v4).df().payload_len(bytes - 20);
    let v6_of = move |bytes: usize| to(v6).payload_len(bytes - 40);
    vec![
        pop(format!("{v4}: IPv4 with DF of {fits} bytes fits"), v4_of(fits)).forwarded(v4, way),
        pop(format!("{v6}: IPv6 of {fits} bytes fits without a word"), v6_of(fits)).forwarded(v6, way),
        told("IPv4 with DF, one byte too long", v4, CLIENT_V4, &|| v4_of(fits + 1), 548),
        told("IPv4 with DF of 1500 bytes", v4, CLIENT_V4, &|| v4_of(1500), 548),
        told(
            "IPv4 with DF, options and a tag",
            v4,
            CLIENT_V4,
            &|| to(v4).df().options(&[1; 8]).vlan(9).payload_len(1400),
            548,
        ),
        told("a first fragment with DF", v4, CLIENT_V4, &|| v4_of(1500).fragment(0, true), 548),
        told("IPv6, one byte too long", v6, CLIENT_V6, &|| v6_of(fits + 1), 1232),
        told("IPv6 of 1500 bytes with two tags", v6, CLIENT_V6, &|| v6_of(1500).service_vlan(9).vlan(10), 1232),
        told("a first fragment of IPv6", v6, CLIENT_V6, &|| to(v6).fragment(0, true).payload_len(1440), 1232),
        untold("IPv4 without DF", v4, to(v4).payload_len(1480)),
        untold("a later fragment with DF", v4, v4_of(1500).fragment(800, false)),
        untold("a later fragment of IPv6", v6, to(v6).fragment(800, false).payload_len(1440)),
        untold("an error of IPv4", v4, {
            let quote = Packet::from_to(v4, CLIENT_V4).udp(2, 1).payload_len(1400).build_ip();
            to(v4).df().icmp_error(IcmpError::Unreachable, &quote)
        }),
        untold("an error of IPv6", v6, {
            let quote = Packet::from_to(v6, CLIENT_V6).udp(2, 1).payload_len(1400).build_ip();
            to(v6).icmp_error(IcmpError::Unreachable, &quote)
        }),
        untold("IPv4 with DF in a frame without room", v4, v4_of(1500)).without_headroom(),
    ]
}
