//! Random services that fit into small limits.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use anycast_common::header::protocol;
use proptest::prelude::*;

use crate::desired::{
    Backend, Config, Encap, Failback, Failover, FailoverPolicy, HashOn, HealthFacts, Icmp, IcmpEcho, Limits, Listener,
    Pool, PopRole, Returns, Role, Services, State, Vip, examples::local,
};

pub const SEED: [u8; 16] = *b"tests of changes";

/// Every limit that services can meet is met by the largest of them.
pub const TIGHT: Limits = Limits {
    vips: 3,
    // Three pools, and a list of some of them for each VIP.
    pools: 6,
    backends: 12,
    slots: 3 * 2040,
    groups: 8,
    next_hops: 8,
    links: 2,
    listener_sets: 3,
    vip_drops: 8,
    transitions: 8,
    return_clients: 1024,
};

/// Room for services beside those of two more configurations.
pub const ROOMY: Limits =
    Limits { vips: 9, pools: 18, backends: 36, slots: 9 * 2040, groups: 24, next_hops: 24, links: 8, ..TIGHT };

/// Room for a table of its own for each list.
pub const DIALLED: Limits = Limits { slots: 6 * 2040, ..TIGHT };

/// A configuration whose pools have dials, and whose VIPs go from one to another by rules of their own.
pub fn any_dialled_config() -> impl Strategy<Value = Config> {
    let dials = proptest::collection::vec(prop_oneof![2 => Just(100_u8), 1 => Just(0), 2 => 1..100_u8], 3);
    let policies = proptest::collection::vec(any_policy(), 3);
    (any_config(DIALLED), dials, policies).prop_map(|(mut config, dials, policies)| {
        for (pool, dial) in config.services.pools.iter_mut().zip(dials) {
            pool.dial_percent = dial;
        }
        for (vip, policy) in config.services.vips.iter_mut().zip(policies) {
            vip.failover = policy;
        }
        config
    })
}

/// By none of them history decides where flows are in the end.
fn any_policy() -> impl Strategy<Value = FailoverPolicy> {
    let failover = proptest::sample::select(vec![Failover::Local, Failover::Local, Failover::Manual]);
    let failback = proptest::sample::select(vec![5, 600]).prop_map(|secs| Failback::After(Duration::from_secs(secs)));
    (failover, failback).prop_map(|(failover, failback)| FailoverPolicy {
        failover,
        failback,
        ..FailoverPolicy::default()
    })
}

/// Addresses of VIPs.
pub fn vip_addresses() -> Vec<IpAddr> {
    let v4 = (1..=4).map(|host| IpAddr::from([192, 0, 2, host]));
    v4.chain((1..=2).map(|host| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host)))).collect()
}

/// Tunnel addresses of backends.
pub fn backend_addresses() -> Vec<IpAddr> {
    let v4 = (0..6).map(|net| IpAddr::from([10, 0, net, 1]));
    v4.chain((0..2).map(|net| IpAddr::from(Ipv6Addr::new(0xfd00, net, 0, 0, 0, 0, 0, 1)))).collect()
}

/// A PoP with these services.
pub fn config(limits: Limits, source: u8, services: Services) -> Config {
    let role = Role::Pop(PopRole {
        tunnel_source_ipv4: Some(Ipv4Addr::new(10, 9, 0, source).into()),
        tunnel_source_ipv6: Some(Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 0, source.into()).into()),
        hash_seed: SEED,
        allow_small_mtu: false,
        icmp: Icmp::default(),
        transition_secs: 300,
        gue_port: 6080,
        health: HealthFacts::default(),
        publish: None,
    });
    let local = local(role, limits);
    Config { local, services }
}

pub fn any_config(limits: Limits) -> impl Strategy<Value = Config> {
    let names = proptest::sample::subsequence(vec!["a", "b", "c", "d"], 1..=3);
    let pools = names.prop_flat_map(|names| names.into_iter().map(any_pool).collect::<Vec<_>>());
    // The other source now and then: all backends change.
    let source = prop_oneof![4 => Just(1), 1 => Just(2)];
    // And another encap: those that have one change by it.
    let gre_key = prop_oneof![4 => Just(7), 1 => Just(8)];
    (source, gre_key, pools).prop_flat_map(move |(source, gre_key, mut pools)| {
        for backend in pools.iter_mut().flat_map(|pool| &mut pool.backends) {
            backend.encap = encap(backend.address, gre_key);
        }
        let names: Vec<_> = pools.iter().map(|pool| pool.name.clone()).collect();
        let addresses = proptest::sample::subsequence(vip_addresses(), 0..=3);
        let vips = addresses.prop_flat_map(move |addresses| {
            addresses.into_iter().map(|address| any_vip(address, names.clone())).collect::<Vec<_>>()
        });
        vips.prop_map(move |vips| {
            config(limits, source, Services { vips, pools: pools.clone(), ..Services::default() })
        })
    })
}

/// A host has one encap, whatever pools it is in.
fn encap(backend: IpAddr, gre_key: u32) -> Encap {
    match backend {
        IpAddr::V4(address) if address.octets()[2] % 2 == 0 => Encap::Gre { key: Some(gre_key) },
        IpAddr::V4(_) => Encap::Ipip,
        IpAddr::V6(_) => Encap::Gue { port: 6080 },
    }
}

fn any_pool(name: &'static str) -> impl Strategy<Value = Pool> {
    let backends = proptest::sample::subsequence(backend_addresses(), 1..=4);
    let weights = proptest::collection::vec(prop_oneof![Just(1), Just(50), Just(100)], 4);
    let states = proptest::collection::vec(any_state(), 4);
    (backends, weights, states, any_state()).prop_map(move |(backends, weights, mut states, state)| {
        // Never all of them, so that every packet has somewhere to go.
        states[0] = State::Up;
        let backends = backends.into_iter().zip(weights).zip(states);
        Pool {
            name: name.to_owned(),
            home_region: "guangzhou".to_owned(),
            state,
            backends: backends
                .map(|((address, weight), state)| Backend {
                    address,
                    weight,
                    encap: Encap::Ipip,
                    mtu_bytes: None,
                    state,
                })
                .collect(),
            health: None,
            dial_percent: 100,
        }
    })
}

fn any_state() -> impl Strategy<Value = State> {
    prop_oneof![6 => Just(State::Up), 1 => Just(State::Drain), 1 => Just(State::Down)]
}

fn any_vip(address: IpAddr, pools: Vec<String>) -> impl Strategy<Value = Vip> {
    let tcp = |first, last| Listener { protocol: protocol::TCP, ports: Some((first, last)) };
    let udp = Listener { protocol: protocol::UDP, ports: Some((53, 53)) };
    let lists = vec![
        vec![],
        vec![tcp(80, 80)],
        vec![tcp(80, 80), udp],
        vec![tcp(1000, 2000), udp],
        vec![Listener { protocol: protocol::TCP, ports: None }],
    ];
    let hash = proptest::sample::select(vec![HashOn::Flow, HashOn::Source, HashOn::Addresses]);
    let count = 1..=pools.len().min(2);
    let pools = proptest::sample::subsequence(pools, count).prop_shuffle();
    let returns = proptest::sample::select(vec![Returns::Direct, Returns::Pop, Returns::PopOrDrop]);
    (proptest::sample::select(lists), hash, returns, pools).prop_map(move |(listeners, hash, returns, mut pools)| Vip {
        name: format!("vip-{address}"),
        address,
        listeners,
        icmp_echo: IcmpEcho::default(),
        returns,
        hash,
        pool: Some(pools.remove(0)),
        fallback_pools: pools,
        failover: FailoverPolicy::default(),
        publish: None,
    })
}
