//! The kernel's route to the client, and what it makes of the answer.

use anycast_common::outcome::Outcome;
use anycast_tests::{
    oracle::model::Action,
    packet::{IcmpError, Packet},
};

use super::{around, client, returned_as_is, ways};
use crate::fixture::{Answer, Row, backbone};

/// Of a VIP of this family.
pub fn rows(family: usize) -> Vec<Row> {
    let (vips, way) = ways()[family];
    let (vip, kind) = (vips[family], ["IPv4", "IPv6"][family]);
    let to = |client: [&str; 2]| Packet::from_to(vip, client[family]);
    let short = |client| to(client).udp(53, 4321).payload_len(8).build_ip();
    let of_length = |client, bytes: usize| to(client).df().payload_len(bytes - [20, 40][family]).build_ip();
    let row = |what: &str, inner: &[u8]| {
        backbone(format!("answer of {kind}: {what}"), around(&way, inner)).counted_as(inner.len())
    };
    let mut rows = vec![];
    for (what, client) in [
        ("no route", client::NO_ROUTE),
        ("a route to nowhere", client::BLACKHOLE),
        ("the client is this host", client::OWN),
        ("a route by the backbone", client::BACKBONE),
        ("a route by the backbone that is not resolved", client::UNRESOLVED_BACKBONE),
    ] {
        rows.push(row(what, &short(client)).not_returned(vip, Outcome::NoReturnRoute));
    }
    rows.push(
        row("too long for a route by the backbone", &of_length(client::BACKBONE, 1501))
            .not_returned(vip, Outcome::NoReturnRoute),
    );
    rows.push(row("not in the device map", &short(client::UNMAPPED)).not_returned(vip, Outcome::NoEgress));
    let fits = of_length(client::NARROW, 1400);
    rows.push(returned_as_is(row("as long as the way takes", &fits), vip, &fits));
    rows.push(by_host(
        row("the neighbour is not resolved", &short(client::UNRESOLVED)),
        vip,
        &short(client::UNRESOLVED),
    ));
    let error = {
        let quote = Packet::from_to(client::NARROW[family], vip).udp(1, 2).payload_len(1400).build_ip();
        to(client::NARROW).df().icmp_error(IcmpError::Unreachable, &quote).build_ip()
    };
    rows.push(row("an error that is too long", &error).not_returned(vip, Outcome::TooBig));
    let later = to(client::NARROW).df().fragment(800, false).payload_len(1420).build_ip();
    rows.push(row("a later fragment that is too long", &later).not_returned(vip, Outcome::TooBig));
    if family == 0 {
        let divisible = to(client::NARROW).payload_len(1381).build_ip();
        rows.push(row("too long without DF", &divisible).not_returned(vip, Outcome::TooBig));
    }
    rows
}

/// Given to the host's stack without outer headers, its TTL as it was.
fn by_host(row: Row, vip: &'static str, inner: &[u8]) -> Row {
    let ether_type = if inner[0] >> 4 == 6 { [0x86, 0xdd] } else { [0x08, 0x00] };
    let frame = [&row.input.frame[..12], &ether_type, inner].concat();
    let outcome = Outcome::ReturnedByHost;
    row.answer(Answer { vip, outcome, action: Action::Pass, frame: Some(frame), peer: None })
}
