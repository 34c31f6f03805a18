//! Networks and tables for the tests of ways.

use std::{collections::BTreeMap, net::IpAddr};

use anycast_common::map::{BackendEntry, BackendRoute, GROUP_PICKS, GroupEntry, NextHop};

use super::super::Ways;
use crate::{
    dataplane::tables::{Dataplane as _, Memory},
    desired::Limits,
    netlink::{Hop, Link, Route, View},
};

pub const LIMITS: Limits = Limits {
    vips: 4,
    pools: 4,
    backends: 64,
    slots: 2040,
    groups: 8,
    next_hops: 20,
    links: 2,
    listener_sets: 4,
    vip_drops: 4,
    transitions: 4,
    return_clients: 1024,
};

pub fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub fn gateway(number: u8) -> IpAddr {
    IpAddr::from([10, 3, 0, number])
}

pub fn mac(number: u8) -> [u8; 6] {
    [2, 0, 0, 0, 3, number]
}

pub fn hop(number: u8, weight: u16) -> Hop {
    Hop { ifindex: 7, via: gateway(number), weight }
}

/// Gateways (their number, their weight) of a route.
pub type Gateways<'a> = &'a [(u8, u16)];

/// A network where `routes` (destination, prefix, gateways with weights) are, and every gateway is known.
pub fn network(routes: &[(&str, &str, Gateways<'_>)]) -> View {
    let link = Link {
        name: "bb0".to_owned(),
        egress_ifindex: 7,
        mac: [2, 0, 0, 0, 0, 1],
        vlan_id: None,
        mtu_bytes: 1500,
        up: true,
    };
    let mut view = View { links: BTreeMap::from([(7, link)]), ..View::default() };
    for (destination, prefix, hops) in routes {
        let prefix = prefix.parse().expect("a prefix");
        let hops: Vec<_> = hops.iter().map(|(number, weight)| hop(*number, *weight)).collect();
        let macs = hops.iter().map(|hop| {
            (
                hop.neighbour(),
                mac(hop.via.to_string().rsplit('.').next().map_or(0, |last| last.parse().expect("a number"))),
            )
        });
        view.neighbours.extend(macs);
        view.routes.insert(address(destination), Route { prefix, mtu_bytes: 1500, hops });
    }
    view
}

/// Tables with entries for these backends, at indexes from 1 on.
pub fn tables(backends: &[&str]) -> (Memory, Vec<(IpAddr, u32)>) {
    let mut memory = Memory::new(&LIMITS).expect("memory");
    let backends: Vec<_> = backends.iter().map(|text| address(text)).zip(1..).collect();
    for (_, index) in &backends {
        memory.arrays().backends.write(*index, BackendEntry { family: 4, ..BackendEntry::default() });
    }
    (memory, backends)
}

/// The MAC that each of the 16 places of a backend's group leads to; all zero: none.
pub fn macs(memory: &mut Memory, backend: u32) -> Vec<u8> {
    let arrays = memory.arrays();
    let route = BackendRoute::from_cell(arrays.backends.get(backend).route);
    let group = arrays.groups.get(route.group_index);
    let member = |place: u64| group.members[GroupEntry::position(group.picks, place)];
    let next_hop = |member: u16| NextHop::from_cell(arrays.next_hops.get(member.into()));
    (0..GROUP_PICKS as u64).map(|place| next_hop(member(place)).mac[5]).collect()
}

pub fn count(macs: &[u8], number: u8) -> usize {
    (0..macs.len()).filter(|place| macs[*place] == number).count()
}

pub const TEN: [&str; 10] = [
    "10.4.0.1",
    "10.4.0.2",
    "10.4.0.3",
    "10.4.0.4",
    "10.4.0.5",
    "10.4.0.6",
    "10.4.0.7",
    "10.4.0.8",
    "10.4.0.9",
    "10.4.0.10",
];

/// Ten backends behind one route over two routers.
pub fn ten_behind_two() -> (Memory, Vec<(IpAddr, u32)>, Ways, View) {
    let (mut memory, backends) = tables(&TEN);
    let view = network(&TEN.map(|backend| (backend, "10.4.0.0/24", &[(1, 1), (2, 1)][..])));
    let mut ways = Ways::new(&mut memory);
    ways.update(&mut memory, &view, &backends).expect("ways");
    (memory, backends, ways, view)
}
