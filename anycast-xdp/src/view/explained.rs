//! What `explain` shows.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::Count;
use crate::explain::{changes::Change, headers::HeaderField};

/// `explain`: one packet and its way. A step that the packet did not reach is none.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// Instance name.
    pub instance: String,
    /// Interface that the packet was taken to come in by; of what a gateway sends, to leave by.
    pub interface: String,
    /// Program that ran: `pop`, `backbone`, `gateway` or `gateway_return`.
    pub program: String,
    /// Number of the packet in its capture, or 1.
    pub packet: u32,
    /// Addresses and protocol of it, for people.
    pub summary: String,
    /// Bytes of the frame that went in.
    pub frame_bytes: usize,
    /// What must be known to believe the rest.
    pub notes: Vec<String>,
    /// The VIP that it is for, or that sends it.
    pub vip: Option<ExplainedVip>,
    /// What the VIP's listeners say to it; none for a VIP that takes everything.
    pub listener: Option<ExplainedListener>,
    /// The flow that it belongs to.
    pub flow: Option<ExplainedFlow>,
    /// The pool, and its slot for the flow.
    pub pool: Option<ExplainedPool>,
    /// The backend of that slot.
    pub backend: Option<ExplainedBackend>,
    /// Of an answer on a gateway: the PoP that it goes back through, if one is remembered.
    pub pop: Option<ExplainedPop>,
    /// The next hop of the flow on the way to the backend.
    pub next_hop: Option<ExplainedNextHop>,
    /// XDP action; of what a gateway sends, that of its classifier.
    pub action: String,
    /// Interface that it leaves by.
    pub egress: Option<String>,
    /// Label of the outcome.
    pub outcome: String,
    /// Class of the outcome: `forwarded`, `answered`, `passed` or `dropped`.
    pub class: String,
    /// The outcome in a sentence.
    pub reason: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Headers around the inner packet, byte by byte: those that are put on, or those that are taken off; of what is
    /// answered here, its own.
    pub headers: Vec<HeaderField>,
    /// What else was changed in the packet.
    pub changes: Vec<Change>,
    /// What the packet would have added to the counters.
    pub counted: Vec<ExplainedCount>,
    /// The frame that comes out, in hex.
    pub frame: String,
}

/// The VIP.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedVip {
    /// Name.
    pub name: String,
    /// Address.
    pub address: IpAddr,
    /// Listeners in the notation of the configuration; empty: everything.
    pub listeners: Vec<String>,
}

/// What the listeners were asked.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedListener {
    /// IP protocol number; of an ICMP error, that of the packet that it quotes.
    pub protocol: u8,
    /// Port on the VIP's side; none: a fragment, or a protocol without.
    pub port: Option<u16>,
    /// The listener that takes it, in the notation of the configuration.
    pub taken_by: Option<String>,
}

/// The flow.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedFlow {
    /// The client's address.
    pub client: IpAddr,
    /// Ports that were hashed, the client's first.
    pub hashed_ports: Option<[u16; 2]>,
    /// Protocol that was hashed. The addresses always are.
    pub hashed_protocol: Option<u8>,
    /// Flow hash, in hex.
    pub hash: String,
}

/// The pool.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedPool {
    /// Name.
    pub name: String,
    /// Where it is.
    pub home_region: String,
    /// Slot of the flow, from 0.
    pub slot: u32,
    /// Slots of the table.
    pub slots: u32,
    /// Why the flows of the VIP are not all on its first pool, or what is wrong with the one that they are on; none: all is well.
    pub why: Option<String>,
}

/// The backend.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedBackend {
    /// Tunnel address.
    pub address: IpAddr,
    /// Outer source of this flow's packets toward it.
    pub source: Option<IpAddr>,
    /// Weight.
    pub weight: u16,
    /// What its packets are wrapped in: `ipip`, `gre`, `gre key N` or `gue port N`.
    pub encap: String,
    /// Longest outer packet on the way to it, in bytes; none: no route.
    pub mtu_bytes: Option<u16>,
    /// Its probes fail, and it is sent to all the same: those of all others of the pool fail, too.
    pub is_down_by_health: bool,
}

/// The PoP that a client's last packet came by.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedPop {
    /// The allowed source that it is.
    pub prefix: IpNet,
    /// Where its tunnels begin, and answers are sent to.
    pub address: IpAddr,
    /// The gateway's address that they ended at, and answers are sent from.
    pub gateway: IpAddr,
    /// What they were wrapped in, and answers are: `ipip`, `gre`, `gre key N` or `gue port N`.
    pub encap: String,
    /// Longest outer packet on the way to it, in bytes; none: no route.
    pub mtu_bytes: Option<u16>,
    /// How long ago it came, in seconds, give or take eight.
    pub seen_secs: u64,
}

/// The next hop.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedNextHop {
    /// Its addresses, as far as the kernel's neighbour table has them.
    pub addresses: Vec<IpAddr>,
    /// MAC, colon-separated.
    pub mac: String,
    /// Egress interface name.
    pub interface: String,
    /// Share of the backend's flows that go this way, in sixteenths.
    pub sixteenths: u8,
}

/// A counter, and what the packet adds to it.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedCount {
    /// `outcome`, `vip`, `vip_reason` or `backend`.
    pub of: &'static str,
    /// Name of the VIP, address of the backend; none for the host's outcomes.
    pub name: Option<String>,
    /// Label of the outcome, class or reason.
    pub label: String,
    /// What is added.
    pub added: Count,
}
