use std::net::IpAddr;

use super::*;
use crate::{
    desired::{FailoverPolicy, HashOn, IcmpEcho, Returns},
    publish::policy::Attached,
};

const UP: Interface = Interface::Up { ifindex: 7 };

/// A PoP with some VIPs of two prefixes, and what is true of them.
struct World {
    facts: PublishFacts,
    vips: Vec<Vip>,
    prefixes: Vec<Prefix>,
    down: Vec<&'static str>,
    attached: Option<Attached>,
    interface: Interface,
    drains: Drains,
    have: BTreeSet<OwnRoute>,
    publisher: Publisher,
    now: Instant,
}

fn vip(name: &str, address: &str, publish: Option<&[&str]>) -> Vip {
    Vip {
        name: name.to_owned(),
        address: address.parse().unwrap(),
        listeners: Vec::new(),
        hash: HashOn::Addresses,
        pool: Some("home".to_owned()),
        fallback_pools: Vec::new(),
        icmp_echo: IcmpEcho::Forward,
        returns: Returns::Direct,
        failover: FailoverPolicy::default(),
        publish: publish.map(|pops| pops.iter().map(ToString::to_string).collect()),
    }
}

impl World {
    fn new() -> Self {
        let prefix = |name: &str, prefix: &str, publish: Option<Vec<String>>| Prefix {
            name: name.to_owned(),
            prefix: prefix.parse().unwrap(),
            publish,
        };
        let now = Instant::now();
        Self {
            facts: PublishFacts {
                interface: "axp0".to_owned(),
                generic: false,
                hold_down: Duration::from_secs(10),
                drain_signal: Duration::from_secs(5),
                withdraw_without_daemon: None,
            },
            vips: vec![
                vip("a", "192.0.2.1", None),
                vip("b", "192.0.2.2", None),
                vip("six", "2001:db8::1", None),
                vip("far", "198.51.100.1", None),
                vip("not-here", "192.0.2.3", Some(&["shanghai"])),
            ],
            prefixes: vec![
                prefix("v4", "192.0.2.0/24", Some(vec!["beijing".to_owned(), "shanghai".to_owned()])),
                prefix("v6", "2001:db8::/48", None),
                prefix("elsewhere", "198.51.100.0/24", Some(vec!["shanghai".to_owned()])),
            ],
            down: Vec::new(),
            attached: Some(Attached::Native),
            interface: UP,
            drains: Drains::default(),
            have: BTreeSet::new(),
            publisher: Publisher::new(now),
            now,
        }
    }

    /// The routes that are there so many seconds later.
    fn after(&mut self, secs: u64) -> Vec<String> {
        self.now += Duration::from_secs(secs);
        let access = [Access { interface: "in0".into(), attached: self.attached, asks_generic: false }];
        let refused = BTreeMap::new();
        let view = View {
            facts: &self.facts,
            pop: "beijing",
            vips: self.vips.iter().map(|vip| {
                let is_down = self.down.contains(&vip.name.as_str());
                (vip, if is_down { Serving::AllDown } else { Serving::Usable })
            }),
            prefixes: &self.prefixes,
            access: &access,
            interface: self.interface,
            drains: self.drains,
            have: &self.have,
            refused: &refused,
        };
        self.have = self.publisher.decide(view, self.now);
        self.have.iter().map(|OwnRoute { prefix, metric }| format!("{prefix} {metric}")).collect()
    }

    fn reason(&self, vip: &str) -> Option<&'static str> {
        self.publisher.vips()[vip].reason.as_ref().map(Reason::label)
    }
}

const ALL: [&str; 5] =
    ["192.0.2.0/24 100", "192.0.2.1/32 100", "192.0.2.2/32 100", "2001:db8::/48 100", "2001:db8::1/128 100"];

fn draining() -> Vec<String> {
    ALL.iter().map(|route| route.replace(" 100", " 200")).collect()
}

#[test]
fn vips_and_prefixes_of_this_pop_are_published() {
    let mut world = World::new();
    assert_eq!(world.after(0), ALL);
    assert_eq!((world.reason("far"), world.reason("not-here")), (Some("other_pops"), Some("other_pops")));
}

#[test]
fn sick_vip_takes_its_own_route_and_its_prefix_only_if_it_is_the_last() {
    let mut world = World::new();
    world.after(0);
    world.down = vec!["a", "six"];
    assert_eq!(world.after(60), ["192.0.2.0/24 100", "192.0.2.2/32 100"]);
    assert_eq!(world.reason("a"), Some("all_down"));
    world.down.clear();
    assert_eq!(world.after(1), ["192.0.2.0/24 100", "192.0.2.2/32 100"]);
    assert_eq!(world.reason("a"), Some("hold_down"));
    assert_eq!(world.publisher.next_change(), Some(world.now + Duration::from_secs(10)));
    assert_eq!(world.after(10), ALL);
}

#[test]
fn nothing_is_published_without_a_native_program_or_an_interface() {
    let mut world = World::new();
    world.attached = Some(Attached::Generic);
    assert!(world.after(0).is_empty());
    assert_eq!(world.reason("a"), Some("generic"));
    world.attached = Some(Attached::Native);
    assert_eq!(world.after(0), ALL, "it never was, so there is nothing to hold down");
    world.interface = Interface::Down;
    assert!(world.after(20).is_empty());
    assert_eq!(world.reason("a"), Some("interface_down"));
    world.interface = UP;
    assert_eq!(world.after(0), ALL);
}

#[test]
fn what_an_earlier_process_left_stays_until_this_one_knows() {
    let mut world = World::new();
    let all: Vec<_> = world.after(0);
    world.publisher = Publisher::new(world.now);
    world.down = vec!["a", "b", "six"];
    assert_eq!(world.after(0), all);
    world.down.clear();
    assert_eq!(world.after(5), all);
    world.down = vec!["a"];
    assert!(!world.after(60).contains(&"192.0.2.1/32 100".to_owned()));
}

#[test]
fn drain_signals_then_withdraws_and_its_end_publishes_at_once() {
    let mut world = World::new();
    world.down = vec!["b"];
    world.after(0);
    world.drains.host_since = Some(world.now);
    let mut signalled = draining();
    signalled.retain(|route| !route.starts_with("192.0.2.2/"));
    assert_eq!(world.after(0), signalled);
    world.down.clear();
    assert_eq!(world.after(1), signalled, "nothing new is published");
    assert!(world.after(4).is_empty());
    assert_eq!(world.reason("a"), Some("drain"));
    world.drains = Drains::default();
    assert_eq!(world.after(1), ALL);
}

#[test]
fn drain_that_a_restart_finds_announces_nothing_anew() {
    let mut world = World::new();
    world.drains.pop_since = Some(world.now);
    assert!(world.after(0).is_empty());
    assert_eq!(world.reason("a"), Some("drain"));
}

#[test]
fn address_of_no_prefix_has_a_route_of_its_own() {
    let mut world = World::new();
    world.prefixes.clear();
    let address: IpAddr = "203.0.113.9".parse().unwrap();
    world.vips = vec![vip("lone", &address.to_string(), None)];
    assert_eq!(world.after(0), ["203.0.113.9/32 100"]);
}
