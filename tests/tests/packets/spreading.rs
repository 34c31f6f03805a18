//! Which backend and which next hop: what belongs together stays together, and weights are kept.

use std::collections::BTreeMap;

use anycast_common::maglev::{Candidate, build};
use anycast_tests::{
    oracle::{
        kernel::Kernel,
        model::{CounterKey, Input, Program},
        subject::Subject as _,
    },
    packet::{IcmpError, Outer, Packet, decode_outer, tcp_flags},
    require_root,
};

use crate::fixture::{
    Hashed, Way, in_world, to,
    world::{CLIENT_V4, CLIENT_V6, ROUTER_V4, ROUTER_V6, SEED, WEIGHTS, address, interface, ordinary, vip, way},
};

/// Pool of the backends in the tables.
const POOL: usize = 4;
/// Client ports of the flows.
const PORTS: std::ops::Range<u16> = 20_000..21_000;

/// What leaves for a packet that comes in by the access interface.
fn forwarded(kernel: &mut Kernel, packet: Packet) -> Outer {
    let input = Input::new(Program::Pop, interface::ACCESS.ifindex, packet.build());
    let (_, frame) = kernel.run(&input).expect("a test run");
    decode_outer(&frame).expect("a tunnel packet")
}

/// By docs/hash.md: slot `((hash >> 32) * M) >> 32` of the pool's table.
fn backend_of(table: &[u32], hash: u64) -> &'static Way {
    let slot = ((hash >> 32) * table.len() as u64) >> 32;
    &way::SPREAD[table[slot as usize] as usize]
}

fn table() -> Vec<u32> {
    let candidates: Vec<Candidate> = way::SPREAD
        .iter()
        .zip(WEIGHTS)
        .map(|(way, weight)| {
            let address = match address(way.backend) {
                std::net::IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                std::net::IpAddr::V6(address) => address.octets(),
            };
            Candidate { address, weight }
        })
        .collect();
    build(&SEED, &candidates).expect("addresses are unique")
}

/// A family: VIP, client and router.
const FAMILIES: [(&str, &str, &str); 2] =
    [(vip::SPREAD_V4, CLIENT_V4, ROUTER_V4), (vip::SPREAD_V6, CLIENT_V6, ROUTER_V6)];

#[test]
fn packets_and_icmp_errors_of_1000_flows_go_to_the_backend_of_their_hash() {
    require_root!();
    let table = table();
    in_world(&ordinary(), |kernel| {
        for (vip, client, router) in FAMILIES {
            for port in PORTS {
                let hash = Hashed::Flow(6, port, 443).hash(address(client), address(vip));
                let backend = backend_of(&table, hash);
                let neighbour = if hash.is_multiple_of(2) { backend.neighbour } else { way::SECOND.neighbour };
                let sent = Packet::from_to(vip, client).tcp(443, port).payload_len(20).build_ip();
                let packets = [
                    to(vip).tcp_syn(port, 443),
                    to(vip).tcp(port, 443).payload_len(usize::from(port % 100)),
                    to(vip).tcp_with(port, 443, tcp_flags::FIN | tcp_flags::ACK).ttl(3).vlan(9),
                    Packet::from_to(router, vip).icmp_error(IcmpError::TooBig(1400), sent),
                ];
                for packet in packets {
                    let outer = forwarded(kernel, packet);
                    assert_eq!(outer.destination, address(backend.backend), "{vip} port {port}");
                    assert_eq!(outer.destination_mac, neighbour, "{vip} port {port}");
                    let label = if backend.is_v6() { (hash >> 4) as u32 & 0xf_ffff } else { 0 };
                    assert_eq!(outer.flow_label, label, "{vip} port {port}");
                }
            }
        }
    });
}

#[test]
fn all_fragments_of_a_datagram_go_to_one_backend() {
    require_root!();
    let table = table();
    in_world(&ordinary(), |kernel| {
        for (vip, client, _) in FAMILIES {
            let backend = backend_of(&table, Hashed::Protocol(17).hash(address(client), address(vip)));
            for id in 0..50 {
                let whole = to(vip).id(id).udp(PORTS.start + id, 53).payload_len(2000).build_ip();
                let data = &whole[whole.len() - 2008..];
                for (at, end) in [(0, 1200), (1200, 1208), (1208, 2008)] {
                    let packet = to(vip).id(id).fragment(at as u16, end < 2008).protocol(17).payload(&data[at..end]);
                    let outer = forwarded(kernel, packet);
                    assert_eq!(outer.destination, address(backend.backend), "{vip} datagram {id}, bytes {at}..{end}");
                }
            }
        }
    });
}

#[test]
fn shares_of_4000_flows_follow_the_weights_and_backends_count_theirs() {
    const FLOWS: u64 = 4000;
    require_root!();
    let tables = ordinary();
    in_world(&tables, |kernel| {
        for (vip, ..) in FAMILIES {
            let before = kernel.counters().expect("counters");
            let mut shares: BTreeMap<usize, u64> = BTreeMap::new();
            for flow in 0..FLOWS as u16 {
                let outer = forwarded(kernel, to(vip).udp(1024 + flow, 53));
                let backend = way::SPREAD.iter().position(|way| address(way.backend) == outer.destination);
                *shares.entry(backend.expect("one of the backends")).or_default() += 1;
            }
            let after = kernel.counters().expect("counters");
            let packets = |key| {
                let of = |counters: &BTreeMap<_, anycast_common::map::Counter>| {
                    counters.get(&key).map_or(0, |counter| counter.packets)
                };
                of(&after) - of(&before)
            };
            let total_weight: u64 = WEIGHTS.into_iter().map(u64::from).sum();
            for (backend, weight) in WEIGHTS.into_iter().enumerate() {
                let fair = FLOWS * u64::from(weight) / total_weight;
                let share = shares[&backend];
                // A fair share of 500 of 4000 has a standard deviation of 21.
                assert!(share.abs_diff(fair) < fair / 5, "{vip} backend {backend}: {share} flows, fair are {fair}");
                assert_eq!(packets(CounterKey::Backend(POOL, backend)), share, "{vip} backend {backend}");
            }
        }
    });
}

#[test]
fn all_protocols_of_a_client_go_to_one_backend_of_a_vip_without_listeners() {
    require_root!();
    let table = table();
    in_world(&ordinary(), |kernel| {
        let mut seen = BTreeMap::new();
        for client in 1..=100 {
            let client = format!("198.51.100.{client}");
            let vip = vip::SPREAD_WHOLE_V4;
            let backend = backend_of(&table, Hashed::Addresses.hash(address(&client), address(vip)));
            let from = || Packet::from_to(&client, vip);
            let quoted = Packet::from_to(vip, &client).udp(500, 500).build_ip();
            let packets = [
                from().udp(500, 500),
                from().udp(4500, 4500).payload_len(90),
                from().esp(1),
                from().tcp_syn(1, 21),
                from().icmp_echo(1, 1),
                from().fragment(8, false).protocol(17).payload_len(8),
                Packet::from_to(ROUTER_V4, vip).icmp_error(IcmpError::TimeExceeded, quoted),
            ];
            for packet in packets {
                let outer = forwarded(kernel, packet);
                assert_eq!(outer.destination, address(backend.backend), "{client}");
            }
            *seen.entry(backend.backend).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), way::SPREAD.len(), "clients are spread over all backends: {seen:?}");
    });
}
