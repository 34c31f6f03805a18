//! What a PoP host itself sends to VIPs: to the backend of its mark, and without a mark as a client's packet.

use anycast_common::outcome::Outcome;
use anycast_tests::{
    oracle::model::{Mark, Program},
    packet::{IcmpError, Packet},
};

use crate::{
    echo,
    fixture::{
        Hashed, Row, Way, probe, to,
        world::{CLIENT_V4, CLIENT_V6, address, vip, way},
    },
    hash_modes, icmp_errors, listeners, malformed_v4, malformed_v6, no_vip, protocols,
};

/// Backends of pools of one, in the order of the pools.
const WAYS: [Way; 4] = [way::V4, way::V6, way::TAGGED_V4, way::TAGGED_V6];

pub fn rows() -> Vec<Row> {
    [vip::WHOLE_V4_BY_V4, vip::WHOLE_V6_BY_V4]
        .into_iter()
        .flat_map(to_every_backend)
        .chain([0, 1].into_iter().flat_map(of_family))
        .chain(of_spread_pool())
        .chain(not_for_a_vip())
        .chain(without_mark())
        .collect()
}

fn family(vip: &str) -> &'static str {
    if vip.contains(':') { "IPv6" } else { "IPv4" }
}

/// Whatever pool the VIP is bound to.
fn to_every_backend(vip: &'static str) -> Vec<Row> {
    let rows = WAYS.into_iter().enumerate().flat_map(|(pool, way)| {
        let row = |what: &str, packet: Packet| {
            probe(format!("probe of {} by {}, {what}", family(vip), way.backend), packet).marked_for(Mark::Of(pool, 0))
        };
        [
            row("UDP", to(vip).udp(4000 + pool as u16, 53).payload_len(30)).forwarded(vip, way).hashed(Hashed::Flow(
                17,
                4000 + pool as u16,
                53,
            )),
            row("TCP, padded and marked", to(vip).dscp_ecn(0xb9).tcp(5000, 80).pad_to(90))
                .forwarded(vip, way)
                .marked(0xb9)
                .hashed(Hashed::Flow(6, 5000, 80)),
        ]
    });
    rows.collect()
}

/// Backends that share a pool, each by its own mark.
fn of_spread_pool() -> Vec<Row> {
    let rows = way::SPREAD.into_iter().enumerate().map(|(position, way)| {
        let (vip, protocol) = (vip::WHOLE_V4_BY_V4, Hashed::Protocol(1));
        // An even flow hash leads to the way's own neighbour.
        let way = if protocol.hash(address(CLIENT_V4), address(vip)) & 1 == 0 {
            way
        } else {
            Way { neighbour: way::SECOND.neighbour, ..way }
        };
        probe(format!("probe of backend {position} of a pool"), to(vip).icmp_echo(1, 2))
            .marked_for(Mark::Of(4, position))
            .forwarded(vip, way)
            .hashed(protocol)
    });
    rows.collect()
}

/// What listeners and `icmp_echo` say is of clients; what makes a packet none is of all.
fn of_family(family: usize) -> Vec<Row> {
    let of = |vips: [&'static str; 2]| vips[family];
    let whole = of([vip::WHOLE_V4_BY_V4, vip::WHOLE_V6_BY_V6]);
    let listening = of([vip::LISTENING_V4, vip::LISTENING_V6]);
    let tcp_only = of([vip::TCP_V4, vip::TCP_V6]);
    let kind = self::family(whole);
    let icmp = [1, 58][family];
    let row = |what: &str, packet: Packet| probe(format!("probe, {kind}: {what}"), packet).marked_for(Mark::Of(0, 0));
    let goes = |what: &str, vip: &'static str, packet: Packet, hashed| {
        row(what, packet).forwarded(vip, way::V4).hashed(hashed)
    };
    let drops = |what: &str, vip: &'static str, packet: Packet, reason| row(what, packet).dropped(vip, reason);
    let echo = |vip| to(vip).icmp_echo(7, 1).payload_len(16);
    let error = {
        let quote = Packet::from_to(whole, [CLIENT_V4, CLIENT_V6][family]).udp(9, 8).build_ip();
        to(whole).icmp_error(IcmpError::Unreachable, &quote)
    };
    let mut rows = vec![
        goes("no listener asks", listening, to(listening).udp(1, 9).payload_len(4), Hashed::Flow(17, 1, 9)),
        goes("no listener's protocol asks", tcp_only, to(tcp_only).protocol(50).payload_len(9), Hashed::Protocol(50)),
        goes(
            "echo where the PoP answers",
            of([vip::ANSWERED_V4, vip::ANSWERED_V6]),
            echo(of([vip::ANSWERED_V4, vip::ANSWERED_V6])),
            Hashed::Protocol(icmp),
        ),
        goes(
            "echo where it is dropped",
            of([vip::SILENT_V4, vip::SILENT_V6]),
            echo(of([vip::SILENT_V4, vip::SILENT_V6])),
            Hashed::Protocol(icmp),
        ),
        goes("an error is not looked into", whole, error, Hashed::Protocol(icmp)),
        goes("a fragment", whole, to(whole).protocol(17).fragment(64, true).payload_len(64), Hashed::Protocol(17)),
        goes("a TTL of 2 goes on as 1", whole, to(whole).ttl(2).udp(1, 2), Hashed::Flow(17, 1, 2)),
        drops("a TTL of 1, untold", whole, to(whole).ttl(1).udp(1, 2), Outcome::TtlExpired),
        drops("half a TCP header", whole, to(whole).protocol(6).payload_len(19), Outcome::L4Truncated),
        drops("another version", whole, to(whole).version(5).udp(1, 2), Outcome::IpVersion),
        drops(
            "to a group",
            whole,
            to(whole).udp(1, 2).ethernet([1, 0, 94, 0, 0, 1], [2, 0, 0, 0, 0, 1]),
            Outcome::LinkGroup,
        ),
        drops("from the VIP itself", whole, Packet::from_to(whole, whole).udp(1, 2), Outcome::MartianSource),
        drops("no room in front", whole, to(whole).udp(1, 2), Outcome::Headroom).without_headroom(),
        row("a VIP that is changing", to(of([vip::STALE_V4, vip::STALE_V6])).udp(1, 2)).passed(Outcome::StaleVip),
    ];
    for (what, index) in [("no index", 0), ("an index that no backend has", 640), ("the last index", 0x00ff_ffff)] {
        let packet = to(whole).udp(1, 2);
        rows.push(drops(what, whole, packet, Outcome::NoBackend).marked_for(Mark::Nobody(index)));
    }
    rows.extend(if family == 0 {
        vec![
            drops("a header of 16 bytes", whole, to(whole).ihl(4).udp(1, 2), Outcome::Ipv4HeaderLength),
            drops("a length beyond the frame", whole, to(whole).udp(1, 2).total_length(99), Outcome::Ipv4TotalLength),
        ]
    } else {
        vec![
            drops(
                "a length beyond the frame",
                whole,
                to(whole).udp(1, 2).payload_length(99),
                Outcome::Ipv6PayloadLength,
            ),
            drops(
                "a chain that ends within a header",
                whole,
                to(whole).protocol(43).payload_len(7),
                Outcome::Ipv6ExtensionHeaders,
            ),
        ]
    });
    rows
}

fn not_for_a_vip() -> Vec<Row> {
    let row = |what: &str, packet: Packet| probe(format!("probe: {what} is passed"), packet).marked_for(Mark::Of(0, 0));
    let vip = vip::WHOLE_V4_BY_V4;
    let tagged = || to(vip).udp(1, 2).vlan(9);
    let tagged_bytes = tagged().build().len() - 14;
    vec![
        row("IPv4 to no VIP", to("192.0.2.254").udp(1, 2)).passed(Outcome::NotVip),
        row("IPv6 to no VIP", to("2001:db8:1::254").udp(1, 2)).passed(Outcome::NotVip),
        row("ARP", to(vip).ether_type(0x0806)).passed(Outcome::NotVip),
        row("half an IPv4 header", to(vip).truncate_ip(19)).passed(Outcome::NotVip),
        row("a tag", tagged()).counted_as(tagged_bytes).passed(Outcome::NotVip),
    ]
}

/// All that a client's packets may be.
fn without_mark() -> impl Iterator<Item = Row> {
    let of_clients = [
        echo::rows(),
        hash_modes::rows(),
        icmp_errors::rows(),
        listeners::rows(),
        malformed_v4::rows(),
        malformed_v6::rows(),
        no_vip::rows(),
        protocols::rows(),
    ];
    let is_whole = |row: &Row| row.input.program == Program::Pop && row.input.linear_bytes.is_none();
    of_clients.into_iter().flatten().filter(is_whole).map(Row::of_host)
}
