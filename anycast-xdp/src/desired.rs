//! What a configuration file asks for, after parsing and validation: facts of this host, and services.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anycast_common::listeners::{Compiled, ListenerError, compile};
pub use anycast_common::{encap::Encap, listeners::Listener};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// Most tunnel addresses of a gateway.
pub const TUNNEL_ADDRESSES_MAX: u32 = 256;
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
    /// UDP port that GUE arrives at.
    pub gue_port: u16,
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

impl std::fmt::Display for AttachMode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
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
        }
    }
}

/// The services of a PoP or gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// In the order of the file.
    pub vips: Vec<Vip>,
    /// In the order of the file.
    pub pools: Vec<Pool>,
}

/// One anycast service address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vip {
    /// Unique name.
    pub name: String,
    /// Unique address.
    pub address: IpAddr,
    /// What it takes; empty: everything.
    pub listeners: Vec<Listener>,
    /// What of a packet decides its backend.
    pub hash: HashOn,
    /// Name of the pool that it is bound to; gateways have none.
    pub pool: Option<String>,
    /// Names of the pools that take its place, in this order.
    pub fallback_pools: Vec<String>,
    /// What becomes of echo requests.
    pub icmp_echo: IcmpEcho,
}

/// What becomes of echo requests to a VIP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IcmpEcho {
    /// They are packets like any other.
    #[default]
    Forward,
    /// The PoP answers.
    Answer,
    /// Dropped.
    Drop,
}

impl std::fmt::Display for IcmpEcho {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Forward => "forward",
            Self::Answer => "answer",
            Self::Drop => "drop",
        })
    }
}

impl Vip {
    /// The pools that it is bound to, in order.
    pub fn pools(&self) -> impl Iterator<Item = &str> {
        self.pool.iter().chain(&self.fallback_pools).map(String::as_str)
    }

    /// Its listeners, compiled. One that takes everything, but not by its addresses, is as one with listeners for every
    /// protocol: its packets have to be read as far as their ports.
    ///
    /// # Errors
    ///
    /// Listeners that validation excludes.
    pub fn compiled_listeners(&self) -> Result<Compiled, ListenerError> {
        compile_for(&self.listeners, self.hash)
    }
}

/// What a VIP with these listeners and this hash takes.
///
/// # Errors
///
/// Listeners that validation excludes.
pub fn compile_for(listeners: &[Listener], hash: HashOn) -> Result<Compiled, ListenerError> {
    if listeners.is_empty() && hash == HashOn::Flow { Ok(Compiled::everything()) } else { compile(listeners) }
}

/// What of a packet decides its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HashOn {
    /// Addresses, ports and protocol.
    #[serde(rename = "5-tuple")]
    Flow,
    /// The client's address.
    #[serde(rename = "source")]
    Source,
    /// Both addresses.
    #[serde(rename = "addresses")]
    Addresses,
}

impl std::fmt::Display for HashOn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Flow => "5-tuple",
            Self::Source => "source",
            Self::Addresses => "addresses",
        })
    }
}

impl HashOn {
    /// What a VIP hashes on that does not say.
    pub const fn default_of(has_listeners: bool) -> Self {
        if has_listeners { Self::Flow } else { Self::Addresses }
    }
}

/// What a pool or a backend is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Flows, new ones too.
    #[default]
    Up,
    /// The TCP flows that it has, and nothing new.
    Drain,
    /// Nothing.
    Down,
}

impl std::fmt::Display for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Up => "up",
            Self::Drain => "drain",
            Self::Down => "down",
        })
    }
}

/// The weighted backends of one home region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Unique name.
    pub name: String,
    /// Where it is.
    pub home_region: String,
    /// What all of it is there for.
    pub state: State,
    /// At least one.
    pub backends: Vec<Backend>,
}

/// A home-region node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its tunnel address, unique within the pool.
    pub address: IpAddr,
    /// Share of the flows, 1 to 65535.
    pub weight: u16,
    /// What its packets are wrapped in.
    pub encap: Encap,
    /// Longest outer packet toward it, in bytes, if the route and the routers do not know.
    pub mtu_bytes: Option<u16>,
    /// What it is there for.
    pub state: State,
}

/// The least MTU of a path that a backend may be behind: what every host takes in one piece (RFC 791) or every link
/// (RFC 8200 section 5).
pub const fn outer_mtu_min_bytes(backend: IpAddr) -> u16 {
    match backend {
        IpAddr::V4(_) => 576,
        IpAddr::V6(_) => IPV6_MTU_MIN_BYTES,
    }
}
