//! A daemon's start, as `daemon` does it, on tables in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::super::{
    super::{
        bindings::Bindings,
        inventory::Inventory,
        tables::{
            Memory,
            journal::{Event, Table},
        },
        ways::Ways,
    },
    plan,
};
use crate::{
    desired::{Config, Limits},
    netlink::{Hop, Link, Route, View},
};

/// Tables and inventory: what outlives a process.
pub struct Instance {
    pub memory: Memory,
    pub inventory: Inventory,
    /// Entries that programs may be reading although nothing leads to them any more.
    pub lingering: BTreeSet<(Table, u32)>,
}

/// What one start did.
pub struct Run {
    pub before: Memory,
    /// After the switch, while what was there goes on.
    pub between: Memory,
    pub events: Vec<Event>,
    /// Inventories that were written, each after so many events.
    pub inventories: Vec<(usize, Inventory)>,
}

impl Instance {
    pub fn new(limits: &Limits) -> Self {
        let memory = Memory::new(limits).expect("memory");
        Self { memory, inventory: Inventory::default(), lingering: BTreeSet::new() }
    }

    /// Starts a daemon, which dies when it is ready.
    pub fn start(&mut self, config: &Config) -> Run {
        let before = self.memory.copy(&config.local.limits);
        let journal = self.memory.begin_journal();
        let so_far = || journal.lock().expect("no panic").len();
        let memory = &mut self.memory;

        let mut plan =
            plan(memory, &self.inventory, config, &self.inventory.down()).unwrap_or_else(|error| panic!("{error:#}"));
        let mut inventories = vec![(so_far(), plan.during.clone())];
        plan.install_backends(memory).expect("backends");
        let mut ways = Ways::new(memory);
        ways.update(memory, &view(&plan.during_backends), &plan.during_backends).expect("ways");
        let mut bindings = plan.switch(memory, &Bindings::default()).unwrap_or_else(|error| panic!("{error:#}"));
        inventories.push((so_far(), plan.next.clone()));
        let mut follow = |bindings: &Bindings, memory: &mut Memory| {
            let backends = bindings.backends(memory).expect("backends");
            ways.update(memory, &view(&backends), &backends).expect("ways");
        };
        follow(&bindings, memory);

        // The copy of memory is not recorded, and neither is the time that passes.
        let between = memory.copy(&config.local.limits);
        while let Some(at) = bindings.next_change(memory) {
            if bindings.update(memory, at).unwrap_or_else(|error| panic!("{error:#}")) {
                follow(&bindings, memory);
            }
        }
        self.inventory = plan.next;
        memory.end_journal();
        let events = std::mem::take(&mut *journal.lock().expect("no panic"));
        Run { before, between, events, inventories }
    }
}

impl Run {
    /// The inventory after so many events.
    pub fn inventory_at(&self, events: usize, first: &Inventory) -> Inventory {
        let written = self.inventories.iter().rev().find(|(at, _)| *at <= events);
        written.map_or_else(|| first.clone(), |(_, inventory)| inventory.clone())
    }
}

/// Two gateways of three, by the address.
fn gateways_toward(backend: IpAddr) -> [u8; 2] {
    let first = match backend {
        IpAddr::V4(address) => address.octets()[2],
        IpAddr::V6(address) => address.octets()[3] + 1,
    } % 3;
    [first, (first + 1) % 3]
}

fn mac(gateway: u8) -> [u8; 6] {
    [2, 0, 0, 0, 1, gateway]
}

/// MACs of the routers on the way to a backend.
pub fn macs_toward(backend: IpAddr) -> [[u8; 6]; 2] {
    gateways_toward(backend).map(mac)
}

/// The network that these backends are in.
pub fn view(backends: &[(IpAddr, u32)]) -> View {
    let hop = |gateway: u8| Hop { ifindex: 7, via: IpAddr::from([10, 8, 0, gateway + 1]), weight: 1 };
    let routes = backends.iter().map(|(address, _)| {
        let len = if address.is_ipv4() { 24 } else { 32 };
        let prefix = ipnet::IpNet::new(*address, len).expect("a prefix").trunc();
        let mut hops = gateways_toward(*address).map(hop).to_vec();
        hops.sort();
        (*address, Route { prefix, mtu_bytes: 1500, hops })
    });
    let link = Link {
        name: "bb0".to_owned(),
        egress_ifindex: 7,
        mac: [2, 0, 0, 0, 0, 1],
        vlan_id: None,
        mtu_bytes: 1500,
        up: true,
    };
    View {
        routes: routes.collect(),
        neighbours: (0..3).map(|gateway| (hop(gateway).neighbour(), mac(gateway))).collect(),
        links: BTreeMap::from([(7, link)]),
        access: BTreeSet::new(),
    }
}
