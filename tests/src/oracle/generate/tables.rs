//! Tables: mostly ordinary, with every oddity that a reader of half-written tables can meet.

mod gateway;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anycast_common::{
    encap::Encap,
    maglev::{Candidate, NOBODY, build, refill},
};
use fastrand::Rng;
use ipnet::{Ipv4Net, Ipv6Net};

use super::{Interface, address, one_in, pick};
use crate::oracle::{
    model::Family,
    tables::{
        Answers, Backend, Begun, Echo, Hash, Link, Listener, NextHop, PICKS, Pool, PopReturns, PopTables, Route,
        Tables, Transition, Vip,
    },
};

/// Both roles.
pub(super) fn random(rng: &mut Rng, interfaces: &[Interface]) -> Tables {
    Tables { pop: pop(rng, interfaces), gateway: gateway::random(rng, interfaces) }
}

fn pop(rng: &mut Rng, interfaces: &[Interface]) -> PopTables {
    let seed = std::array::from_fn(|_| rng.u8(..));
    let links: Vec<Link> = (0..rng.usize(1..=6)).map(|_| link(rng, interfaces)).collect();
    let next_hops: Vec<NextHop> = (0..rng.usize(1..=12)).map(|_| next_hop(rng, links.len())).collect();
    let mut pools: Vec<Pool> = (0..rng.usize(1..=6)).map(|_| pool(rng, &seed, next_hops.len())).collect();
    let mut vips: Vec<Vip> = Vec::new();
    for _ in 0..rng.usize(4..=24) {
        let vip = vip(rng, &vips, pools.len());
        if vips.iter().all(|other| other.address != vip.address) {
            vips.push(vip);
        }
    }
    begin_flows(rng, &vips, &mut pools);
    let source_ipv4 = Ipv4Net::new(tunnel_ipv4(rng), sources_len_bits(rng, 32)).ok().map(|net| net.trunc());
    let source_ipv6 = Ipv6Net::new(tunnel_ipv6(rng), sources_len_bits(rng, 128)).ok().map(|net| net.trunc());
    let answers = Answers {
        source_ipv4: (!one_in(rng, 4)).then(|| tunnel_ipv4(rng)),
        source_ipv6: (!one_in(rng, 4)).then(|| tunnel_ipv6(rng)),
        echo: !one_in(rng, 4),
        errors: !one_in(rng, 4),
    };
    let returns = pop_returns(rng, vips.len(), &links);
    let health = health(rng, source_ipv4, source_ipv6);
    PopTables { seed, source_ipv4, source_ipv6, answers, vips, pools, next_hops, links, returns, health }
}

/// Of three PoPs in four: an address of an interface, as the namespace has it, another one, or one that tunnels begin at.
fn health(rng: &mut Rng, source_ipv4: Option<Ipv4Net>, source_ipv6: Option<Ipv6Net>) -> Vec<IpAddr> {
    if one_in(rng, 4) {
        return Vec::new();
    }
    let v4 = pick(rng, &["10.201.101.1", "10.201.99.1"]).parse().map(IpAddr::V4);
    let v6 = pick(rng, &["fd02:101::1", "fd02:99::1"]).parse().map(IpAddr::V6);
    let sources = [source_ipv4.map(|net| net.addr().into()), source_ipv6.map(|net| net.addr().into())];
    let of_family = sources.into_iter().zip([v4.ok(), v6.ok()]);
    of_family.filter_map(|(source, own)| if one_in(rng, 3) { source } else { own }).collect()
}

/// Half of the VIPs, of three PoPs in four.
fn pop_returns(rng: &mut Rng, vip_count: usize, links: &[Link]) -> PopReturns {
    if one_in(rng, 4) {
        return PopReturns::default();
    }
    let vips = (0..vip_count).filter(|_| rng.bool()).collect();
    let mut chosen: Vec<usize> = Vec::new();
    for (position, link) in links.iter().enumerate() {
        let is_new = chosen.iter().all(|other| links[*other].ifindex != link.ifindex);
        if is_new && !one_in(rng, 4) {
            chosen.push(position);
        }
    }
    PopReturns { vips, links: chosen }
}

fn link(rng: &mut Rng, interfaces: &[Interface]) -> Link {
    let interface = pick(rng, interfaces);
    // 1..=4094 with any priority; all zero would be "untagged".
    let vlan_tci = one_in(rng, 3).then(|| rng.u16(1..=4094) | rng.u16(..8) << 13);
    Link { ifindex: interface.ifindex, mac: interface.mac, vlan_tci, in_device_map: !one_in(rng, 5) }
}

fn next_hop(rng: &mut Rng, link_count: usize) -> NextHop {
    let mac = (!one_in(rng, 8)).then(|| std::array::from_fn(|_| rng.u8(..)));
    NextHop { mac, link: rng.usize(..link_count) }
}

fn pool(rng: &mut Rng, seed: &[u8; 16], next_hop_count: usize) -> Pool {
    let backend_count = if rng.bool() { rng.usize(1..=3) } else { rng.usize(1..=40) };
    let mut backends: Vec<Backend> = Vec::new();
    while backends.len() < backend_count {
        let backend = backend(rng, next_hop_count);
        if backends.iter().all(|other| other.address != backend.address) {
            backends.push(backend);
        }
    }
    let has_down = one_in(rng, 3);
    let down: Vec<bool> = backends.iter().map(|_| has_down && one_in(rng, 4)).collect();
    let mut slots = slots(seed, &backends, &down);
    let mut is_odd = has_down;
    match rng.u8(..16) {
        0 => slots.clear(),
        1 => {
            for slot in &mut slots {
                *slot = slot.filter(|_| rng.bool());
            }
            is_odd = true;
        }
        _ => {}
    }
    let transition = one_in(rng, 3).then(|| transition(rng, &backends, slots.len()));
    Pool { backends, slots, is_odd, transition }
}

fn transition(rng: &mut Rng, backends: &[Backend], size: usize) -> Transition {
    let is_whole = rng.bool();
    // A table of another size is in transition as a whole.
    let old_size = if is_whole && rng.bool() { pick(rng, &[0, 1, 2039, 16_381]) } else { size };
    let old = (0..old_size).map(|_| (!one_in(rng, 8)).then(|| rng.usize(..backends.len()))).collect();
    Transition { is_whole, marks: (0..size).map(|_| rng.bool()).collect(), old, begun: Vec::new() }
}

/// Some TCP flows that began in a transition, to VIPs of the pool.
fn begin_flows(rng: &mut Rng, vips: &[Vip], pools: &mut [Pool]) {
    for vip in vips {
        let Some(pool) = vip.pool.map(|pool| &mut pools[pool]) else { continue };
        let backend_count = pool.backends.len();
        let Some(transition) = &mut pool.transition else { continue };
        for _ in 0..2 {
            let source = address::any(rng, Family::of(vip.address));
            let port = vip.listeners.iter().find_map(|listener| listener.ports).map_or(443, |(first, _)| first);
            let ports = (rng.u16(..), port);
            transition.begun.push(Begun { source, vip: vip.address, ports, backend: rng.usize(..backend_count) });
        }
    }
}

/// The contract's table: built over the configured backends, then the slots of those that are down refilled.
fn slots(seed: &[u8; 16], backends: &[Backend], down: &[bool]) -> Vec<Option<usize>> {
    let candidates: Vec<Candidate> = backends
        .iter()
        .map(|backend| Candidate { address: v4_mapped(backend.address), weight: backend.weight })
        .collect();
    let built = build(seed, &candidates).expect("addresses are unique");
    let table = refill(seed, &candidates, &built, down).expect("the table is of these candidates");
    if table.contains(&NOBODY) {
        return Vec::new();
    }
    table.into_iter().map(|position| Some(position as usize)).collect()
}

fn v4_mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

fn backend(rng: &mut Rng, next_hop_count: usize) -> Backend {
    let weight = match rng.u8(..10) {
        0 => u16::MAX,
        1..4 => rng.u16(1..=10),
        _ => 1,
    };
    let address = if rng.bool() { tunnel_ipv4(rng).into() } else { tunnel_ipv6(rng).into() };
    let route = (!one_in(rng, 16)).then(|| route(rng, next_hop_count));
    Backend { address, weight, route, encap: encap(rng) }
}

/// Half of them the commonest; ports and keys on the edges of bytes and words.
fn encap(rng: &mut Rng) -> Encap {
    match rng.u8(..8) {
        0..4 => Encap::Ipip,
        4 => Encap::Gre { key: None },
        5 => Encap::Gre { key: Some(gre_key(rng)) },
        _ => Encap::Gue { port: pick(rng, &[6080, 1, 255, 256, 65_535]) },
    }
}

fn gre_key(rng: &mut Rng) -> u32 {
    if rng.bool() { rng.u32(..) } else { pick(rng, &[0, 1, 0x0102_0304, u32::MAX]) }
}

/// The length of a prefix of tunnel sources: one address, or as many as may be.
fn sources_len_bits(rng: &mut Rng, address_bits: u8) -> u8 {
    if rng.bool() { address_bits } else { address_bits - rng.u8(0..=16) }
}

/// The end of a tunnel: unicast and not of the loop, or the production code refuses it.
fn tunnel_ipv4(rng: &mut Rng) -> Ipv4Addr {
    Ipv4Addr::from(10 << 24 | rng.u32(..1 << 24))
}

/// The same for IPv6.
fn tunnel_ipv6(rng: &mut Rng) -> Ipv6Addr {
    Ipv6Addr::from(0xfd << 120 | rng.u128(..1 << 120))
}

fn route(rng: &mut Rng, next_hop_count: usize) -> Route {
    let mtu_bytes = match rng.u8(..10) {
        0..5 => pick(rng, &[1500, 1520, 1540, 1600, 9000]),
        5..9 => pick(rng, &[576, 600, 1280, 1300, 1480]),
        _ => rng.u16(68..1600),
    };
    let members: Vec<usize> = (0..rng.usize(1..=4)).map(|_| rng.usize(..next_hop_count)).collect();
    let has_gaps = one_in(rng, 8);
    let picks: [Option<usize>; PICKS] = std::array::from_fn(|_| {
        let member = pick(rng, &members);
        (!(has_gaps && rng.bool())).then_some(member)
    });
    Route { mtu_bytes, picks }
}

fn vip(rng: &mut Rng, others: &[Vip], pool_count: usize) -> Vip {
    let family = address::family(rng);
    let address = match others {
        [] => address::any(rng, family),
        others if one_in(rng, 3) => {
            let neighbour = others[rng.usize(..others.len())].address;
            let address = address::confusable(rng, neighbour);
            // No VIP is an IPv4-mapped address: no such packet is on any wire (RFC 6890).
            if address.to_canonical() == address { address } else { address::any(rng, family) }
        }
        _ => address::any(rng, family),
    };
    let listener_count = if rng.bool() { 0 } else { rng.usize(1..=6) };
    let listeners = (0..listener_count).map(|_| listener(rng)).collect();
    let pool = (!one_in(rng, 16)).then(|| rng.usize(..pool_count));
    let echo = pick(rng, &[Echo::Forward, Echo::Answer, Echo::Answer, Echo::Drop]);
    let hash = pick(rng, &[Hash::Flow, Hash::Source, Hash::Addresses]);
    Vip { address, listeners, hash, pool, echo, stale: one_in(rng, 24) }
}

fn listener(rng: &mut Rng) -> Listener {
    let protocol = match rng.u8(..10) {
        0..7 => pick(rng, &[6, 17, 132]),
        _ => pick(rng, &[1, 58, 50, 51, 47, 4, 41, 59, 0, 44, 253, 255]),
    };
    if !matches!(protocol, 6 | 17 | 132) || one_in(rng, 8) {
        return Listener { protocol, ports: None };
    }
    let first = match rng.u8(..4) {
        0 => pick(rng, &[0, 1, 53, 80, 255, 256, 443, 511, 65_280, 65_535]),
        _ => rng.u16(..),
    };
    let last = match rng.u8(..4) {
        0 => u16::MAX,
        1 => first.saturating_add(pick(rng, &[1, 63, 64, 255, 256, 1000])),
        _ => first,
    };
    Listener { protocol, ports: Some((first, last)) }
}
