//! What a configuration file asks for, after parsing and validation: facts of this host, and services.

mod binding;
mod control;
pub(crate) mod durations;
#[cfg(test)]
pub(crate) mod examples;
mod health;
mod services;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use anycast_common::{encap::Encap, listeners::Listener};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Serialize;

pub use self::binding::{Binding, BindingPolicy};
pub use self::control::{ControlFacts, MetricsFacts};
pub use self::health::{AllDown, Check, Failback, Failover, FailoverPolicy, Health, HealthFacts, PublishFacts};
pub use self::services::{
    Backend, HashOn, IcmpEcho, Pool, Pop, Prefix, Returns, Services, State, Vip, compile_for, outer_mtu_min_bytes,
};

/// Most tunnel addresses of a gateway.
pub const TUNNEL_ADDRESSES_MAX: u32 = 255;
/// Most allowed sources of a gateway.
pub const SOURCES_MAX: u32 = 4096;
/// Most GRE keys of a gateway.
pub const GRE_KEYS_MAX: u32 = 16;

/// Longest packet that every IPv6 path takes whole (RFC 8200 section 5).
pub const IPV6_MTU_MIN_BYTES: u16 = 1280;

/// How long flows keep their backend after a table changed, where the file does not say.
pub const TRANSITION_SECS: u32 = 300;

/// A valid configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What is true of this host only.
    pub local: Local,
    /// The services it carries.
    pub services: Services,
}

/// Facts of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// Names the pins and the state of this daemon; several can run on one machine.
    pub instance: String,
    /// What this host does.
    pub role: Role,
    /// Site name.
    pub pop: String,
    /// Host name within the site.
    pub host: String,
    /// Interfaces that a program is attached to, or that lead to the backbone.
    pub interfaces: Vec<Interface>,
    /// Capacities of the maps.
    pub limits: Limits,
    /// How services are kept, changed and watched.
    pub control: ControlFacts,
}

/// What a host does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes VIP packets in and encapsulates them.
    Pop(PopRole),
    /// Takes tunnel packets in and decapsulates them for its own stack.
    Gateway(GatewayRole),
}

/// Facts of a PoP host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PopRole {
    /// Outer source of IPv4 tunnels: one address, or a prefix in which each flow has one.
    pub tunnel_source_ipv4: Option<Ipv4Net>,
    /// Outer source of IPv6 tunnels, likewise.
    pub tunnel_source_ipv6: Option<Ipv6Net>,
    /// Secret of the fleet, the same on every PoP: keys the flow hash and the Maglev tables.
    pub hash_seed: [u8; 16],
    /// Accept a backbone whose MTU is below the access MTU plus the outer header.
    pub allow_small_mtu: bool,
    /// What it answers by itself.
    pub icmp: Icmp,
    /// How long flows that were there keep their backend after a table changed.
    pub transition_secs: u32,
    /// UDP port that answers in GUE arrive at: that of its backends.
    pub gue_port: u16,
    /// Where probes come from.
    pub health: HealthFacts,
    /// How VIPs are published; none: they are not, by this program.
    pub publish: Option<PublishFacts>,
}

/// What a PoP answers by itself, how often and in whose name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Icmp {
    /// Source of Time Exceeded.
    pub source_ipv4: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub source_ipv6: Option<Ipv6Addr>,
    /// Most echo replies per second.
    pub echo_rate_pps: u32,
    /// Most ICMP errors per second.
    pub error_rate_pps: u32,
}

impl Default for Icmp {
    fn default() -> Self {
        Self { source_ipv4: None, source_ipv6: None, echo_rate_pps: 1000, error_rate_pps: 1000 }
    }
}

/// Facts of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayRole {
    /// Addresses of this host that tunnels end at.
    pub tunnel_addresses: Vec<IpAddr>,
    /// Outer sources that are believed.
    pub allowed_sources: Vec<IpNet>,
    /// Keys that GRE must carry one of; empty: GRE carries none.
    pub gre_keys: Vec<u32>,
    /// UDP port that GUE arrives at, and that answers in GUE are sent to.
    pub gue_port: u16,
    /// Longest outer packet that the ways between here and the PoPs carry, where routes and routers do not know.
    pub return_mtu_bytes: Option<u16>,
}

/// One interface and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Kernel name.
    pub name: String,
    /// VIP traffic enters here.
    pub access: bool,
    /// Tunnels leave (PoP) or arrive (gateway) here.
    pub backbone: bool,
    /// What the stack sends leaves here, answers of VIPs among it (gateway).
    pub egress: bool,
    /// Which XDP mode is asked for.
    pub attach: AttachMode,
}

/// Which XDP mode is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AttachMode {
    /// Native, or generic where the driver cannot.
    #[default]
    Auto,
    /// In the driver; refuses to fall back.
    Native,
    /// In the stack.
    Generic,
}

/// What one configuration may hold. The maps are made for it, with room for an old one beside a new one where they need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// VIPs.
    pub vips: u32,
    /// Pools, and distinct lists of pools with fall-backs.
    pub pools: u32,
    /// Backends over all pools.
    pub backends: u32,
    /// Maglev slots over all pools, each pool's number of them rounded up to an even one.
    pub slots: u32,
    /// Next-hop groups.
    pub groups: u32,
    /// Next hops.
    pub next_hops: u32,
    /// Egress links.
    pub links: u32,
    /// Distinct listener sets.
    pub listener_sets: u32,
    /// Drop reasons remembered over all VIPs.
    pub vip_drops: u32,
    /// Flows remembered that began while their slot was in transition.
    pub transitions: u32,
    /// Clients whose PoP a gateway remembers.
    pub return_clients: u32,
}

impl Limits {
    /// Port tables over all listener sets: one for each protocol with ports.
    pub const fn port_tables(&self) -> u32 {
        self.listener_sets.saturating_mul(3)
    }

    /// Port pages over all port tables. Most take a few ports, and share the pages of others.
    pub const fn port_pages(&self) -> u32 {
        // Old and new ones together are named by 16 bits.
        let most = u16::MAX as u32 / 2;
        let pages = self.listener_sets.saturating_mul(8);
        if pages < most { pages } else { most }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            vips: 4096,
            pools: 512,
            backends: 4096,
            slots: 1 << 20,
            groups: 1024,
            next_hops: 1024,
            links: 64,
            listener_sets: 256,
            vip_drops: 16_384,
            transitions: 65_536,
            return_clients: 262_144,
        }
    }
}
