//! What a PoP passes and drops, and where that is counted.

use anycast_common::{
    map::Counter,
    outcome::{Class, Outcome},
};

use super::fixture::{ETHERNET_IN, assert_dropped, hex, tables, tables_with_listeners, to_pop};
use crate::oracle::{
    model::{self, Action, CounterKey, Input, Program},
    tables::Tables,
};

const UDP4: &str = "45b9 0020 1234 0000 4011 7ba4 c6336407 c0000201  04d2 0035 000c 0000 61626364";

fn ipv4(header_and_payload: &str) -> String {
    format!("{ETHERNET_IN} 0800 {header_and_payload}")
}

/// An IPv6 packet to the VIP: first next header, then what is behind the fixed header.
fn ipv6(next_header: u8, behind: &str) -> String {
    let length = hex(behind).len();
    let addresses = "20010db8000f00000000000000000007 20010db8000000000000000000000001";
    format!("{ETHERNET_IN} 86dd 60000000 {length:04x} {next_header:02x} 40 {addresses} {behind}")
}

fn assert_drops(tables: &Tables, frame: &str, reason: Outcome) {
    assert_dropped(&to_pop(tables, frame), frame, reason);
}

#[test]
fn packet_for_no_vip_passes_whatever_it_is() {
    for frame in [
        ipv4("45b9 0020 1234 0000 4011 7ba4 c6336407 c0000202  04d2 0035 000c 0000 61626364"),
        // A third tag; a tag cut short; an ARP frame; 19 bytes of IPv4; a bare Ethernet header.
        format!("{ETHERNET_IN} 8100 0001 8100 0002 8100 0003 0800 {UDP4}"),
        format!("{ETHERNET_IN} 8100 0001 08"),
        format!("{ETHERNET_IN} 0806 {UDP4}"),
        ipv4("45b9 0020 1234 0000 4011 7ba4 c6336407 c00002"),
        format!("{ETHERNET_IN} 86dd"),
    ] {
        let verdict = to_pop(&tables(), &frame);
        assert_eq!((verdict.outcome, verdict.action), (Some(Outcome::NotVip), Action::Pass), "{frame}");
        assert_eq!(verdict.frame, Some(hex(&frame)));
    }
}

#[test]
fn passed_packet_counts_the_bytes_behind_the_tags_that_were_skipped() {
    let frame = format!("{ETHERNET_IN} 8100 0001 8100 0002 8100 0003 0800 {UDP4}");
    let counts = to_pop(&tables(), &frame).counts;
    let key = CounterKey::Outcome(Program::Pop, Outcome::NotVip as u32);
    assert_eq!(counts, [(key, Counter { packets: 1, bytes: 4 + 32 })]);
}

#[test]
fn stale_entry_passes_and_counts_for_no_vip() {
    let mut tables = tables();
    tables.pop.vips[0].stale = true;
    let verdict = to_pop(&tables, &ipv4(UDP4));
    assert_eq!((verdict.outcome, verdict.action), (Some(Outcome::StaleVip), Action::Pass));
    assert_eq!(verdict.counts.len(), 1);
}

#[test]
fn ipv4_mapped_destination_is_no_ipv4_vip() {
    let addresses = "20010db8000f00000000000000000007 00000000000000000000ffffc0000201";
    let verdict = to_pop(&tables(), &format!("{ETHERNET_IN} 86dd 60000000 0000 3b 40 {addresses}"));
    assert_eq!(verdict.outcome, Some(Outcome::NotVip));
}

#[test]
fn header_that_lies_is_dropped_with_the_first_reason_that_holds() {
    for (packet, reason) in [
        ("6500 0020 1234 0000 0011 0000 c6336407 c0000201  04d2 0035 000c 0000 61626364", Outcome::IpVersion),
        ("4400 0020 1234 0000 0011 0000 c6336407 c0000201  04d2 0035 000c 0000 61626364", Outcome::Ipv4HeaderLength),
        ("4f00 0020 1234 0000 0011 0000 c6336407 c0000201  04d2 0035 000c 0000 61626364", Outcome::Ipv4HeaderLength),
        ("4500 0021 1234 0000 0011 0000 c6336407 c0000201  04d2 0035 000c 0000 61626364", Outcome::Ipv4TotalLength),
        ("4600 0017 1234 0000 0011 0000 c6336407 c0000201  04d2 0035 000c 0000 61626364", Outcome::Ipv4TotalLength),
        ("4500 0020 1234 0000 0111 0000 c6336407 c0000201  04d2 0035 000c 0000 61626364", Outcome::TtlExpired),
    ] {
        assert_drops(&tables(), &ipv4(packet), reason);
    }
    let lies = ipv6(17, "04d2 0035 0008 0000").replace(" 0008 11 40", " 0009 11 40");
    assert_drops(&tables(), &lies, Outcome::Ipv6PayloadLength);
}

#[test]
fn dropped_packet_counts_for_outcome_vip_and_reason() {
    let expired = "4500 0020 1234 0000 0111 0000 c6336407 c0000201  04d2 0035 000c 0000 61626364 eeee";
    let one = Counter { packets: 1, bytes: 32 };
    let reason = Outcome::TtlExpired as u32;
    assert_eq!(
        to_pop(&tables(), &ipv4(expired)).counts,
        [
            (CounterKey::Outcome(Program::Pop, reason), one),
            (CounterKey::Vip(Program::Pop, 0, Class::Dropped as u32), one),
            (CounterKey::VipDrop(Program::Pop, 0, reason), one),
        ]
    );
}

#[test]
fn eight_extension_headers_are_walked_and_a_ninth_is_not() {
    let chain = |count: usize| "3c00 000000000000 ".repeat(count - 1) + "3b00 000000000000";
    assert_eq!(to_pop(&tables(), &ipv6(60, &chain(8))).outcome, Some(Outcome::Forwarded));
    assert_drops(&tables(), &ipv6(60, &chain(9)), Outcome::Ipv6ExtensionHeaders);
    // One unit more than there is.
    assert_drops(&tables(), &ipv6(60, "3b01 000000000000"), Outcome::Ipv6ExtensionHeaders);
    assert_drops(&tables(), &ipv6(44, "3b00 0000 000000"), Outcome::Ipv6ExtensionHeaders);
}

#[test]
fn fragment_ends_the_walk_and_an_atomic_one_does_not() {
    let tables = tables_with_listeners(&[(17, Some((53, 53)))]);
    let udp_to_54 = "04d2 0036 0008 0000";
    assert_drops(&tables, &ipv6(44, &format!("1100 0006 00000001 {udp_to_54}")), Outcome::NoListener);
    let first_fragment = ipv6(44, &format!("1100 0001 00000001 {udp_to_54}"));
    assert_eq!(to_pop(&tables, &first_fragment).outcome, Some(Outcome::Forwarded));
    // A fragment of something that begins with destination options: its protocol is 60, and no listener's.
    assert_drops(&tables, &ipv6(44, "3c00 0001 00000001"), Outcome::NoListener);
}

#[test]
fn listener_takes_its_ports_and_nothing_else() {
    let udp = |port: u16| format!("4500 001c 0000 0000 4011 0000 c6336407 c0000201  04d2 {port:04x} 0008 0000");
    let tables = tables_with_listeners(&[(17, Some((1000, 2000))), (1, None)]);
    for (port, outcome) in [
        (999, Outcome::NoListener),
        (1000, Outcome::Forwarded),
        (2000, Outcome::Forwarded),
        (2001, Outcome::NoListener),
    ] {
        assert_eq!(to_pop(&tables, &ipv4(&udp(port))).outcome, Some(outcome), "port {port}");
    }
    let echo = "4500 001c 0000 0000 4001 0000 c6336407 c0000201  0800 0000 0001 0001";
    assert_eq!(to_pop(&tables, &ipv4(echo)).outcome, Some(Outcome::Forwarded));
    assert_drops(&tables, &ipv4(&echo.replace("4001", "4032")), Outcome::NoListener);
}

#[test]
fn truncated_transport_header_matters_to_listeners_only() {
    let seven_of_udp = "4500 001b 0000 0000 4011 0000 c6336407 c0000201  04d2 0035 0007 00";
    assert_drops(&tables_with_listeners(&[(17, None)]), &ipv4(seven_of_udp), Outcome::L4Truncated);
    assert_eq!(to_pop(&tables(), &ipv4(seven_of_udp)).outcome, Some(Outcome::Forwarded));
    let seven_of_an_error = "4500 001b 0000 0000 4001 0000 c6336407 c0000201  0301 0000 0000 00";
    assert_drops(&tables(), &ipv4(seven_of_an_error), Outcome::L4Truncated);
}

#[test]
fn error_about_a_packet_that_the_vip_never_sent_is_dropped() {
    let error = |quote: &str| {
        let total = 28 + hex(quote).len();
        ipv4(&format!("4500 {total:04x} 0000 0000 4001 0000 cb007109 c0000201  0b00 0000 0000 0000 {quote}"))
    };
    let listening = tables_with_listeners(&[(17, None)]);
    let foreign = error("4500 001c 0000 0000 4011 0000 c0000202 c6336407  0035 04d2 0008 0000");
    let without_ports = error("4500 001c 0000 0000 4011 0000 c0000201 c6336407  0035 04");
    let cut = error("4500 001c 0000 0000 4011 0000 c0000201 c63364");
    assert_drops(&tables(), &foreign, Outcome::IcmpQuote);
    assert_drops(&tables(), &cut, Outcome::IcmpQuote);
    assert_drops(&listening, &without_ports, Outcome::IcmpQuote);
    assert_eq!(to_pop(&tables(), &without_ports).outcome, Some(Outcome::Forwarded));
}

#[test]
fn every_link_of_the_chain_that_is_missing_has_its_reason() {
    let frame = ipv4(UDP4);
    let broken = |change: fn(&mut Tables)| {
        let mut tables = tables();
        change(&mut tables);
        tables
    };
    for (tables, reason) in [
        (broken(|tables| tables.pop.vips[0].pool = None), Outcome::NoPool),
        (broken(|tables| tables.pop.pools[0].slots.clear()), Outcome::EmptyPool),
        (broken(|tables| tables.pop.pools[0].slots = vec![None]), Outcome::NoBackend),
        (broken(|tables| tables.pop.pools[0].backends[0].route = None), Outcome::NextHopUnresolved),
        (broken(|tables| tables.pop.next_hops[0].mac = None), Outcome::NextHopUnresolved),
    ] {
        assert_drops(&tables, &frame, reason);
    }
    let verdict = to_pop(&broken(|tables| tables.pop.links[0].in_device_map = false), &frame);
    assert_eq!((verdict.outcome, verdict.action), (Some(Outcome::NoEgress), Action::Drop));
    let frame = hex(&frame);
    let input = Input { headroom: false, ..Input::new(Program::Pop, 7, frame) };
    assert_eq!(model::run(&tables(), &input).outcome, Some(Outcome::Headroom));
}

#[test]
fn packet_as_long_as_the_mtu_is_forwarded_and_one_byte_more_is_not() {
    for (mtu_bytes, outcome) in [(52, Outcome::Forwarded), (51, Outcome::TooBig)] {
        let mut tables = tables();
        let backend = &mut tables.pop.pools[0].backends[0];
        backend.route.as_mut().expect("a route").mtu_bytes = mtu_bytes;
        assert_eq!(to_pop(&tables, &ipv4(UDP4)).outcome, Some(outcome));
    }
}

#[test]
fn backbone_program_passes_and_counts_nothing() {
    let frame = hex(&ipv4(UDP4));
    let input = Input::new(Program::Backbone, 8, frame);
    let verdict = model::run(&tables(), &input);
    assert_eq!((verdict.action, verdict.frame, verdict.counts.len()), (Action::Pass, Some(input.frame), 0));
}
