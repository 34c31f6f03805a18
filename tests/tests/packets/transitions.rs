//! Slots in transition: new flows go to the new backend and are remembered, those that were there stay.

use std::net::IpAddr;

use anycast_common::maglev::{Candidate, build};
use anycast_tests::{
    oracle::{
        kernel::Kernel,
        model::{Input, Program},
        subject::Subject as _,
        tables::{Hash, Tables, Transition, Vip},
    },
    packet::{IcmpError, Packet, decode_outer, tcp_flags},
    require_root,
};

use crate::fixture::{
    in_world, to,
    world::{CLIENT_V4, CLIENT_V6, ROUTER_V4, ROUTER_V6, SEED, WEIGHTS, address, interface, ordinary, vip, way},
};

/// Position of the pool of four backends.
const POOL: usize = 4;
/// Slots of its table.
const SIZE: usize = 2039;
/// Where flows were: the last backend. It keeps none of the new ones.
const OLD: usize = 3;
/// Where new flows go.
const NEW: usize = 0;

/// VIP, client and router of a family, the VIP with listeners; and one without, which hashes on addresses.
const FAMILIES: [(&str, &str, &str); 3] = [
    (vip::SPREAD_V4, CLIENT_V4, ROUTER_V4),
    (vip::SPREAD_V6, CLIENT_V6, ROUTER_V6),
    (vip::SPREAD_WHOLE_V4, CLIENT_V4, ROUTER_V4),
];

fn world(transition: Transition) -> Tables {
    let mut tables = ordinary();
    tables.pop.pools[POOL].slots = vec![Some(NEW); SIZE];
    tables.pop.pools[POOL].is_odd = true;
    tables.pop.pools[POOL].transition = Some(transition);
    tables
}

fn marked() -> Transition {
    Transition { is_whole: false, marks: vec![true; SIZE], old: vec![Some(OLD); SIZE], begun: Vec::new() }
}

/// The old table is of another size.
fn whole() -> Transition {
    Transition { is_whole: true, marks: vec![false; SIZE], old: vec![Some(OLD); 7], begun: Vec::new() }
}

/// Which backend gets a packet.
fn backend(kernel: &mut Kernel, packet: Packet) -> usize {
    let input = Input::new(Program::Pop, interface::ACCESS.ifindex, packet.build());
    let (_, frame) = kernel.run(&input).expect("a test run");
    let outer: IpAddr = decode_outer(&frame).expect("a tunnel packet").destination;
    way::SPREAD.iter().position(|way| address(way.backend) == outer).expect("one of the backends")
}

/// Runs `work` with a kernel that remembers flows from one packet to the next.
fn remembering(tables: &Tables, work: impl Fn(&mut Kernel, &'static str, &'static str, &'static str) + Sync + Send) {
    in_world(tables, |kernel| {
        kernel.forgets = false;
        for (vip, client, router) in FAMILIES {
            work(kernel, vip, client, router);
        }
    });
}

#[test]
fn flow_that_begins_in_a_transition_stays_on_the_new_backend_and_others_on_the_old_one() {
    require_root!();
    for transition in [marked(), whole()] {
        remembering(&world(transition), |kernel, vip, client, router| {
            let later = |port| {
                let quoted = Packet::from_to(vip, client).tcp(443, port).payload_len(20).build_ip();
                [
                    to(vip).tcp(port, 443).payload_len(100),
                    to(vip).tcp_with(port, 443, tcp_flags::RST),
                    to(vip).tcp_with(port, 443, tcp_flags::FIN | tcp_flags::ACK).vlan(7),
                    to(vip).tcp_with(port, 443, tcp_flags::SYN | tcp_flags::ACK),
                    Packet::from_to(router, vip).icmp_error(IcmpError::TooBig(1400), quoted),
                ]
            };
            for packet in later(20_000) {
                assert_eq!(backend(kernel, packet), OLD, "{vip}: was there");
            }
            assert_eq!(backend(kernel, to(vip).tcp_syn(20_001, 443)), NEW, "{vip}: begins");
            assert_eq!(backend(kernel, to(vip).tcp_syn(20_001, 443)), NEW, "{vip}: begins once more");
            for packet in later(20_001) {
                assert_eq!(backend(kernel, packet), NEW, "{vip}: began");
            }
            // The same addresses are not the same flow, whatever the VIP hashes on.
            for packet in later(20_002) {
                assert_eq!(backend(kernel, packet), OLD, "{vip}: another flow");
            }
        });
    }
}

#[test]
fn what_is_not_tcp_goes_to_the_new_backend_and_tcp_fragments_to_the_old_one() {
    require_root!();
    remembering(&world(marked()), |kernel, vip, client, router| {
        let quoted = Packet::from_to(vip, client).udp(53, 20_000).build_ip();
        let packets = [
            to(vip).udp(20_000, 53),
            to(vip).sctp(20_000, 53),
            to(vip).icmp_echo(1, 1),
            to(vip).fragment(8, false).protocol(17).payload_len(8),
            Packet::from_to(router, vip).icmp_error(IcmpError::TooBig(1400), quoted),
        ];
        for packet in packets {
            assert_eq!(backend(kernel, packet), NEW, "{vip}");
        }
        assert_eq!(backend(kernel, to(vip).fragment(8, true).protocol(6).payload_len(32)), OLD, "{vip}");
    });
}

#[test]
fn unmarked_slots_have_no_old_backend_and_remember_nothing() {
    require_root!();
    let unmarked = Transition { marks: vec![false; SIZE], ..marked() };
    remembering(&world(unmarked), |kernel, vip, _, _| {
        for port in 20_000..20_050 {
            assert_eq!(backend(kernel, to(vip).tcp(port, 443)), NEW, "{vip}");
            assert_eq!(backend(kernel, to(vip).tcp_syn(port, 443)), NEW, "{vip}");
        }
    });
}

#[test]
fn old_table_that_is_not_there_is_no_reason_to_drop() {
    require_root!();
    for old in [vec![], vec![None; SIZE]] {
        remembering(&world(Transition { old, ..whole() }), |kernel, vip, _, _| {
            assert_eq!(backend(kernel, to(vip).tcp(20_000, 443)), NEW, "{vip}");
        });
    }
}

#[test]
fn vip_by_source_remembers_single_flows() {
    require_root!();
    let mut tables = world(marked());
    let by_source = |vip: &Vip| vip.address == address(vip::SPREAD_WHOLE_V4);
    tables.pop.vips.iter_mut().filter(|vip| by_source(vip)).for_each(|vip| vip.hash = Hash::Source);
    in_world(&tables, |kernel| {
        kernel.forgets = false;
        let to = || to(vip::SPREAD_WHOLE_V4);
        assert_eq!(backend(kernel, to().tcp_syn(20_001, 443)), NEW);
        assert_eq!(backend(kernel, to().tcp(20_001, 443)), NEW);
        assert_eq!(backend(kernel, to().tcp(20_002, 443)), OLD);
    });
}

#[test]
fn table_without_marks_is_that_of_the_contract() {
    let candidates = way::SPREAD.iter().zip(WEIGHTS).map(|(way, weight)| {
        let address = match address(way.backend) {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        };
        Candidate { address, weight }
    });
    assert_eq!(build(&SEED, &candidates.collect::<Vec<_>>()).expect("a table").len(), SIZE);
}
