//! What the tables should hold in a generation: a pure function of its number.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use anycast_xdp::{
    desired::{
        Backend, Config, Encap, FailoverPolicy, HashOn, HealthFacts, Icmp, IcmpEcho, Limits, Listener, Local, Pool,
        PopRole, Returns, Role, Services, State, Vip,
    },
    netlink::{Hop, Link, NeighbourKey, Route, View},
};
use ipnet::IpNet;

use super::{NARROW_HOP, NARROW_MTU_BYTES};

/// Number of VIP addresses, even ones IPv4, odd ones IPv6.
pub const VIPS: u8 = 10;
/// The first of them are always there and always bound, and must be forwarded at every instant.
pub const STEADY_VIPS: u8 = 4;
/// Egress interfaces of links 0 to 3. Packets come in by the first.
pub const INTERFACES: [u32; 4] = [101, 102, 103, 104];

/// Room for two of everything, and no more, so that indexes are soon used again.
pub const LIMITS: Limits = Limits {
    vips: 24,
    pools: 64,
    backends: 400,
    slots: 1 << 17,
    groups: 100,
    next_hops: 300,
    links: 16,
    listener_sets: 64,
    vip_drops: 1024,
    transitions: 1024,
    return_clients: 1024,
};

/// Address of VIP `n`.
pub fn vip_address(n: u8) -> IpAddr {
    if n.is_multiple_of(2) {
        Ipv4Addr::new(192, 0, 2, n + 1).into()
    } else {
        Ipv6Addr::new(0x2001, 0xdb8, 0x80, 0, 0, 0, 0, u16::from(n) + 1).into()
    }
}

/// The configuration of a generation.
pub fn config(generation: u64) -> Config {
    let mut random = fastrand::Rng::with_seed(generation);
    // Backends are replaced, all of them, when the source changes.
    let source = (generation / 4 % 4) as u8;
    let mut services = Services::default();
    for n in 0..VIPS {
        let is_there = n < STEADY_VIPS || random.u8(..3) > 0;
        let bound_to_v6 = random.bool();
        for v6 in [false, true] {
            if is_there && bound_to_v6 == v6 || random.bool() {
                services.pools.push(pool(n, v6, source, &mut random));
            }
        }
        if is_there {
            let listeners = listeners(&mut random);
            services.vips.push(Vip {
                name: format!("vip-{n}"),
                address: vip_address(n),
                hash: HashOn::default_of(!listeners.is_empty()),
                listeners,
                pool: Some(pool_name(n, bound_to_v6)),
                icmp_echo: IcmpEcho::default(),
                returns: Returns::default(),
                fallback_pools: Vec::new(),
                failover: FailoverPolicy::default(),
                publish: None,
            });
        }
    }
    random.shuffle(&mut services.vips);
    random.shuffle(&mut services.pools);
    let role = PopRole {
        tunnel_source_ipv4: Some(Ipv4Addr::new(10, 3, 0, source).into()),
        tunnel_source_ipv6: Some(Ipv6Addr::new(0xfd00, 3, 0, 0, 0, 0, 0, source.into()).into()),
        hash_seed: *b"stress of tables",
        allow_small_mtu: true,
        icmp: Icmp::default(),
        transition_secs: 1,
        gue_port: 6080,
        health: HealthFacts::default(),
        publish: None,
    };
    let local = Local {
        instance: "stress".to_owned(),
        role: Role::Pop(role),
        pop: "stress".to_owned(),
        host: "stress".to_owned(),
        interfaces: Vec::new(),
        limits: LIMITS,
        control: anycast_xdp::desired::ControlFacts::default(),
    };
    Config { local, services }
}

fn pool_name(n: u8, v6: bool) -> String {
    format!("pool-{n}-{}", if v6 { "v6" } else { "v4" })
}

fn pool(n: u8, v6: bool, source: u8, random: &mut fastrand::Rng) -> Pool {
    let count = random.u8(1..=5);
    let mut numbers: Vec<u8> = (1..=8).map(|i| i * 4 + source).collect();
    random.shuffle(&mut numbers);
    let backends = numbers.into_iter().take(count.into()).map(|x| {
        let address = if v6 {
            Ipv6Addr::new(0xfd00, 4, n.into(), 0, 0, 0, 0, x.into()).into()
        } else {
            Ipv4Addr::new(10, 4, n, x).into()
        };
        Backend { address, weight: random.u16(1..=9), encap: Encap::Ipip, mtu_bytes: None, state: State::Up }
    });
    Pool {
        name: pool_name(n, v6),
        home_region: "stress".to_owned(),
        state: State::Up,
        backends: backends.collect(),
        health: None,
        dial_percent: 100,
    }
}

/// None, or one of a dozen sets: all of them take the packets of the test, and differ in another port.
fn listeners(random: &mut fastrand::Rng) -> Vec<Listener> {
    let udp = |port| Listener { protocol: 17, ports: Some((port, port)) };
    match random.u16(..13) {
        0 => Vec::new(),
        other => vec![udp(53), udp(other * 300)],
    }
}

/// Ways to these backends: interfaces, neighbours, MACs and routes are others in every `turn`.
pub fn view(turn: u64, backends: &[(IpAddr, u32)]) -> View {
    // Half of the turns leave the links as they are.
    let era = (turn / 2 % 251) as u8;
    let mut view = View::default();
    for (link, ifindex) in (0..).zip(INTERFACES) {
        view.links.insert(
            ifindex,
            Link {
                name: format!("stress{link}"),
                egress_ifindex: ifindex,
                mac: [6, link, era, 0, 0, 0],
                vlan_id: (link > 0).then_some(100 + u16::from(link)),
                mtu_bytes: 1500,
                up: true,
            },
        );
    }
    for (address, _) in backends {
        let (n, route) = route(turn, *address);
        for hop in &route.hops {
            let link = (hop.ifindex - INTERFACES[0]) as u8;
            view.neighbours.insert(
                NeighbourKey { ifindex: hop.ifindex, address: hop.via },
                [2, n, last_octet(hop.via), link, era, 0],
            );
        }
        view.routes.insert(*address, route);
    }
    view
}

/// The VIP number of a backend, and its route: the same for all backends of a pool in one turn.
fn route(turn: u64, backend: IpAddr) -> (u8, Route) {
    let n = match backend {
        IpAddr::V4(address) => address.octets()[2],
        IpAddr::V6(address) => address.segments()[2] as u8,
    };
    let mut random = fastrand::Rng::with_seed(turn * 64 + u64::from(n) * 2 + u64::from(backend.is_ipv6()));
    let narrow = random.u8(..4) == 0;
    let (v4_bits, v6_bits) = if narrow { (25, 65) } else { (24, 64) };
    let prefix_len_bits = if backend.is_ipv4() { v4_bits } else { v6_bits };
    let first = if narrow { NARROW_HOP } else { 1 };
    let mut hops: Vec<Hop> = (first..first + random.u8(1..=3))
        .map(|hop| Hop {
            ifindex: INTERFACES[random.usize(..4)],
            via: neighbour(backend, n, hop),
            weight: random.u16(1..=3),
        })
        .collect();
    hops.sort();
    let prefix = IpNet::new(backend, prefix_len_bits).expect("a prefix length of the family").trunc();
    (n, Route { prefix, mtu_bytes: if narrow { NARROW_MTU_BYTES } else { 1500 }, hops })
}

fn neighbour(backend: IpAddr, n: u8, hop: u8) -> IpAddr {
    match backend {
        IpAddr::V4(_) => Ipv4Addr::new(10, 3, 100 + n, hop).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0xfd00, 3, 100 + u16::from(n), 0, 0, 0, 0, hop.into()).into(),
    }
}

/// The number that the last octet of an address is.
pub(super) fn last_octet(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(address) => address.octets()[15],
    }
}

/// Tunnel address and index of every backend of an inventory.
pub(super) fn backends(inventory: &anycast_xdp::dataplane::inventory::Inventory) -> Vec<(IpAddr, u32)> {
    // Two entries may have one address, and differ in their source, while a change is under way.
    let all: BTreeMap<u32, IpAddr> = inventory
        .pools
        .iter()
        .flat_map(|pool| &pool.backends)
        .map(|backend| (backend.index, backend.address))
        .collect();
    all.into_iter().map(|(index, address)| (address, index)).collect()
}
