//! Follows the kernel's routes, neighbours and links by netlink, for the addresses that tunnels go to.
//!
//! The kernel program never looks a route up: this module does, off the packet path, and tells within milliseconds of
//! the kernel's own event what changed. It asks for the one route of each destination (a host may hold a million
//! others), keeps the neighbours on those routes resolved although no packet of the stack ever uses them, and names
//! the devices that frames leave by.
//!
//! | file | concern |
//! | --- | --- |
//! | `socket` | the two sockets: one that hears events, one that asks |
//! | `event` | kernel message → what it is about |
//! | `stale` | events → what must be asked again |
//! | `fib` | route reply → entry with its members |
//! | `nexthop` | members of a nexthop object, where the route reply does not carry them |
//! | `link` | link reply → facts → the device and tag that frames leave by |
//! | `neighbour` | neighbour entries, and what to do with them |
//! | `kernel` | the questions and orders, one function each |
//! | `state` | all replies → [`View`] |
//! | `follower` | the loop |
//! | `snapshot` | one look at all of it, without an order to the kernel, for `doctor` |
//! | `own_routes`, `own_events` | the routes that are written here, and what happens to them |
//! | `links` | one link: is it up, which program runs there |
//! | `probe_route` | the routing table of probes |
//! | `device` | what a driver can do with XDP, by generic netlink |

pub mod device;
mod event;
mod fib;
mod follower;
mod kernel;
mod link;
pub mod links;
mod neighbour;
mod nexthop;
pub mod own_events;
pub mod own_routes;
mod probe_route;
pub mod snapshot;
mod socket;
mod stale;
mod state;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use self::{
    follower::{Follower, release_neighbours},
    probe_route::{forget_probes, lead_probes},
};

/// What the kernel knows now about the ways to the destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// One per destination that has a unicast route with at least one usable hop.
    pub routes: BTreeMap<IpAddr, Route>,
    /// Neighbours on those routes whose MAC is known and believed: reachable, stale, being probed, or set by hand.
    pub neighbours: BTreeMap<NeighbourKey, [u8; 6]>,
    /// The links that the hops name, by ifindex as the route names it, and those of `access`.
    pub links: BTreeMap<u32, Link>,
    /// The links that lead to clients, by ifindex as a route names it.
    pub access: BTreeSet<u32>,
}

/// The interfaces that lead to clients: these, and VLAN devices on them that have no other purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Their names.
    pub interfaces: BTreeSet<String>,
    /// Names of interfaces with another purpose.
    pub others: BTreeSet<String>,
}

/// The way to one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The prefix that matched.
    pub prefix: IpNet,
    /// Longest packet, in bytes: the least of the route's `mtu` metric, where it has one, and the MTUs of its links.
    pub mtu_bytes: u16,
    /// At least one, sorted, none twice.
    pub hops: Vec<Hop>,
}

/// One member of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hop {
    /// The link.
    pub ifindex: u32,
    /// The gateway (an IPv4 route may have an IPv6 one, RFC 8950), or the destination itself where it is on the link.
    pub via: IpAddr,
    /// Share of the flows, relative to the other members; at least 1.
    pub weight: u16,
}

impl Hop {
    /// The neighbour that frames to this hop are addressed to.
    pub const fn neighbour(&self) -> NeighbourKey {
        NeighbourKey { ifindex: self.ifindex, address: self.via }
    }
}

/// The addresses of the neighbour with this MAC: on this link, or on any. Those that are kept resolved come first.
///
/// # Errors
///
/// The socket's.
pub fn addresses_of(mac: [u8; 6], ifindex: Option<u32>) -> io::Result<Vec<IpAddr>> {
    let mut found = kernel::Kernel::open()?.neighbours(|entry| entry.usable_mac() == Some(mac))?;
    found.retain(|(key, _)| ifindex.is_none_or(|ifindex| key.ifindex == ifindex));
    found.sort_by_key(|(key, entry)| (!entry.managed, key.address));
    Ok(found.into_iter().map(|(key, _)| key.address).collect())
}

/// Names a neighbour: link-local addresses repeat on every link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeighbourKey {
    /// The link that it is on.
    pub ifindex: u32,
    /// Its address.
    pub address: IpAddr,
}

/// What frames to a hop leave by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Kernel name of the link that the route names.
    pub name: String,
    /// The device to transmit on: the link itself or, for a VLAN device, its parent.
    pub egress_ifindex: u32,
    /// Source MAC of frames.
    pub mac: [u8; 6],
    /// 802.1Q tag to write, 1 to 4094.
    pub vlan_id: Option<u16>,
    /// MTU of the link, in bytes.
    pub mtu_bytes: u32,
    /// Administratively up and with carrier.
    pub up: bool,
}
