//! Pools that fail, drain and come back, on tables in memory.

use std::{
    mem::offset_of,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use anycast_common::map::{BackendEntry, BackendRoute, GroupEntry, TransitionKey, WHOLE_TABLE};

use super::{super::apply::slots::Cell, Bindings, Seen};
use crate::{
    dataplane::{
        apply::plan,
        inventory::Inventory,
        tables::{
            Dataplane as _, Memory,
            journal::{Event, Table},
        },
    },
    desired::{
        Backend, Config, Encap, FailoverPolicy, HashOn, HealthFacts, Icmp, IcmpEcho, Limits, Pool, PopRole, Returns,
        Role, Services, State, TRANSITION_SECS, Vip,
        examples::{icmp_check, local},
    },
};

/// What `failback` is that says nothing.
const FAIL_BACK_HOLD: Duration = Duration::from_secs(5);

const LIMITS: Limits = Limits {
    vips: 1000,
    pools: 8,
    backends: 64,
    slots: 4 * 2040,
    groups: 2,
    next_hops: 2,
    links: 2,
    listener_sets: 1,
    vip_drops: 1,
    transitions: 16,
    return_clients: 1024,
};

/// Pools `a`, `b` and `c` of three backends each, the first in a state; VIPs alternate between two lists.
fn config(state: State, vips: u32) -> Config {
    let pools = ["a", "b", "c"].iter().zip(1..).map(|(name, net)| Pool {
        name: (*name).to_owned(),
        home_region: "guangzhou".to_owned(),
        state: if net == 1 { state } else { State::Up },
        backends: (1..=3)
            .map(|host| Backend {
                address: IpAddr::from([10, 0, net, host]),
                weight: 1,
                encap: Encap::Ipip,
                mtu_bytes: None,
                state: State::Up,
            })
            .collect(),
        health: Some(Arc::new(icmp_check())),
        dial_percent: 100,
    });
    let vips = (0..vips).map(|number| Vip {
        name: format!("vip-{number}"),
        address: IpAddr::from(Ipv4Addr::from(0xc000_0200 + number)),
        listeners: Vec::new(),
        hash: HashOn::Addresses,
        pool: Some("a".to_owned()),
        icmp_echo: IcmpEcho::default(),
        returns: Returns::default(),
        fallback_pools: if number % 2 == 0 { vec!["b".to_owned()] } else { vec!["c".to_owned(), "b".to_owned()] },
        failover: FailoverPolicy::default(),
        publish: None,
    });
    let role = Role::Pop(PopRole {
        tunnel_source_ipv4: Some(Ipv4Addr::new(10, 9, 0, 1).into()),
        icmp: Icmp::default(),
        tunnel_source_ipv6: None,
        hash_seed: [7; 16],
        allow_small_mtu: false,
        transition_secs: TRANSITION_SECS,
        gue_port: 6080,
        health: HealthFacts::default(),
        publish: None,
    });
    let local = local(role, LIMITS);
    Config { local, services: Services { vips: vips.collect(), pools: pools.collect(), ..Services::default() } }
}

struct World {
    memory: Memory,
    bindings: Bindings,
    inventory: Inventory,
}

impl World {
    fn new(vips: u32) -> Self {
        let mut world = Self::with_limits(&LIMITS);
        world.apply(&config(State::Up, vips));
        world
    }

    fn with_limits(limits: &Limits) -> Self {
        let mut memory = Memory::new(limits).expect("memory");
        memory.arrays().groups.write(1, GroupEntry { picks: 1, ..GroupEntry::default() });
        Self { memory, bindings: Bindings::default(), inventory: Inventory::default() }
    }

    fn apply(&mut self, config: &Config) {
        let mut plan = plan(&mut self.memory, &self.inventory, config, &self.bindings.down()).expect("room");
        plan.install_backends(&mut self.memory).expect("backends");
        self.inventory = plan.next.clone();
        for pool in 0..self.inventory.pools.len() {
            self.set_ways(pool, true);
        }
        self.bindings = plan.switch(&mut self.memory, &self.bindings).expect("room");
    }

    fn set_ways(&mut self, pool: usize, are_there: bool) {
        let route = BackendRoute { group_index: u32::from(are_there), mtu_bytes: 1500 }.to_cell();
        for backend in &self.inventory.pools[pool].backends {
            self.memory.arrays().backends.store_cell(backend.index, offset_of!(BackendEntry, route), route);
        }
    }

    fn update(&mut self, now: Instant) -> Vec<Event> {
        let journal = self.memory.begin_journal();
        self.bindings.update(&mut self.memory, now).expect("room");
        self.memory.end_journal();
        std::mem::take(&mut *journal.lock().expect("no panic"))
    }

    /// The pool that each list leads to, and whether flows stay elsewhere.
    fn lists(&mut self) -> Vec<(&str, bool)> {
        let arrays = self.memory.arrays();
        let lists = self.inventory.bindings.iter().map(|list| {
            let own = Cell::New(list.index).get(arrays);
            let pool = self.inventory.pools.iter().find(|pool| Cell::New(pool.index).get(arrays).offset == own.offset);
            (pool.map_or("", |pool| pool.name.as_str()), own.flags == WHOLE_TABLE)
        });
        lists.collect()
    }
}

mod dials;
mod health;
mod left;
mod policies;

#[test]
fn pool_that_fails_is_one_store_for_each_distinct_list() {
    let mut world = World::new(1000);
    assert_eq!(world.lists(), [("a", false), ("a", false)]);
    world.set_ways(0, false);
    let events = world.update(Instant::now());
    let stores = events.iter().filter(|event| !matches!(event, Event::Grace));
    assert!(stores.clone().all(|event| matches!(event, Event::Store { table: Table::Pools, .. })), "{events:?}");
    assert_eq!(stores.count(), 2);
    // Nothing can stay where no way leads.
    assert_eq!(world.lists(), [("b", false), ("c", false)]);
}

#[test]
fn flows_go_back_after_a_quiet_time_and_those_of_the_fall_back_stay_for_the_transition() {
    let mut world = World::new(2);
    let start = Instant::now();
    world.set_ways(0, false);
    world.update(start);
    world.set_ways(0, true);
    world.update(start);
    assert_eq!(world.lists(), [("b", false), ("c", false)], "held");
    let back = start + FAIL_BACK_HOLD;
    assert_eq!(world.bindings.next_change(&mut world.memory), Some(back));
    world.update(back);
    assert_eq!(world.lists(), [("a", true), ("a", true)]);
    let end = back + Duration::from_secs(TRANSITION_SECS.into());
    assert_eq!(world.bindings.next_change(&mut world.memory), Some(end));
    world.update(end);
    assert_eq!(world.lists(), [("a", false), ("a", false)]);
    assert_eq!(world.bindings.next_change(&mut world.memory), None);
}

#[test]
fn pool_that_drains_is_left_with_its_flows_for_as_long_as_it_drains() {
    let mut world = World::new(2);
    world.apply(&config(State::Drain, 2));
    assert_eq!(world.lists(), [("b", true), ("c", true)]);
    assert_eq!(world.bindings.next_change(&mut world.memory), None);
    let index = world.inventory.bindings[0].index;
    let key = TransitionKey { flow_hash: 1, pool_index: index, reserved: 0 };
    world.memory.flows.insert(key, world.inventory.pools[1].backends[0].index);
    // Back in service: it takes new flows again after the quiet time, and the transition ends some time later.
    world.apply(&config(State::Up, 2));
    assert_eq!(world.lists(), [("b", true), ("c", true)]);
    let back = Instant::now() + FAIL_BACK_HOLD;
    world.update(back);
    assert_eq!(world.lists(), [("a", true), ("a", true)]);
    assert!(world.memory.flows.contains_key(&key));
    world.update(back + Duration::from_secs(TRANSITION_SECS.into()));
    assert_eq!(world.lists(), [("a", false), ("a", false)]);
    assert!(world.memory.flows.is_empty() && world.memory.arrays().old_pools.used().next().is_none());
}

#[test]
fn pool_that_goes_down_is_left_at_once() {
    let mut world = World::new(2);
    world.apply(&config(State::Down, 2));
    assert_eq!(world.lists(), [("b", false), ("c", false)]);
}

#[test]
fn daemon_that_takes_over_in_the_middle_of_a_drain_goes_on_from_there() {
    let mut world = World::new(2);
    world.apply(&config(State::Drain, 2));
    let index = world.inventory.bindings[0].index;
    let before = Seen::of(world.memory.arrays(), index);
    assert!(before.is_in_transition());
    world.apply(&config(State::Drain, 2));
    assert_eq!(Seen::of(world.memory.arrays(), index), before);
}
