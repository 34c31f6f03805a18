//! ICMP errors go where the flow goes that they are about: the quoted one, turned round.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::{IcmpError, Packet};

use crate::fixture::{
    Hashed, Row, pop,
    world::{CLIENT_V4, CLIENT_V6, ROUTER_V4, ROUTER_V6, vip, way},
};

/// A family: its name, VIPs with and without listeners and with TCP only, a client, a router, and its number of ICMP.
#[derive(Clone, Copy)]
struct Family {
    name: &'static str,
    whole: &'static str,
    listening: &'static str,
    tcp_only: &'static str,
    client: &'static str,
    router: &'static str,
    icmp: u8,
}

const V4: Family = Family {
    name: "IPv4",
    whole: vip::WHOLE_V4_BY_V6,
    listening: vip::LISTENING_V4,
    tcp_only: vip::TCP_V4,
    client: CLIENT_V4,
    router: ROUTER_V4,
    icmp: 1,
};

const V6: Family = Family {
    name: "IPv6",
    whole: vip::WHOLE_V6_BY_V6,
    listening: vip::LISTENING_V6,
    tcp_only: vip::TCP_V6,
    client: CLIENT_V6,
    router: ROUTER_V6,
    icmp: 58,
};

impl Family {
    /// An error from the router about a packet that this VIP sent.
    fn error(self, vip: &str, kind: u8, code: u8, quoted: Packet) -> Packet {
        Packet::from_to(self.router, vip).icmp(kind, code, [0; 4]).payload(quoted.build_ip())
    }

    /// What the VIP sent.
    fn sent_by(self, vip: &str) -> Packet {
        Packet::from_to(vip, self.client)
    }

    /// An error of a common kind.
    fn unreachable(self, vip: &str, quoted: Packet) -> Packet {
        Packet::from_to(self.router, vip).icmp_error(IcmpError::Unreachable, quoted.build_ip())
    }
}

pub fn rows() -> Vec<Row> {
    let kinds_v4 = [
        ("destination unreachable", 3, 1),
        ("fragmentation needed", 3, 4),
        ("source quench", 4, 0),
        ("redirect", 5, 1),
        ("time exceeded", 11, 0),
        ("parameter problem", 12, 0),
    ];
    let kinds_v6 = [
        ("destination unreachable", 1, 4),
        ("packet too big", 2, 0),
        ("time exceeded", 3, 0),
        ("parameter problem", 4, 1),
    ];
    let of_kinds = |family: Family, kinds: &[(&str, u8, u8)]| -> Vec<Row> {
        kinds.iter().map(|&(what, kind, code)| of_kind(family, what, kind, code)).collect()
    };
    let mut rows = of_kinds(V4, &kinds_v4);
    rows.extend(of_kinds(V6, &kinds_v6));
    for family in [V4, V6] {
        rows.extend(flows(family));
        rows.extend(refused(family));
        rows.extend(queries(family));
    }
    rows
}

fn of_kind(family: Family, what: &str, kind: u8, code: u8) -> Row {
    let Family { name, listening, client, .. } = family;
    let quoted = family.sent_by(listening).tcp(80, 4321).payload_len(8);
    pop(format!("{name}: {what} goes to the backend of the quoted flow"), family.error(listening, kind, code, quoted))
        .forwarded(listening, way::V6)
        .hashed(Hashed::Flow(6, 4321, 80))
        .flow_of(client)
}

fn flows(family: Family) -> Vec<Row> {
    let Family { name, whole, listening, client, icmp, .. } = family;
    let of = |what: &str, quoted: Packet, hashed| {
        pop(format!("{name}: an error that quotes {what} is forwarded"), family.unreachable(listening, quoted))
            .forwarded(listening, way::V6)
            .hashed(hashed)
            .flow_of(client)
    };
    let sent = || family.sent_by(listening);
    vec![
        of("UDP", sent().udp(53, 4321).payload_len(100), Hashed::Flow(17, 4321, 53)),
        of("SCTP", sent().sctp(36_412, 9), Hashed::Flow(132, 9, 36_412)),
        of("4 bytes of TCP, its ports", sent().protocol(6).payload([0, 80, 0x10, 0xe1]), Hashed::Flow(6, 4321, 80)),
        of("ESP", sent().esp(9), Hashed::Protocol(50)),
        of("no byte of ESP", sent().protocol(50), Hashed::Protocol(50)),
        of("an echo reply", sent().icmp_echo_reply(1, 1), Hashed::Protocol(icmp)),
        of("a first fragment", sent().fragment(0, true).udp(54, 4321), Hashed::Protocol(17)),
        of("a later fragment of nothing", sent().fragment(8, false).protocol(6), Hashed::Protocol(6)),
        of("a packet whose TTL is used up", sent().ttl(0).udp(53, 9), Hashed::Flow(17, 9, 53)),
        of(
            "a packet longer than the quote",
            sent().udp(53, 9).payload_len(1200).truncate_ip(528),
            Hashed::Flow(17, 9, 53),
        ),
        pop(
            format!("{name}: an error to a VIP without listeners goes by the quoted addresses"),
            family.unreachable(whole, family.sent_by(whole).udp(53, 4321)),
        )
        .forwarded(whole, way::V6)
        .flow_of(client),
        pop(
            format!("{name}: a quote for a VIP without listeners needs no ports"),
            family.unreachable(whole, family.sent_by(whole).protocol(6).payload_len(3)),
        )
        .forwarded(whole, way::V6)
        .flow_of(client),
        pop(format!("{name}: an error from the client itself is about the client's flow"), {
            let quoted = sent().udp(53, 4321).build_ip();
            Packet::from_to(client, listening).icmp_error(IcmpError::Unreachable, quoted)
        })
        .forwarded(listening, way::V6)
        .hashed(Hashed::Flow(17, 4321, 53)),
    ]
}

fn refused(family: Family) -> Vec<Row> {
    let Family { name, listening, tcp_only, .. } = family;
    let of = |what: &str, vip: &'static str, quoted: Packet| {
        pop(format!("{name}: an error that quotes {what} is dropped"), family.unreachable(vip, quoted))
            .dropped(vip, Outcome::NoListener)
    };
    vec![
        of("a port that no listener has", listening, family.sent_by(listening).tcp(81, 80)),
        of("a protocol that no listener takes", listening, family.sent_by(listening).protocol(253).payload_len(8)),
        of("UDP of a VIP that takes TCP only", tcp_only, family.sent_by(tcp_only).udp(80, 4321)),
        of(
            "a fragment of UDP of a VIP that takes TCP only",
            tcp_only,
            family.sent_by(tcp_only).fragment(8, false).protocol(17).payload_len(8),
        ),
        of("an echo reply of a VIP that takes TCP only", tcp_only, family.sent_by(tcp_only).icmp_echo_reply(1, 1)),
    ]
}

/// ICMP that is no error has a protocol and no ports.
fn queries(family: Family) -> Vec<Row> {
    let Family { name, listening, client, icmp, .. } = family;
    let of = |what: &str, kind: u8| {
        pop(format!("{name}: {what} is no error"), Packet::from_to(client, listening).icmp(kind, 0, [0; 4]))
            .forwarded(listening, way::V6)
            .hashed(Hashed::Protocol(icmp))
    };
    if icmp == 1 {
        vec![of("an echo request", 8), of("type 6", 6), of("type 10", 10), of("type 13", 13), of("type 255", 255)]
    } else {
        vec![of("an echo request", 128), of("type 0", 0), of("type 5", 5), of("type 127", 127), of("type 11", 11)]
    }
}
