//! VIPs, pools and backends.

use std::{fmt, net::IpAddr, sync::Arc};

use anycast_common::listeners::{Compiled, ListenerError, compile};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Binding, Encap, FailoverPolicy, Health, IPV6_MTU_MIN_BYTES, Listener};

/// The services of a PoP or gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// In the order of the file.
    pub vips: Vec<Vip>,
    /// In the order of the file.
    pub pools: Vec<Pool>,
    /// What BGP announces. Empty in a host's file that names none.
    pub prefixes: Vec<Prefix>,
    /// PoPs of which there is something to say.
    pub pops: Vec<Pop>,
}

/// What BGP announces to the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Unique name.
    pub name: String,
    /// Prefixes do not overlap.
    pub prefix: IpNet,
    /// Names of the PoPs that announce it; none: every PoP.
    pub publish: Option<Vec<String>>,
}

/// What is to be known of a PoP on all of its hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pop {
    /// As `[host] pop` has it.
    pub name: String,
    /// It drains: every one of its hosts withdraws what it publishes.
    pub is_draining: bool,
}

impl Services {
    /// The VIPs whose answers go through PoPs.
    pub fn returning(&self) -> impl Iterator<Item = &Vip> + Clone {
        self.vips.iter().filter(|vip| vip.returns != Returns::Direct)
    }

    /// Do answers of any VIP go through PoPs?
    pub fn has_returning(&self) -> bool {
        self.returning().next().is_some()
    }
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
    /// The way that its answers take.
    pub returns: Returns,
    /// What is done where its pools fail.
    pub failover: FailoverPolicy,
    /// Names of the PoPs that it is published at, some of those of its prefix; none: all of those.
    pub publish: Option<Vec<String>>,
}

/// The way that a VIP's answers take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Returns {
    /// From the home region straight to the client.
    #[default]
    Direct,
    /// Through the PoP that the client's last packet came by; directly, where none is known.
    Pop,
    /// The same; where none is known they are dropped. Differs from [`Returns::Pop`] on gateways only.
    PopOrDrop,
}

impl fmt::Display for Returns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::Pop => "pop",
            Self::PopOrDrop => "pop or drop",
        })
    }
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

impl Vip {
    /// The pools that it is bound to, in order.
    pub fn pools(&self) -> impl Iterator<Item = &str> {
        self.pool.iter().chain(&self.fallback_pools).map(String::as_str)
    }

    /// What it shares with other VIPs.
    pub fn binding(&self) -> Binding {
        Binding::new(self.pools().map(str::to_owned).collect(), self.failover.binding())
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

impl HashOn {
    /// What a VIP hashes on that does not say.
    pub const fn default_of(has_listeners: bool) -> Self {
        if has_listeners { Self::Flow } else { Self::Addresses }
    }
}

/// What a pool or a backend is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// How it is found out which of them are down; none: only routes and the operator tell.
    pub health: Option<Arc<Health>>,
    /// Share of the hash buckets that it takes of what is bound to it before others, 0 to 100.
    pub dial_percent: u8,
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
