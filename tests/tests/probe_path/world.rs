//! A PoP that sends to its VIPs itself, and two home hosts that are gateways and servers.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anycast_common::probe::ProbeMark;
use anycast_tests::lab::{
    Lab, Topology,
    daemon::{Daemon, GatewayConfig, PopConfig, Stats},
    deployment::{MIXES, Mix},
    server::{Nginx, TcpEcho},
    topology::{FAMILIES, Family},
    wait::wait_for,
};
use anycast_xdp::dataplane::{inventory::Inventory, pins::Pins};

use super::marked;

/// Port of the servers that say their number.
pub const PORT: u16 = 7000;
/// Port of an echo by UDP, where a test has one.
pub const UDP_PORT: u16 = 7001;

/// The PoP, and what it needs. Home host 1 has no slot in any table.
// Field order is drop order: daemons before the namespaces that they are in.
pub struct World {
    pub pop: Daemon,
    pub gateways: Vec<Daemon>,
    _servers: Vec<TcpEcho>,
    _nginx: Nginx,
    pub health: [IpAddr; 2],
    pub lab: Lab,
}

impl World {
    /// The answers of all VIPs go the way that these lines say; probes come from these addresses of the PoP.
    pub fn new(topology: Topology, vip_lines: &'static str, health: impl Fn(&Lab) -> [IpAddr; 2]) -> Self {
        let lab = topology.homes(2).build().unwrap();
        let health = health(&lab);
        let (mut gateways, mut servers) = (Vec::new(), Vec::new());
        for (number, home) in (0..).zip(lab.homes()) {
            let config = GatewayConfig::of_home(&lab, number, home).every_vip(vip_lines);
            let config = MIXES.iter().fold(config, |config, mix| config.vip(mix.name, mix.vip));
            for mix in MIXES {
                home.add_loopback_address(mix.vip).unwrap();
            }
            gateways.push(Daemon::start(home, &lab.scratch, config.instance(), config.text()).unwrap());
            servers.extend(MIXES.map(|mix| TcpEcho::start(home, mix.vip, PORT, number).unwrap()));
        }
        let nginx = Nginx::start(&lab.home, lab.scratch.path(), &MIXES.map(|mix| mix.vip)).unwrap();
        let config = config(&lab, vip_lines, health);
        let pop = Daemon::start(&lab.site().pop, &lab.scratch, config.instance(), config.text()).unwrap();
        let world = Self { pop, gateways, _servers: servers, _nginx: nginx, health, lab };
        world.lead_vips();
        world
    }

    /// Routes of VIPs lead to `axp0`, as the daemon of the host that publishes makes them.
    pub fn lead_vips(&self) {
        for mix in MIXES {
            let (bits, source) = if mix.vip.is_ipv4() { (32, self.health[0]) } else { (128, self.health[1]) };
            let route = format!("route replace {}/{bits} dev axp0 proto static src {source}", mix.vip);
            self.lab.site().pop.ip(&route).unwrap();
        }
    }

    pub fn health_of(&self, mix: Mix) -> IpAddr {
        self.health[usize::from(mix.vip.is_ipv6())]
    }

    /// Mark of a home host in the pool of a mix.
    pub fn mark(&self, mix: Mix, home: u8) -> u32 {
        let inventory = Inventory::read(&Pins::of(self.pop.instance()).state()).unwrap().unwrap();
        let address = self.lab.address_of_home(home, mix.outer);
        let backend = inventory.pool(mix.name).unwrap().backends.iter().find(|backend| backend.address == address);
        ProbeMark::new(backend.unwrap().index).unwrap().to_socket_mark()
    }

    /// The number that the server says by which a probe with this mark is answered.
    pub fn greeting(&self, mix: Mix, mark: u32) -> anyhow::Result<u8> {
        let server = SocketAddr::new(mix.vip, PORT);
        marked::greeting(&self.lab.site().pop, server, self.health_of(mix), mark)
    }

    /// How many of so many echo requests with this mark are answered.
    pub fn ping(&self, mix: Mix, mark: u32, count: u32) -> u32 {
        marked::ping(&self.lab.site().pop, mix.vip, self.health_of(mix), mark, count).unwrap()
    }

    /// What each home host counted of packets to a VIP.
    pub fn arrived(&self, mix: Mix) -> [u64; 2] {
        [0, 1].map(|home| self.gateways[home].stats().unwrap().vip_packets(mix.name, "forwarded"))
    }

    /// Both home hosts are reached by every tunnel.
    pub fn await_ways(&self) {
        wait_for("ways to all backends", Duration::from_secs(10), || {
            let status = self.pop.status().unwrap();
            let backends = status["backends"].as_array().unwrap();
            backends.iter().all(|row| !row["next_hops"].as_array().unwrap().is_empty()).then_some(())
        })
        .unwrap();
    }
}

/// Counters of probes of a host by outcome, in packets.
pub fn probes(stats: &Stats, outcome: &str) -> u64 {
    stats.0["probes"].get(outcome).map_or(0, |count| count["packets"].as_u64().unwrap())
}

/// All that is counted of clients' packets.
pub fn of_clients(stats: &Stats) -> serde_json::Value {
    let mut all = stats.0.clone();
    let all = all.as_object_mut().unwrap();
    let mut outcomes = all["outcomes"].clone();
    // Neighbour discovery, and answers that come directly to an interface that is access and backbone.
    outcomes.as_object_mut().unwrap().remove("not_vip");
    serde_json::json!({ "vips": all["vips"], "backends": all["backends"], "outcomes": outcomes })
}

pub fn config(lab: &Lab, vip_lines: &'static str, health: [IpAddr; 2]) -> PopConfig {
    let section = format!("\n[health]\nsource_ipv4 = \"{}\"\nsource_ipv6 = \"{}\"\n", health[0], health[1]);
    let config = PopConfig::new(lab, lab.site(), "pop").and(&section).every_vip(vip_lines);
    MIXES.iter().fold(config, |config, mix| {
        let backends = [(lab.address_of_home(0, mix.outer), "up"), (lab.address_of_home(1, mix.outer), "down")];
        config.pool_in_states(mix.name, &backends).vip(mix.name, mix.vip, mix.name)
    })
}

/// Addresses of the PoP's own, that the backbone has routes to.
pub fn loopback_addresses(lab: &Lab) -> [IpAddr; 2] {
    let addresses: [IpAddr; 2] = ["10.3.99.1", "fd00:3:99::1"].map(|text| text.parse().unwrap());
    for (address, family) in addresses.into_iter().zip(FAMILIES) {
        lab.site().pop.add_loopback_address(address).unwrap();
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let via = lab.site().tunnel_source(family);
        lab.routers[0].ip(&format!("route add {address}/{bits} via {via}")).unwrap();
    }
    addresses
}

/// The addresses that tunnels begin at.
pub fn tunnel_sources(lab: &Lab) -> [IpAddr; 2] {
    [Family::V4, Family::V6].map(|family| lab.site().tunnel_source(family))
}
