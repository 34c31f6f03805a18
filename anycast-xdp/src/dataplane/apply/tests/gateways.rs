//! What a gateway takes, and by which indexes clients' paths name it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
};

use anycast_common::map::{BackendRoute, ENCAP_IPIP, ReturnKey, ReturnPath, TunnelPolicy, v4_mapped};
use ipnet::IpNet;
use proptest::{prelude::*, sample::Index};

use super::{
    super::reach::tunnel_address,
    crashes::stop,
    instance::{Instance, Run, macs_toward},
    lookup::{self, follow_way},
    services::TIGHT,
};
use crate::{
    dataplane::{
        inventory::Inventory,
        tables::{
            Arrays, Dataplane as _, Memory,
            journal::{Event, Table},
            mapped, tunnel_key_of,
        },
    },
    desired::{Config, GatewayRole, HashOn, IcmpEcho, Limits, Local, Returns, Role, Services, Vip},
};

const LIMITS: Limits = Limits { groups: 24, next_hops: 24, links: 8, ..TIGHT };

fn prefix(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub fn gateway(returns: Returns, addresses: &[&str], sources: &[&str], gre_keys: &[u32]) -> Config {
    let role = Role::Gateway(GatewayRole {
        tunnel_addresses: addresses.iter().map(|text| address(text)).collect(),
        allowed_sources: sources.iter().map(|text| prefix(text)).collect(),
        gre_keys: gre_keys.to_vec(),
        gue_port: 6080,
        return_mtu_bytes: Some(1400),
    });
    let local = Local {
        instance: "test".to_owned(),
        role,
        pop: "test".to_owned(),
        host: "test".to_owned(),
        interfaces: Vec::new(),
        limits: LIMITS,
        control: crate::desired::ControlFacts::default(),
    };
    let vips = vec![Vip {
        name: "web".to_owned(),
        address: address("192.0.2.1"),
        listeners: Vec::new(),
        hash: HashOn::Addresses,
        pool: None,
        fallback_pools: Vec::new(),
        icmp_echo: IcmpEcho::default(),
        returns,
    }];
    Config { local, services: Services { vips, pools: Vec::new() } }
}

/// Every entry that a program may read because of a key or a path.
pub fn reachable(memory: &mut Memory) -> BTreeSet<(Table, u32)> {
    let paths: Vec<_> = memory.paths.values().map(|cell| ReturnPath::from_cell(*cell)).collect();
    let keyed = memory.keyed();
    let tunnels = keyed.tunnels.entries().expect("memory").into_values();
    let tunnels: BTreeSet<_> = tunnels.chain(paths.iter().map(|path| path.tunnel_index.into())).collect();
    let keys = keyed.gre_keys.entries().expect("memory").into_values();
    let keys: BTreeSet<_> = keys.chain(paths.iter().map(|path| path.key_index.into())).collect();
    let peers = keyed.sources.entries().expect("memory").into_values();
    let peers: BTreeSet<_> = peers.chain(paths.iter().map(|path| path.peer_index)).collect();
    let mut found = BTreeSet::new();
    let arrays = memory.arrays();
    for index in peers.into_iter().filter(|index| *index != 0) {
        found.insert((Table::Backends, index));
        follow_way(arrays, index, &mut found);
    }
    found.extend(tunnels.into_iter().map(|index| (Table::TunnelAddresses, index)));
    found.extend(keys.into_iter().filter(|index| *index != 0).map(|index| (Table::GreKeyList, index)));
    found
}

/// The index of a source's host; none: not allowed.
pub fn peer(memory: &mut Memory, source: &str) -> Option<u32> {
    let source = prefix(source);
    let bits = if source.addr().is_ipv4() { 128 } else { 32 };
    let key = tunnel_key_of(source.network());
    let entries = memory.keyed().sources.entries().expect("memory");
    let of = |(at, index): (&crate::dataplane::keyed::SourceKey, &u32)| {
        (at.key == key && at.bits == bits + u32::from(source.prefix_len())).then_some(*index)
    };
    entries.iter().find_map(of)
}

pub fn tunnel(memory: &mut Memory, at: &str) -> Option<u32> {
    let key = tunnel_key_of(address(at));
    memory.keyed().tunnels.entries().expect("memory").get(&key).copied()
}

pub fn gre_key(memory: &mut Memory, key: u32) -> Option<u32> {
    memory.keyed().gre_keys.entries().expect("memory").get(&key.to_be_bytes()).copied()
}

/// Is this the whole way to the host of a prefix?
fn leads_to(arrays: &mut Arrays, index: u32, source: IpNet) -> bool {
    let entry = arrays.backends.get(index);
    let route = BackendRoute::from_cell(entry.route);
    let group = arrays.groups.get(route.group_index);
    let macs = macs_toward(source.network());
    let hops = group.members.into_iter().filter(|member| *member != 0);
    let hops: Vec<_> =
        hops.map(|member| anycast_common::map::NextHop::from_cell(arrays.next_hops.get(member.into())).mac).collect();
    let varying = source.max_prefix_len() - source.prefix_len();
    tunnel_address(&entry) == Some(source.network())
        && entry.encap == ENCAP_IPIP
        && u32::from(u16::from_be_bytes(entry.source_mask)) == (1 << varying) - 1
        && !hops.is_empty()
        && hops.iter().all(|mac| macs.contains(mac))
}

/// Starts a daemon and looks at every state: what a key or a path names is whole, and what it was when it was named.
fn start_and_watch(instance: &mut Instance, config: &Config, remembered: &BTreeMap<ReturnKey, (IpNet, IpAddr)>) -> Run {
    let mut run = instance.start(config);
    let mut shadow = run.before.copy(&config.local.limits);
    instance.lingering.extend(lookup::reachable(&mut shadow));
    for event in &run.events {
        if let Event::Write { table, index, .. } = event {
            assert!(!instance.lingering.contains(&(*table, *index)), "{event:?} where a program may be reading");
        }
        shadow.replay(event, |_| ());
        match event {
            Event::Grace => instance.lingering = lookup::reachable(&mut shadow),
            Event::Write { .. } | Event::Device(..) => {}
            Event::Store { .. } | Event::Insert(..) | Event::Remove(_) | Event::Key(_) | Event::Paths(_) => {
                instance.lingering.extend(lookup::reachable(&mut shadow));
            }
        }
        assert_whole(&mut shadow, remembered, event);
    }
    run
}

pub fn assert_whole(memory: &mut Memory, remembered: &BTreeMap<ReturnKey, (IpNet, IpAddr)>, event: &Event) {
    for (key, index) in memory.keyed().sources.entries().expect("memory") {
        if index != 0 {
            let at: [u8; 16] = std::array::from_fn(|byte| key.key[4 + byte]);
            let source = match key.key[3] {
                4 => IpNet::new([at[12], at[13], at[14], at[15]].into(), (key.bits - 128) as u8),
                _ => IpNet::new(Ipv6Addr::from(at).into(), (key.bits - 32) as u8),
            };
            let source = source.expect("a prefix");
            assert!(leads_to(memory.arrays(), index, source), "{source} leads elsewhere after {event:?}");
        }
    }
    for (key, index) in memory.keyed().tunnels.entries().expect("memory") {
        assert_eq!(memory.arrays().tunnel_addresses.get(index)[..], key[4..], "after {event:?}");
    }
    for (key, index) in memory.keyed().gre_keys.entries().expect("memory") {
        let cell = memory.arrays().gre_key_list.get(index).to_ne_bytes();
        assert_eq!(([cell[0], cell[1], cell[2], cell[3]], &cell[4..]), (key, &[0; 4][..]), "after {event:?}");
    }
    let paths: Vec<_> = memory.paths.iter().map(|(key, path)| (*key, ReturnPath::from_cell(*path))).collect();
    for (client, path) in paths {
        let (source, tunnel) = remembered[&client];
        assert!(
            leads_to(memory.arrays(), path.peer_index, source),
            "{source} of a path leads elsewhere after {event:?}"
        );
        let found = memory.arrays().tunnel_addresses.get(path.tunnel_index.into());
        assert_eq!(found, mapped(tunnel), "of a path after {event:?}");
    }
}

const ADDRESSES: [&str; 4] = ["10.9.0.1", "10.9.0.2", "fd09::1", "fd09::2"];
const SOURCES: [&str; 6] = ["10.1.0.0/24", "10.1.0.0/30", "10.2.0.1/32", "10.3.0.0/16", "fd01::/112", "fd02::1/128"];

fn any_gateway() -> impl Strategy<Value = Config> {
    let returns = prop_oneof![3 => Just(Returns::Pop), 1 => Just(Returns::Direct)];
    let addresses = proptest::sample::subsequence(ADDRESSES.to_vec(), 1..=4).prop_shuffle();
    let sources = proptest::sample::subsequence(SOURCES.to_vec(), 0..=6).prop_shuffle();
    let keys = proptest::sample::subsequence(vec![0, 1, 7, u32::MAX], 0..=4);
    (returns, addresses, sources, keys)
        .prop_map(|(returns, addresses, sources, keys)| gateway(returns, &addresses, &sources, &keys))
}

/// A client comes by each host to each tunnel address of its family, as the program remembers it.
fn remember_clients(memory: &mut Memory, remembered: &mut BTreeMap<ReturnKey, (IpNet, IpAddr)>) {
    for (client, source) in SOURCES.iter().enumerate() {
        for (at, to) in ADDRESSES.iter().enumerate() {
            let (source_prefix, to_address) = (prefix(source), address(to));
            let Some((peer_index, tunnel_index)) = peer(memory, source).zip(tunnel(memory, to)) else { continue };
            if peer_index == 0 || source_prefix.addr().is_ipv4() != to_address.is_ipv4() {
                continue;
            }
            let key = ReturnKey { client: v4_mapped([198, 51, client as u8, at as u8]), vip_index: 1, reserved: 0 };
            let path = ReturnPath { peer_index, tunnel_index: tunnel_index as u8, ..ReturnPath::default() };
            memory.paths.insert(key, path.to_cell());
            remembered.insert(key, (source_prefix, to_address));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_state_of_every_change_names_whole_ways(configs in proptest::collection::vec(any_gateway(), 2..6)) {
        let mut instance = Instance::new(&LIMITS);
        let mut remembered = BTreeMap::new();
        for config in &configs {
            start_and_watch(&mut instance, config, &remembered);
            remember_clients(&mut instance.memory, &mut remembered);
        }
    }

    #[test]
    fn start_after_a_crash_names_whole_ways(configs in proptest::collection::vec(any_gateway(), 3), at: [Index; 2], words in 0usize..9) {
        let mut instance = Instance::new(&LIMITS);
        let mut remembered = BTreeMap::new();
        start_and_watch(&mut instance, &configs[0], &remembered);
        for (config, at) in configs[1..].iter().zip(at) {
            remember_clients(&mut instance.memory, &mut remembered);
            let inventory = instance.inventory.clone();
            let run = start_and_watch(&mut instance, config, &remembered);
            instance = stop(run, &inventory, &LIMITS, at, words);
        }
        remember_clients(&mut instance.memory, &mut remembered);
        start_and_watch(&mut instance, &configs[2], &remembered);
    }

    /// Without anything that changes, a restart stores nothing but ways.
    #[test]
    fn restart_moves_no_index(config in any_gateway()) {
        let mut instance = Instance::new(&LIMITS);
        start_and_watch(&mut instance, &config, &BTreeMap::new());
        let before = instance.inventory.clone();
        let run = start_and_watch(&mut instance, &config, &BTreeMap::new());
        prop_assert_eq!(&instance.inventory, &before);
        let keys = run.events.iter().filter(|event| matches!(event, Event::Key(_)));
        prop_assert_eq!(keys.count(), 0);
    }
}

#[test]
fn direct_answers_need_no_hosts_and_sources_are_allowed_all_the_same() {
    let mut instance = Instance::new(&LIMITS);
    let config = gateway(Returns::Direct, &["10.9.0.1"], &["10.1.0.0/24", "10.2.0.1/32"], &[]);
    start_and_watch(&mut instance, &config, &BTreeMap::new());
    let memory = &mut instance.memory;
    assert_eq!((peer(memory, "10.1.0.0/24"), peer(memory, "10.2.0.1/32")), (Some(0), Some(0)));
    assert_eq!((peer(memory, "10.7.0.0/24"), tunnel(memory, "10.9.0.1")), (None, Some(1)));
    assert!(instance.inventory.pools.is_empty());
    assert_eq!(memory.arrays().backends.used().count(), 0);
    let policy = TunnelPolicy::from_cell(memory.arrays().gateway.get(1));
    assert!((100_000..=1_250_000).contains(&policy.tick_8ns), "not from 100 to 1250 ticks a second: {policy:?}");
    let wanted = TunnelPolicy { gue_port: 6080, ..TunnelPolicy::default() };
    assert_eq!(TunnelPolicy { tick_8ns: 0, ..policy }, wanted);
}

#[test]
fn host_has_a_header_from_the_first_address_of_its_family_to_its_network() {
    let mut instance = Instance::new(&LIMITS);
    let config = gateway(Returns::Pop, &["fd09::1", "10.9.0.2", "10.9.0.1"], &["10.1.0.0/30", "fd01::/112"], &[7]);
    start_and_watch(&mut instance, &config, &BTreeMap::new());
    let memory = &mut instance.memory;
    let index = peer(memory, "10.1.0.0/30").expect("allowed");
    let entry = memory.arrays().backends.get(index);
    assert_eq!((&entry.outer[12..16], &entry.outer[16..20]), (&[10, 9, 0, 2][..], &[10, 1, 0, 0][..]));
    assert_eq!((entry.family, entry.source_mask), (4, [0, 3]));
    let index = peer(memory, "fd01::/112").expect("allowed");
    let entry = memory.arrays().backends.get(index);
    assert_eq!((entry.family, entry.source_mask), (6, [0xff, 0xff]));
    let pops = instance.inventory.pool("pops").expect("the pool");
    assert_eq!(pops.backends.iter().map(|backend| backend.mtu_bytes).collect::<Vec<_>>(), [Some(1400); 2]);
}

#[test]
fn source_that_tells_no_host_is_allowed_and_is_none() {
    let mut instance = Instance::new(&LIMITS);
    let sources = ["10.0.0.0/8", "0.0.0.0/0", "fd01::/112", "10.1.0.0/30"];
    start_and_watch(&mut instance, &gateway(Returns::Pop, &["10.9.0.1"], &sources, &[]), &BTreeMap::new());
    let memory = &mut instance.memory;
    let found = sources.map(|source| peer(memory, source).expect("allowed"));
    assert_eq!((&found[..3], found[3] != 0), (&[0, 0, 0][..], true));
}

#[test]
fn what_stays_keeps_its_index_and_what_goes_is_forgotten_first() {
    let mut instance = Instance::new(&LIMITS);
    let mut remembered = BTreeMap::new();
    let first = gateway(Returns::Pop, &["10.9.0.1", "10.9.0.2"], &["10.1.0.0/24", "10.2.0.1/32"], &[1, 7]);
    start_and_watch(&mut instance, &first, &remembered);
    remember_clients(&mut instance.memory, &mut remembered);
    assert_eq!(instance.memory.paths.len(), 4);
    let memory = &mut instance.memory;
    let kept = (peer(memory, "10.2.0.1/32"), tunnel(memory, "10.9.0.1"), gre_key(memory, 7));
    // Another order, and others in the place of the first ones.
    let second = gateway(Returns::Pop, &["10.9.0.3", "10.9.0.1"], &["10.3.0.0/16", "10.2.0.1/32"], &[9, 7]);
    start_and_watch(&mut instance, &second, &remembered);
    let memory = &mut instance.memory;
    assert_eq!((peer(memory, "10.2.0.1/32"), tunnel(memory, "10.9.0.1"), gre_key(memory, 7)), kept);
    assert_eq!(memory.paths.len(), 1, "by the host and to the address that stay");
    assert_eq!(memory.arrays().tunnel_addresses.used().count(), 2);
    assert_eq!(memory.arrays().backends.used().count(), 2);
}

#[test]
fn all_tunnel_addresses_and_keys_can_change_at_once() {
    let mut instance = Instance::new(&LIMITS);
    for net in [1, 2] {
        let addresses: Vec<_> = (1..=255).map(|host| format!("10.9.{net}.{host}")).collect();
        let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
        let keys: Vec<_> = (0..16).map(|key| net * 100 + key).collect();
        start_and_watch(&mut instance, &gateway(Returns::Pop, &addresses, &["10.1.0.0/30"], &keys), &BTreeMap::new());
        assert_eq!(instance.memory.keyed().tunnels.entries().expect("memory").len(), 255);
        assert_eq!(instance.memory.keyed().gre_keys.entries().expect("memory").len(), 16);
    }
}

#[test]
fn paths_of_a_vip_index_that_is_used_anew_are_forgotten() {
    let mut instance = Instance::new(&LIMITS);
    let mut remembered = BTreeMap::new();
    let mut config = gateway(Returns::Pop, &["10.9.0.1"], &["10.1.0.0/24"], &[]);
    start_and_watch(&mut instance, &config, &remembered);
    remember_clients(&mut instance.memory, &mut remembered);
    assert_eq!(instance.memory.paths.len(), 1);
    start_and_watch(&mut instance, &config, &remembered);
    assert_eq!(instance.memory.paths.len(), 1, "nothing changed");
    config.services.vips[0].address = address("192.0.2.9");
    start_and_watch(&mut instance, &config, &remembered);
    start_and_watch(&mut instance, &gateway(Returns::Pop, &["10.9.0.1"], &["10.1.0.0/24"], &[]), &remembered);
    assert_eq!(instance.memory.paths.len(), 0);
}

#[test]
fn pop_that_was_a_gateway_takes_no_tunnels_of_that_kind() {
    let mut instance = Instance::new(&LIMITS);
    let config = gateway(Returns::Pop, &["10.9.0.1"], &["10.1.0.0/24"], &[7]);
    start_and_watch(&mut instance, &config, &BTreeMap::new());
    let pop = super::services::config(LIMITS, 1, Services::default());
    start_and_watch(&mut instance, &pop, &BTreeMap::new());
    let keyed = instance.memory.keyed();
    assert!(keyed.tunnels.entries().expect("memory").is_empty() && keyed.sources.entries().expect("memory").is_empty());
    assert!(keyed.gre_keys.entries().expect("memory").is_empty());
    assert_eq!(instance.memory.arrays().backends.used().count(), 0);
    assert_eq!(instance.inventory.pools, Inventory::default().pools);
}
