//! Hosts that are well.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::Path,
};

use super::super::{
    Report, examine,
    facts::{
        Address, AtEgress, CLIENTS, Device, Facts, Instance, Link, Pinned, Rights, Socket, State, Sysctls, System,
    },
};
use crate::{
    config,
    dataplane::{egress::EgressProgram, ethtool::RxQueues, inspect::XDP_HOOK, interfaces::XdpState},
    desired::{self, Config, Interface},
    netlink::{
        self, Hop, NeighbourKey, Route, View,
        device::XdpFeatures,
        snapshot::{Neighbour, Snapshot, StackRoute},
    },
    view::{Attachment, BackendStatus, MtuSource, NextHopStatus, Status, VipRow},
};

const POP: &str = include_str!("../../../../docs/examples/pop.toml");
const GATEWAY: &str = include_str!("../../../../docs/examples/gateway.toml");

/// Index of `lo`, of the access interface and of the backbone interface.
pub(super) const LO: u32 = 1;
pub(super) const IN0: u32 = 2;
pub(super) const BB0: u32 = 3;
/// Of the instance's own programs, and of the neighbour.
const PROGRAM_ID: u32 = 41;
const EGRESS_ID: u32 = 42;
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

/// A configuration and the facts of its host.
pub(super) struct World {
    pub(super) config: Config,
    pub(super) facts: Facts,
}

pub(super) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

impl World {
    /// The example of a PoP without its fall-back, running.
    pub(super) fn pop() -> Self {
        let mut config = config::parse(POP, Path::new("pop.toml")).unwrap();
        config.services.pools.truncate(1);
        config.services.vips.iter_mut().for_each(|vip| vip.fallback_pools.clear());
        let mut facts = facts(&["in0", "bb0"]);
        facts.addresses = vec![own("10.3.0.2", 24, BB0), own("fd00:3::2", 64, BB0)];
        facts.ways = Ok(ways());
        facts.instance = instance(&config, "pop");
        Self { config, facts }
    }

    /// The same, before its first start.
    pub(super) fn pop_before_start() -> Self {
        let mut world = Self::pop();
        let instance = &mut world.facts.instance;
        (instance.state, instance.daemon_pid, instance.has_inventory) = (State::Absent, None, false);
        world.facts.links.values_mut().for_each(|link| link.xdp = None);
        world.facts.devices.values_mut().for_each(|device| device.own_program_id = None);
        world
    }

    /// The example of a gateway, running: answers leave as tunnels arrive.
    pub(super) fn gateway() -> Self {
        let config = config::parse(GATEWAY, Path::new("gateway.toml")).unwrap();
        let mut facts = facts(&["bb0"]);
        let vips = config.services.vips.iter().map(|vip| vip.address);
        facts.addresses = vec![own("10.4.0.2", 24, BB0), own("fd00:4::2", 64, BB0)];
        facts.addresses.extend(vips.clone().map(|vip| Address { address: vip, prefix_len_bits: 32, ifindex: LO }));
        let local = StackRoute { local: true, default: false, ifindexes: [LO].into(), ..default_route() };
        let routes = vips.map(|vip| (vip, Some(local.clone())));
        facts.stack_routes = Ok(routes.chain(CLIENTS.map(|client| (client, Some(default_route())))).collect());
        facts.instance = instance(&config, "gateway");
        Self { config, facts }
    }

    pub(super) fn report(&self) -> Report {
        examine(&self.config, &self.facts)
    }

    pub(super) fn codes(&self) -> Vec<&'static str> {
        self.report().findings.iter().map(|finding| finding.code).collect()
    }

    pub(super) fn link(&mut self, name: &str) -> &mut Link {
        self.facts.links.get_mut(name).unwrap()
    }

    pub(super) fn device(&mut self, name: &str) -> &mut Device {
        self.facts.devices.get_mut(name).unwrap()
    }

    pub(super) fn ways(&mut self) -> &mut Snapshot {
        self.facts.ways.as_mut().unwrap()
    }

    pub(super) fn pinned(&mut self) -> &mut Pinned {
        let State::Pinned(pinned) = &mut self.facts.instance.state else { panic!("nothing is pinned") };
        pinned
    }

    pub(super) fn set(&mut self, path: &str, value: u32) {
        self.facts.sysctls.0.insert(path.to_owned(), Ok(value));
    }

    /// The route of the stack to an address.
    pub(super) fn route(&mut self, to: IpAddr, route: Option<StackRoute>) {
        self.facts.stack_routes.as_mut().unwrap().insert(to, route);
    }
}

pub(super) fn own(text: &str, prefix_len_bits: u8, ifindex: u32) -> Address {
    Address { address: address(text), prefix_len_bits, ifindex }
}

pub(super) fn default_route() -> StackRoute {
    StackRoute { local: false, default: true, ifindexes: [BB0].into(), mtu_bytes: Some(1500), advmss_bytes: None }
}

/// A machine with these interfaces, and our program on each.
fn facts(interfaces: &[&str]) -> Facts {
    let xdp = Some(XdpState { mode: "native", program_id: PROGRAM_ID });
    let link = |ifindex, mtu_bytes| Link {
        ifindex,
        mtu_bytes,
        ethernet: true,
        up: true,
        carrier: true,
        xdp,
        ..Link::default()
    };
    let of = |name: &str| (name.to_owned(), if name == "in0" { link(IN0, 1500) } else { link(BB0, 1600) });
    let lo = Link { ifindex: LO, mtu_bytes: 65536, up: true, carrier: true, ..Link::default() };
    let values = ["rp_filter", "arp_ignore", "arp_announce", "forwarding"].into_iter().flat_map(|key| {
        let value = if matches!(key, "arp_announce") { 2 } else { u32::from(key == "forwarding") };
        ["all", "in0", "bb0"].map(|name| (format!("ipv4/conf/{name}/{key}"), Ok(value)))
    });
    let of_ipv6 = ["all", "in0", "bb0"].map(|name| (format!("ipv6/conf/{name}/forwarding"), Ok(1)));
    Facts {
        system: System {
            kernel: "6.12.43-amd64".to_owned(),
            jit: Ok(1),
            btf: true,
            bpffs: true,
            capabilities: Ok(u64::MAX),
            memlock_bytes: Ok(64 << 10),
            cpus_online: 4,
            cpus_possible: 4,
        },
        links: interfaces.iter().map(|name| of(name)).chain([("lo".to_owned(), lo)]).collect(),
        addresses: Vec::new(),
        local_sources: BTreeSet::new(),
        devices: interfaces.iter().map(|name| ((*name).to_owned(), device())).collect(),
        sysctls: Sysctls(values.chain(of_ipv6).collect()),
        ways: Ok(Snapshot::default()),
        stack_routes: Ok(BTreeMap::new()),
        instance: Instance {
            name: "default".to_owned(),
            daemon_pid: Some(7),
            foreign_generation: None,
            has_inventory: true,
            state: State::Absent,
        },
        rights: Rights {
            daemon_uid: Some(990),
            bpffs_uid: Some(990),
            socket: Ok(Some(Socket { group: "anycast-xdp".to_owned(), mode: 0o660 })),
        },
    }
}

fn device() -> Device {
    Device {
        driver: Ok("mlx5_core".to_owned()),
        xdp_features: Ok(XdpFeatures(XdpFeatures::BASIC.0 | XdpFeatures::NDO_XMIT.0)),
        offloads: Ok(["rx-lro", "rx-gro-hw"].map(|name| (name.to_owned(), false)).into()),
        rx_queues: Ok(RxQueues { used: 4, max: 8, combined: true }),
        own_program_id: Some(PROGRAM_ID),
        program_name: Some("pop".to_owned()),
        link_ids: Vec::new(),
        egress: Ok(vec![at_egress(EGRESS_ID, true)]),
    }
}

/// A tcx program, ours or another.
pub(super) fn at_egress(program_id: u32, is_own: bool) -> AtEgress {
    let name = if is_own { "gateway_return" } else { "shaper" };
    let program = EgressProgram { program_id, name: name.to_owned(), filter: None };
    AtEgress { program, is_own, link_ids: Vec::new() }
}

/// Both backends behind one router.
fn ways() -> Snapshot {
    let hop = |via: &str| Hop { ifindex: BB0, via: address(via), weight: 1 };
    let route = |prefix: &str, via| Route { prefix: prefix.parse().unwrap(), mtu_bytes: 1600, hops: vec![hop(via)] };
    let keys = ["10.3.0.1", "fd00:3::1"].map(|via| NeighbourKey { ifindex: BB0, address: address(via) });
    let link = netlink::Link {
        name: "bb0".to_owned(),
        egress_ifindex: BB0,
        mac: [2; 6],
        vlan_id: None,
        mtu_bytes: 1600,
        up: true,
    };
    let neighbour = Neighbour { state: "reachable", usable: true, kept: true };
    Snapshot {
        view: View {
            routes: [
                (address("10.4.0.2"), route("10.4.0.0/16", "10.3.0.1")),
                (address("fd00:4::2"), route("fd00:4::/32", "fd00:3::1")),
            ]
            .into(),
            neighbours: keys.map(|key| (key, MAC)).into(),
            links: [(BB0, link)].into(),
            ..View::default()
        },
        neighbours: keys.map(|key| (key, neighbour)).into(),
    }
}

/// What runs is what the configuration says.
fn instance(config: &Config, role: &str) -> Instance {
    let attachment = |interface: &Interface, hook, program: &str, program_id, asked, mode: &str| Attachment {
        interface: interface.name.clone(),
        ifindex: 1,
        hook,
        program: program.to_owned(),
        program_id,
        asked,
        mode: mode.to_owned(),
        frags: false,
    };
    let attachments = config.local.interfaces.iter().flat_map(|interface| {
        let xdp = attachment(interface, XDP_HOOK, role, PROGRAM_ID, Some("auto".to_owned()), "native");
        let egress = attachment(interface, "tcx egress", "gateway_return", EGRESS_ID, None, "attached");
        [Some(xdp), (role == "gateway").then_some(egress)].into_iter().flatten()
    });
    let next_hop = NextHopStatus { interface: "bb0".to_owned(), mac: "02:00:00:00:00:09".to_owned(), sixteenths: 16 };
    let backends = config.services.pools.iter().flat_map(|pool| {
        pool.backends.iter().map(|backend| BackendStatus {
            pool: pool.name.clone(),
            address: backend.address,
            weight: backend.weight,
            state: if pool.state == desired::State::Up { backend.state } else { pool.state },
            encap: backend.encap.to_string(),
            is_down_by_health: false,
            mtu_source: Some(MtuSource::Route),
            mtu_left_secs: None,
            mtu_bytes: 1600,
            next_hops: vec![next_hop.clone()],
        })
    });
    let vips = config.services.vips.iter().map(|vip| VipRow {
        name: vip.name.clone(),
        address: vip.address,
        listeners: vip.listeners.iter().map(ToString::to_string).collect(),
        hash: (role == "pop").then_some(vip.hash),
        pool: vip.pool.clone(),
        fallback_pools: vip.fallback_pools.clone(),
        icmp_echo: (role == "pop").then_some(vip.icmp_echo),
        returns: vip.returns,
    });
    let pinned = Pinned {
        status: Status {
            instance: "default".to_owned(),
            role: role.to_owned(),
            pop: config.local.pop.clone(),
            host: config.local.host.clone(),
            abi_version: 1,
            generation: 1,
            daemon_pid: Some(7),
            icmp: None,
            bindings: Vec::new(),
            attachments: attachments.collect(),
            tables: Vec::new(),
            returns: Vec::new(),
            backends: backends.collect(),
        },
        vips: vips.collect(),
        outcomes: BTreeMap::new(),
        not_counted: Vec::new(),
        losses: BTreeMap::new(),
    };
    Instance {
        name: "default".to_owned(),
        daemon_pid: Some(7),
        foreign_generation: None,
        has_inventory: true,
        state: State::Pinned(Box::new(pinned)),
    }
}
