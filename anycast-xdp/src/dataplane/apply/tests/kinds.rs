//! Every kind of change that services have, and the smallest services that show it.

use std::time::Duration;

use super::{
    super::super::tables::{Dataplane as _, Memory, journal::Event},
    gateways::{self, gateway},
    lookup,
    services::{TIGHT, backend_addresses, config, vip_addresses},
};
use crate::desired::{
    Backend, Config, Encap, Failback, FailoverPolicy, HashOn, IcmpEcho, Limits, Listener, Pool, Returns, Role,
    Services, State, Vip,
};

/// Name, and what it does.
type ChangeOf = (&'static str, fn(&mut Services));
/// Name, and the services on both sides.
type Kind = (&'static str, Config, Config);

/// Room for two of everything.
const ROOM: Limits = Limits { pools: 12, slots: 6 * 2040, ..TIGHT };

fn pool(name: &str, backends: &[(usize, u16, State)]) -> Pool {
    let all = backend_addresses();
    let backends = backends.iter().map(|(at, weight, state)| Backend {
        address: all[*at],
        weight: *weight,
        encap: Encap::Ipip,
        mtu_bytes: None,
        state: *state,
    });
    Pool {
        name: name.to_owned(),
        home_region: "guangzhou".to_owned(),
        state: State::Up,
        backends: backends.collect(),
        health: None,
        dial_percent: 100,
    }
}

fn vip(at: usize, pools: &[&str]) -> Vip {
    Vip {
        name: format!("vip-{at}"),
        address: vip_addresses()[at],
        listeners: Vec::new(),
        hash: HashOn::Flow,
        pool: pools.first().map(ToString::to_string),
        fallback_pools: pools.iter().skip(1).map(ToString::to_string).collect(),
        icmp_echo: IcmpEcho::default(),
        returns: Returns::default(),
        failover: FailoverPolicy::default(),
        publish: None,
    }
}

/// Two VIPs on two pools.
fn base() -> Services {
    Services {
        vips: vec![vip(0, &["a"]), vip(1, &["b", "a"])],
        pools: vec![
            pool("a", &[(0, 100, State::Up), (1, 100, State::Up), (2, 50, State::Up)]),
            pool("b", &[(3, 1, State::Up), (6, 1, State::Up)]),
        ],
        ..Services::default()
    }
}

/// Those of a PoP.
pub fn pop_kinds() -> Vec<Kind> {
    let changes: [ChangeOf; 18] = [
        ("a VIP comes", |services| services.vips.push(vip(4, &["a"]))),
        ("a VIP is bound to no pool", |services| services.vips[0] = vip(0, &[])),
        ("a VIP is bound to another pool", |services| services.vips[0] = vip(0, &["b"])),
        ("a VIP gets a fall-back", |services| services.vips[0] = vip(0, &["a", "b"])),
        ("a backend comes", |services| {
            services.pools[0].backends.extend(pool("", &[(4, 100, State::Up)]).backends);
        }),
        ("weights", |services| services.pools[0].backends[1].weight = 30),
        ("a backend drains", |services| services.pools[0].backends[1].state = State::Drain),
        ("a backend is down", |services| services.pools[0].backends[1].state = State::Down),
        ("a pool drains", |services| services.pools[1].state = State::Drain),
        ("a pool gets a dial", |services| services.pools[1].dial_percent = 30),
        ("a pool has a dial of nothing", |services| services.pools[1].dial_percent = 0),
        ("a VIP goes from pool to pool by other rules", |services| {
            services.vips[1].failover.failback = Failback::After(Duration::from_mins(1));
        }),
        ("a pool comes", |services| {
            services.pools.push(pool("c", &[(1, 1, State::Up), (5, 1, State::Up)]));
            services.vips[0] = vip(0, &["c"]);
        }),
        ("a pool has another name", |services| {
            services.pools[0].name = "c".to_owned();
            services.vips = vec![vip(0, &["c"]), vip(1, &["b", "c"])];
        }),
        ("policy", |services| services.vips[0].hash = HashOn::Source),
        ("listeners", |services| {
            services.vips[0].listeners = vec![Listener { protocol: 6, ports: Some((80, 80)) }];
        }),
        ("answers come back", |services| services.vips[0].returns = Returns::Pop),
        ("another tunnel", |services| services.pools[0].backends[0].encap = Encap::Gre { key: Some(7) }),
    ];
    let mut kinds: Vec<_> = changes
        .into_iter()
        .map(|(what, change)| {
            let mut services = base();
            change(&mut services);
            (what, config(ROOM, 1, base()), config(ROOM, 1, services))
        })
        .collect();
    let others = Services {
        vips: vec![vip(2, &["c"]), vip(5, &["c"])],
        pools: vec![pool("c", &[(4, 3, State::Up), (7, 1, State::Up)])],
        ..Services::default()
    };
    kinds.push(("everything", config(ROOM, 1, base()), config(ROOM, 1, others)));
    kinds
}

/// Those of a gateway.
pub fn gateway_kinds() -> Vec<Kind> {
    let (addresses, sources) = (["10.9.0.1", "fd09::1"], ["10.1.0.0/24", "fd01::/112"]);
    let base = || gateway(Returns::Pop, &addresses, &sources, &[1]);
    let mut with_vip = base();
    with_vip.services.vips.push(Vip { pool: None, ..vip(1, &[]) });
    vec![
        ("a VIP comes", base(), with_vip),
        ("answers go directly", base(), gateway(Returns::Direct, &addresses, &sources, &[1])),
        ("other sources", base(), gateway(Returns::Pop, &addresses, &["10.1.0.0/24", "10.2.0.1/32"], &[1])),
        ("other tunnel addresses", base(), gateway(Returns::Pop, &["10.9.0.2", "fd09::1"], &sources, &[1])),
        ("other keys", base(), gateway(Returns::Pop, &addresses, &sources, &[1, 7])),
    ]
}

/// What a gateway takes: VIPs, sources, tunnel addresses, keys, each by its name.
fn asked(config: &Config) -> Vec<String> {
    let Role::Gateway(role) = &config.local.role else { return Vec::new() };
    let vips = config.services.vips.iter().map(|vip| vip.address.to_string());
    let sources = role.allowed_sources.iter().map(ToString::to_string);
    let tunnels = role.tunnel_addresses.iter().map(ToString::to_string);
    vips.chain(sources).chain(tunnels).chain(role.gre_keys.iter().map(ToString::to_string)).collect()
}

fn takes(memory: &mut Memory, what: &str) -> bool {
    if let Ok(key) = what.parse::<u32>() {
        return gateways::maps::gre_key(memory, key).is_some();
    }
    if what.contains('/') {
        return gateways::maps::peer(memory, what).is_some();
    }
    let address = what.parse().expect("an address");
    lookup::entry(memory, address).is_some() || gateways::maps::tunnel(memory, what).is_some()
}

/// A gateway takes what it is to take, and nothing else that the other one would.
pub fn assert_taken(memory: &mut Memory, config: &Config) {
    for what in asked(config) {
        assert!(takes(memory, &what), "{what}");
    }
    let keyed = memory.keyed();
    let tunnels = keyed.tunnels.entries().expect("memory").len();
    let sources = keyed.sources.entries().expect("memory").len();
    let gre_keys = keyed.gre_keys.entries().expect("memory").len();
    assert_eq!(memory.vips.len() + tunnels + sources + gre_keys, asked(config).len());
}

/// What stays is taken throughout.
pub fn assert_between(memory: &mut Memory, first: &Config, second: &Config, event: &Event) {
    let second = asked(second);
    for what in asked(first).into_iter().filter(|what| second.contains(what)) {
        assert!(takes(memory, &what), "{what} is not taken after {event:?}");
    }
    gateways::whole::assert_whole(memory, &gateways::whole::Remembered::new(), event);
}
