//! The state that a packet meets, in domain terms: nothing here knows how maps are laid out.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use anycast_common::encap::Encap;
pub use anycast_xdp::desired::Returns;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Places in a next-hop group, one for each value of the low four bits of the flow hash.
pub const PICKS: usize = 16;

/// What one PoP and one gateway know.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// What the PoP program reads.
    pub pop: PopTables,
    /// What the gateway program reads.
    pub gateway: GatewayTables,
}

/// What the PoP program reads.
#[derive(Clone, Debug, Default)]
pub struct PopTables {
    /// Secret of the fleet.
    pub seed: [u8; 16],
    /// Outer sources of IPv4 tunnels; without, no pool has an IPv4 backend.
    pub source_ipv4: Option<Ipv4Net>,
    /// Outer sources of IPv6 tunnels; without, no pool has an IPv6 backend.
    pub source_ipv6: Option<Ipv6Net>,
    /// What this host answers by itself.
    pub answers: Answers,
    /// Service addresses, unique.
    pub vips: Vec<Vip>,
    /// Pools that VIPs are bound to.
    pub pools: Vec<Pool>,
    /// Neighbours that routes lead to.
    pub next_hops: Vec<NextHop>,
    /// Interfaces that frames leave by.
    pub links: Vec<Link>,
    /// Answers on their way back.
    pub returns: PopReturns,
    /// Where probes of this host come from.
    pub health: Vec<IpAddr>,
}

/// What the backbone program reads besides.
#[derive(Clone, Debug, Default)]
pub struct PopReturns {
    /// Positions of the VIPs whose answers come back through here.
    pub vips: BTreeSet<usize>,
    /// Positions of the links that answers leave by, each of another interface.
    pub links: Vec<usize>,
}

impl PopReturns {
    /// UDP port that answers in GUE come in by.
    pub const GUE_PORT: u16 = 6080;
}

/// What a PoP answers by itself. Rates are never or always: what is between them depends on the time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answers {
    /// Source of Time Exceeded.
    pub source_ipv4: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub source_ipv6: Option<Ipv6Addr>,
    /// Echo requests are answered.
    pub echo: bool,
    /// ICMP errors are sent.
    pub errors: bool,
}

/// What becomes of echo requests to a VIP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Echo {
    /// They are packets like any other.
    #[default]
    Forward,
    /// The PoP answers.
    Answer,
    /// Dropped.
    Drop,
}

/// A service address.
#[derive(Clone, Debug)]
pub struct Vip {
    /// The address.
    pub address: IpAddr,
    /// What it takes; empty: everything.
    pub listeners: Vec<Listener>,
    /// What decides the backend of its packets.
    pub hash: Hash,
    /// Position in [`PopTables::pools`].
    pub pool: Option<usize>,
    /// What becomes of echo requests.
    pub echo: Echo,
    /// The entry that the address leads to is another VIP's, as while the table changes under a look-up.
    pub stale: bool,
}

/// What decides the backend of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// Addresses, and ports and protocol as far as the packet has them.
    Flow,
    /// The client's address.
    Source,
    /// Both addresses.
    Addresses,
}

impl Vip {
    /// Are its packets read as far as their ports?
    pub fn reads_ports(&self) -> bool {
        !self.listeners.is_empty() || self.hash == Hash::Flow
    }
}

/// Protocol and ports that a VIP takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// IP protocol number.
    pub protocol: u8,
    /// First and last port, inclusive; `None`: the whole protocol.
    pub ports: Option<(u16, u16)>,
}

/// The weighted backends of one home region.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// Tunnel addresses are unique within the pool.
    pub backends: Vec<Backend>,
    /// The Maglev table: positions in `backends`. Empty: the pool has no table. `None`: the slot is zero.
    pub slots: Vec<Option<usize>>,
    /// The slots are not those of all backends: some of these are down, or slots are zero.
    pub is_odd: bool,
    /// What is going on with the table.
    pub transition: Option<Transition>,
}

/// The table that the flows of a pool came from, while some of them are still where it has them.
#[derive(Clone, Debug, Default)]
pub struct Transition {
    /// All slots are in transition.
    pub is_whole: bool,
    /// Which slots are: as many as the pool has.
    pub marks: Vec<bool>,
    /// Positions in the pool's backends; `None`: the slot is zero. May be of another size than the pool's table.
    pub old: Vec<Option<usize>>,
    /// TCP flows that began meanwhile, and the backends that they began on.
    pub begun: Vec<Begun>,
}

/// A TCP flow that began in a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The client's address.
    pub source: IpAddr,
    /// The VIP.
    pub vip: IpAddr,
    /// The client's port, then the VIP's.
    pub ports: (u16, u16),
    /// Position in the pool's backends.
    pub backend: usize,
}

/// A home-region node.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    /// Tunnel address.
    pub address: IpAddr,
    /// Share of the flows.
    pub weight: u16,
    /// How it is reached now.
    pub route: Option<Route>,
    /// What its packets are wrapped in.
    pub encap: Encap,
}

/// The way to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Longest outer packet, in bytes.
    pub mtu_bytes: u16,
    /// Positions in [`PopTables::next_hops`].
    pub picks: [Option<usize>; PICKS],
}

/// A neighbour.
#[derive(Clone, Copy, Debug)]
pub struct NextHop {
    /// `None`: not resolved.
    pub mac: Option<[u8; 6]>,
    /// Position in [`PopTables::links`].
    pub link: usize,
}

/// An interface that frames leave by.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Kernel interface index.
    pub ifindex: u32,
    /// Source address of its frames.
    pub mac: [u8; 6],
    /// Tag control information of its frames; `None`: untagged.
    pub vlan_tci: Option<u16>,
    /// Frames can be redirected to it.
    pub in_device_map: bool,
}

/// What the gateway program reads.
#[derive(Clone, Debug, Default)]
pub struct GatewayTables {
    /// Addresses that tunnels end at.
    pub tunnel_addresses: Vec<IpAddr>,
    /// Outer sources that are believed.
    pub allowed_sources: Vec<IpNet>,
    /// Service addresses of this host's stack.
    pub vips: Vec<IpAddr>,
    /// Keys that GRE must carry one of; none: GRE without a key.
    pub gre_keys: Vec<u32>,
    /// UDP port of GUE.
    pub gue_port: u16,
    /// Answers on their way back.
    pub returns: GatewayReturns,
}

/// What a gateway knows of the way back.
#[derive(Clone, Debug, Default)]
pub struct GatewayReturns {
    /// The way that answers take, by position of the VIP; where the list ends, directly.
    pub vips: Vec<Returns>,
    /// The ways to PoP hosts, by position of the allowed source; where the list ends, none is known.
    pub routes: Vec<Option<Route>>,
    /// Neighbours that routes lead to.
    pub next_hops: Vec<NextHop>,
    /// Interfaces that frames leave by.
    pub links: Vec<Link>,
    /// Ways of clients that every packet finds.
    pub paths: Vec<Path>,
}

/// The way that the last packet of a client to a VIP came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    /// The client's address.
    pub client: IpAddr,
    /// Position in [`GatewayTables::vips`].
    pub vip: usize,
    /// Outer source.
    pub source: IpAddr,
    /// Position in [`GatewayTables::allowed_sources`] of the prefix that it is of.
    pub peer: usize,
    /// Position in [`GatewayTables::tunnel_addresses`].
    pub tunnel_address: usize,
    /// What it came in.
    pub tunnel: Tunnel,
    /// When.
    pub seen: Seen,
}

/// What a packet came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tunnel {
    /// IP alone.
    Ipip,
    /// GRE without a key.
    Gre,
    /// GRE with this key.
    Keyed(u32),
    /// UDP.
    Gue,
}

/// When a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// A moment ago.
    Now,
    /// So long ago that a client's next packet is noted, even if it comes the same way.
    Before,
    /// So long ago that it is as if it never had.
    LongAgo,
}
