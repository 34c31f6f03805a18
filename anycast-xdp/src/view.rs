//! What `status`, `vips`, `stats` and `explain` show: read from the pinned state, daemon running or not. Its JSON form is stable.

mod drained;
mod explained;

use std::{collections::BTreeMap, net::IpAddr};

use anycast_common::map::Counter;
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

pub use self::drained::{Arriving, Drained};
pub use self::explained::{
    Explained, ExplainedBackend, ExplainedCount, ExplainedFlow, ExplainedListener, ExplainedNextHop, ExplainedPool,
    ExplainedPop, ExplainedVip,
};
use crate::desired::{HashOn, Icmp, IcmpEcho, Returns, State};

/// Serializes as `{"packets": n, "bytes": n}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count(pub Counter);

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut state = serializer.serialize_struct("Count", 2)?;
        state.serialize_field("packets", &self.0.packets)?;
        state.serialize_field("bytes", &self.0.bytes)?;
        state.end()
    }
}

/// `status`.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Instance name.
    pub instance: String,
    /// `pop` or `gateway`.
    pub role: String,
    /// Site name.
    pub pop: String,
    /// Host name within the site.
    pub host: String,
    /// ABI version of the pinned maps.
    pub abi_version: u32,
    /// Generation of the maps.
    pub generation: u32,
    /// Process id of the running daemon; none: forwarding goes on without one.
    pub daemon_pid: Option<u32>,
    /// Attached programs.
    pub attachments: Vec<Attachment>,
    /// What the PoP answers by itself; none on gateways.
    pub icmp: Option<Icmp>,
    /// How full each table is.
    pub tables: Vec<TableFill>,
    /// Which pools take the flows of the VIPs that are bound to them.
    pub bindings: Vec<BindingStatus>,
    /// Which way answers take, of how many VIPs.
    pub returns: Vec<ReturnsStatus>,
    /// Backends and where their packets go now.
    pub backends: Vec<BackendStatus>,
}

/// A way that answers take.
#[derive(Clone, Debug, Serialize)]
pub struct ReturnsStatus {
    /// `pop_or_drop` on gateways only.
    #[serde(rename = "return")]
    pub returns: Returns,
    /// VIPs whose answers take it.
    pub vips: u32,
}

/// A pool, or a distinct list of a pool and its fall-backs, that VIPs are bound to.
#[derive(Clone, Debug, Serialize)]
pub struct BindingStatus {
    /// Names of the pools, in order.
    pub pools: Vec<String>,
    /// VIPs that are bound to them.
    pub vips: u32,
    /// Who takes flows to the next pool: `local` or `manual`.
    pub failover: String,
    /// When they go back: `manual`, or after a time such as `5s`.
    pub failback: String,
    /// The first pool that takes new flows; none: not one of them, the table is changing.
    pub active: Option<String>,
    /// The pools that take new flows, and how many: several where the dials of pools divide them.
    pub shares: Vec<PoolShare>,
    /// Why it is not the first one, or what is wrong with the one that it is; empty: all is well.
    pub reason: String,
    /// TCP flows that were there before a change may still be on other backends.
    pub in_transition: bool,
}

/// Part of the new flows of a binding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PoolShare {
    /// Pool name.
    pub pool: String,
    /// Share of the hash buckets, from 0 to 100.
    pub percent: f64,
}

/// One attached program.
#[derive(Clone, Debug, Serialize)]
pub struct Attachment {
    /// Interface name.
    pub interface: String,
    /// Kernel interface index.
    pub ifindex: u32,
    /// Where it runs: `xdp`, `tcx egress` or `clsact egress`.
    pub hook: &'static str,
    /// Program: `pop`, `backbone` or `gateway`, at the egress `gateway_return`; on `axp0` `probe`, `probe_answers` and `probe_mark`.
    pub program: String,
    /// Program id in the kernel; 0: detached.
    pub program_id: u32,
    /// What was asked for: `auto`, `native` or `generic`; none at the egress, where the kernel decides.
    pub asked: Option<String>,
    /// What was obtained: `native` or `generic`, at the egress `attached`; `detached` when the link is there but the
    /// interface is not.
    pub mode: String,
    /// The program takes frames with fragments (`xdp.frags`): the MTU needs it.
    pub frags: bool,
}

/// How full a table is.
#[derive(Clone, Debug, Serialize)]
pub struct TableFill {
    /// Map name.
    pub name: String,
    /// Entries in use.
    pub used: u32,
    /// Capacity.
    pub capacity: u32,
}

/// A backend and where its packets go now.
#[derive(Clone, Debug, Serialize)]
pub struct BackendStatus {
    /// Pool name.
    pub pool: String,
    /// Tunnel address.
    pub address: IpAddr,
    /// Weight.
    pub weight: u16,
    /// What packets are wrapped in: `ipip`, `gre`, `gre key N` or `gue port N`.
    pub encap: String,
    /// What it is there for, by the configuration; a pool that is not up says so for all of its backends.
    pub state: State,
    /// Its probes fail: its flows go to the others of the pool, if those of any do not.
    pub is_down_by_health: bool,
    /// Longest outer packet, in bytes; 0: no route.
    pub mtu_bytes: u16,
    /// Whose that is; none: no route.
    pub mtu_source: Option<MtuSource>,
    /// Until a learnt one is forgotten; 0: a daemon would have forgotten it.
    pub mtu_left_secs: Option<u64>,
    /// The next hops in use; empty: unresolved, packets are dropped.
    pub next_hops: Vec<NextHopStatus>,
}

/// Who says how long a packet may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MtuSource {
    /// The route and the links that it leaves by.
    Route,
    /// `mtu_bytes` of the backend.
    Configured,
    /// A router of the backbone.
    Learnt,
}

/// A next hop in use.
#[derive(Clone, Debug, Serialize)]
pub struct NextHopStatus {
    /// Egress interface name.
    pub interface: String,
    /// MAC, colon-separated.
    pub mac: String,
    /// Share of the flows in sixteenths.
    pub sixteenths: u8,
}

/// `vips`: one row.
#[derive(Clone, Debug, Serialize)]
pub struct VipRow {
    /// Name.
    pub name: String,
    /// Address.
    pub address: IpAddr,
    /// Listeners in the notation of the configuration; empty: everything.
    pub listeners: Vec<String>,
    /// What decides the backend of its packets, none on gateways.
    pub hash: Option<HashOn>,
    /// Pool, none on gateways.
    pub pool: Option<String>,
    /// What becomes of echo requests; none on gateways.
    pub icmp_echo: Option<IcmpEcho>,
    /// The way that its answers take; `pop_or_drop` on gateways only.
    #[serde(rename = "return")]
    pub returns: Returns,
    /// Its fall-backs, in order.
    pub fallback_pools: Vec<String>,
}

/// `stats`.
#[derive(Clone, Debug, Serialize)]
pub struct Stats {
    /// Instance name.
    pub instance: String,
    /// Per VIP.
    pub vips: Vec<VipStats>,
    /// Per backend.
    pub backends: Vec<BackendStats>,
    /// Per outcome of the whole host, by label; zero rows are left out.
    pub outcomes: BTreeMap<String, Count>,
    /// Of this host's own probes and the answers to them that tunnels bring, by outcome label; zero rows are left out. They are in
    /// none of the other counters.
    pub probes: BTreeMap<String, Count>,
    /// Per interface.
    pub interfaces: Vec<InterfaceStats>,
}

/// Counters of one VIP: `received = forwarded + answered + passed + dropped`, and `dropped = Σ reasons`.
#[derive(Clone, Debug, Serialize)]
pub struct VipStats {
    /// Name.
    pub name: String,
    /// Address.
    pub address: IpAddr,
    /// Sum of the four below.
    pub received: Count,
    /// Handed to the driver.
    pub forwarded: Count,
    /// Answered here.
    pub answered: Count,
    /// Given to the host's stack.
    pub passed: Count,
    /// Dropped.
    pub dropped: Count,
    /// Dropped, by reason label.
    pub reasons: BTreeMap<String, Count>,
    /// Its answers on their way back, which are none of the above.
    #[serde(rename = "return")]
    pub returns: ReturnStats,
}

/// Counters of a VIP's answers on their way back: on a gateway those that the stack sends, on a PoP those that tunnels
/// bring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReturnStats {
    /// On a gateway sent toward a PoP, on a PoP handed to the driver toward the client.
    pub returned: Count,
    /// Everything else that became of them, by outcome label.
    pub outcomes: BTreeMap<String, Count>,
}

/// Counters of one backend.
#[derive(Clone, Debug, Serialize)]
pub struct BackendStats {
    /// Pool name.
    pub pool: String,
    /// Tunnel address.
    pub address: IpAddr,
    /// Handed to the driver toward it.
    pub forwarded: Count,
}

/// What was lost on an interface after the verdict, which the program cannot see.
#[derive(Clone, Debug, Serialize)]
pub struct InterfaceStats {
    /// Interface name.
    pub interface: String,
    /// Frames, by the kernel tracepoint that told of them.
    pub xdp_losses: BTreeMap<String, u64>,
    /// The NIC's own counters that speak of drops and errors; zero rows are left out.
    pub nic: BTreeMap<String, u64>,
}
