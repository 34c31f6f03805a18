//! Topologies as code. All of them are dual stack, and are this, with as many of each part as asked for:
//!
//! ```text
//! client ── transit ── PoP ── backbone router ── home host
//!               └─────────────────┘
//! ```
//!
//! The home host has the VIPs on `lo` and answers past the PoP: home host, router, transit, client (direct return).

mod build;
mod plan;

use std::{net::IpAddr, sync::Arc};

use anyhow::Result;

use ipnet::IpNet;

pub use plan::{FAMILIES, Family, VIP_PREFIXES, VIP_V4, VIP_V6};

use self::plan::Net;
use super::{Namespace, link::Link, scratch::Scratch};

/// MTU of links that carry tunnels: room for the larger outer header, and a little more.
pub const BACKBONE_MTU_BYTES: u16 = 1600;
/// The same of a lab with jumbo frames.
pub const JUMBO_BACKBONE_MTU_BYTES: u16 = 9100;

/// What to build.
#[derive(Clone, Debug)]
#[must_use = "call build"]
pub struct Topology {
    sites: u8,
    routers: u8,
    access_nics: u8,
    one_armed: bool,
    homes: u8,
    jumbo: bool,
}

impl Topology {
    /// One PoP with one access NIC (`in0`) and one backbone NIC (`bb0`), one backbone router, one home host.
    pub fn pop_and_home() -> Self {
        Self { sites: 1, routers: 1, access_nics: 1, one_armed: false, homes: 1, jumbo: false }
    }

    /// Two PoPs, a client at each, and one home region.
    pub fn two_pops_and_home() -> Self {
        Self { sites: 2, ..Self::pop_and_home() }
    }

    /// The PoP reaches the backbone through its access NIC and the transit router: `XDP_TX` instead of `XDP_REDIRECT`.
    pub fn one_armed(mut self) -> Self {
        self.one_armed = true;
        self
    }

    /// Frames of 9000 bytes from client to server and back.
    pub fn jumbo(mut self) -> Self {
        self.jumbo = true;
        self
    }

    /// MTU of links that packets take as clients send them.
    pub fn access_mtu_bytes(&self) -> u16 {
        if self.jumbo { 9000 } else { 1500 }
    }

    /// MTU of links that carry tunnels.
    pub fn backbone_mtu_bytes(&self) -> u16 {
        if self.jumbo { JUMBO_BACKBONE_MTU_BYTES } else { BACKBONE_MTU_BYTES }
    }

    /// This many backbone routers: the PoP has a NIC to each (`bb0`, `bb1`) and equal-cost routes over them.
    pub fn routers(mut self, count: u8) -> Self {
        assert!((1..10).contains(&count), "1 to 9 routers");
        self.routers = count;
        self
    }

    /// This many access NICs (`in0`, `in1`), over which the transit router spreads flows.
    pub fn access_nics(mut self, count: u8) -> Self {
        assert!((1..10).contains(&count), "1 to 9 access NICs");
        self.access_nics = count;
        self
    }

    /// This many home hosts, behind the first router.
    pub fn homes(mut self, count: u8) -> Self {
        assert!((1..=100).contains(&count), "1 to 100 home hosts");
        self.homes = count;
        self
    }

    /// Builds it.
    pub fn build(self) -> Result<Lab> {
        build::build(&self)
    }
}

/// A built topology.
// Field order is drop order: links (with their programs) before the namespaces that they are in.
#[derive(Debug)]
pub struct Lab {
    topology: Topology,
    /// All links, with what they are attached to.
    _links: Vec<Link>,
    /// One for each PoP.
    pub sites: Vec<Site>,
    /// Backbone routers: `rt_popS` faces the PoP of site S, `rt_home` the home host, `rt_trS` the transit of site S.
    pub routers: Vec<Namespace>,
    /// The home host: `lb0` faces the first router, `lb1` the second.
    pub home: Arc<Namespace>,
    /// More home hosts: `lb0` faces the first router.
    pub other_homes: Vec<Arc<Namespace>>,
    /// Files of this lab.
    pub scratch: Scratch,
}

/// A PoP and its clients' side.
#[derive(Debug)]
pub struct Site {
    number: u8,
    one_armed: bool,
    /// A client: `cl0`.
    pub client: Namespace,
    /// The router between client and PoP: `tr_cl`, `tr_pop0` (and `tr_pop1`), `tr_rt0` (and `tr_rt1`).
    pub transit: Namespace,
    /// The PoP host: `in0` (and `in1`), `bb0` (and `bb1`) unless one-armed.
    pub pop: Arc<Namespace>,
}

impl Lab {
    /// The only site of a lab with one.
    pub fn site(&self) -> &Site {
        &self.sites[0]
    }

    /// All of its namespaces.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        let of_sites = self.sites.iter().flat_map(|site| [&site.client, &site.transit, &*site.pop]);
        of_sites.chain(&self.routers).chain(self.homes().map(|home| &**home))
    }

    /// All home hosts, the first one first.
    pub fn homes(&self) -> impl Iterator<Item = &Arc<Namespace>> {
        std::iter::once(&self.home).chain(&self.other_homes)
    }

    /// Interfaces of every PoP on which VIP traffic enters.
    pub fn access_interfaces(&self) -> Vec<String> {
        (0..self.topology.access_nics).map(|nic| format!("in{nic}")).collect()
    }

    /// Interfaces of every PoP on which tunnels leave.
    pub fn backbone_interfaces(&self) -> Vec<String> {
        if self.topology.one_armed {
            return self.access_interfaces();
        }
        (0..self.topology.routers).map(|router| format!("bb{router}")).collect()
    }

    /// Interfaces of the home host on which tunnels arrive.
    pub fn home_interfaces(&self) -> Vec<String> {
        (0..self.topology.routers).map(|router| format!("lb{router}")).collect()
    }

    /// True if tunnels leave by the NIC that packets came in by.
    pub fn is_one_armed(&self) -> bool {
        self.topology.one_armed
    }

    /// Where tunnels to the home host end.
    pub fn home_address(&self, family: Family) -> IpAddr {
        self.address_of_home(0, family)
    }

    /// Where tunnels to this home host end, counted from 0.
    pub fn address_of_home(&self, home: u8, family: Family) -> IpAddr {
        match home {
            0 => Net::Home { router: 0 }.address(family, 2),
            home => Net::OtherHome { home }.address(family, 2),
        }
    }
}

impl Site {
    /// The outer source of tunnels from this PoP.
    pub fn tunnel_source(&self, family: Family) -> IpAddr {
        if self.one_armed {
            return Net::Access { site: self.number, nic: 0 }.address(family, 2);
        }
        Net::Backbone { site: self.number, router: 0 }.address(family, 2)
    }

    /// The network of the client, and the option of `ip` for its family.
    pub fn client_net(&self, family: Family) -> (&'static str, IpNet) {
        let [v4, v6] = Net::Client { site: self.number }.interface(0);
        match family {
            Family::V4 => ("-4", v4.trunc()),
            Family::V6 => ("-6", v6.trunc()),
        }
    }

    /// The client's own address.
    pub fn client_address(&self, family: Family) -> IpAddr {
        Net::Client { site: self.number }.address(family, 2)
    }
}
