//! One look at routes, neighbours and links. Nothing is ordered, and nothing is followed.

#![expect(clippy::wildcard_enum_match_arm, reason = "kernels add attributes; those of no interest are passed over")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
};

use libc::{RTM_GETROUTE, RTM_NEWROUTE};
use netlink_packet_core::Parseable as _;
use netlink_packet_route::{
    neighbour::NeighbourState,
    route::{RouteAttribute, RouteMessage, RouteMetric, RouteType},
};

use super::{
    NeighbourKey, View, fib,
    kernel::Kernel,
    socket::{AskError, Requests},
    state::{Followed, State},
};

/// What the kernel knows about the ways to some destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// As a follower sees it.
    pub view: View,
    /// The neighbours on the routes, those without a MAC too.
    pub neighbours: BTreeMap<NeighbourKey, Neighbour>,
}

/// What the kernel says of one neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// `reachable`, `failed`, ..., or `absent`.
    pub state: &'static str,
    /// Its MAC is known and believed.
    pub usable: bool,
    /// The kernel keeps it resolved without packets that ask for it, or it needs no resolution.
    pub kept: bool,
}

/// Where the stack of this host takes packets to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackRoute {
    /// To this host itself.
    pub local: bool,
    /// By the default route.
    pub default: bool,
    /// Links that it may take.
    pub ifindexes: BTreeSet<u32>,
    /// Its `mtu` metric.
    pub mtu_bytes: Option<u32>,
    /// Its `advmss` metric.
    pub advmss_bytes: Option<u32>,
}

/// Looks at the ways to these destinations.
///
/// # Errors
///
/// The socket's. What the kernel says of one destination is never an error.
pub fn look(destinations: &BTreeSet<IpAddr>) -> io::Result<Snapshot> {
    let mut kernel = Kernel::open()?;
    let mut state = State::default();
    for destination in destinations {
        state.fib.extend(kernel.route(*destination)?.map(|entry| (*destination, entry)));
    }
    // Twice: VLAN devices name their parents.
    for _ in 0..2 {
        for ifindex in state.unknown_links() {
            let facts = kernel.link(ifindex)?;
            state.links.insert(ifindex, facts);
        }
    }
    let mut neighbours = BTreeMap::new();
    for key in state.wanted_neighbours() {
        let entry = kernel.neighbour(key)?;
        state.neighbours.insert(key, Followed { entry, ..Followed::default() });
        let kept = entry.is_some_and(|entry| entry.managed || is_fixed(entry.state));
        let usable = entry.is_some_and(|entry| entry.usable_mac().is_some());
        neighbours.insert(key, Neighbour { state: entry.map_or("absent", |entry| word(entry.state)), usable, kept });
    }
    Ok(Snapshot { view: state.view(), neighbours })
}

/// The routes by which the stack of this host sends; `None`: there is none that packets leave by.
///
/// # Errors
///
/// The socket's.
pub fn stack_routes(destinations: impl Iterator<Item = IpAddr>) -> io::Result<BTreeMap<IpAddr, Option<StackRoute>>> {
    let mut requests = Requests::open()?;
    destinations.map(|destination| Ok((destination, stack_route(&mut requests, destination)?))).collect()
}

fn stack_route(requests: &mut Requests, destination: IpAddr) -> io::Result<Option<StackRoute>> {
    let mut found = None;
    let asked = requests.ask(RTM_GETROUTE, 0, &fib::question(destination), |kind, payload| {
        if let (RTM_NEWROUTE, Ok(message)) = (kind, RouteMessage::parse(payload)) {
            found = read(destination, payload, &message);
        }
    });
    match asked {
        Ok(()) => Ok(found),
        Err(AskError::Refused(_)) => Ok(None),
        Err(AskError::Socket(error)) => Err(error),
    }
}

fn read(destination: IpAddr, payload: &[u8], message: &RouteMessage) -> Option<StackRoute> {
    let local = message.header.kind == RouteType::Local;
    let members = fib::reply(destination, payload).ok().flatten().map(|entry| entry.members);
    if !local && members.is_none() {
        return None;
    }
    let metric = |wanted: fn(&RouteMetric) -> Option<u32>| {
        message.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Metrics(metrics) => metrics.iter().find_map(wanted),
            _ => None,
        })
    };
    Some(StackRoute {
        local,
        default: message.header.destination_prefix_length == 0,
        ifindexes: members.into_iter().flatten().map(|member| member.ifindex).collect(),
        mtu_bytes: metric(|metric| if let RouteMetric::Mtu(bytes) = metric { Some(*bytes) } else { None }),
        advmss_bytes: metric(|metric| if let RouteMetric::Advmss(bytes) = metric { Some(*bytes) } else { None }),
    })
}

fn is_fixed(state: NeighbourState) -> bool {
    matches!(state, NeighbourState::Permanent | NeighbourState::Noarp)
}

fn word(state: NeighbourState) -> &'static str {
    match state {
        NeighbourState::Reachable => "reachable",
        NeighbourState::Stale => "stale",
        NeighbourState::Delay => "delay",
        NeighbourState::Probe => "probe",
        NeighbourState::Permanent => "permanent",
        NeighbourState::Noarp => "noarp",
        NeighbourState::Incomplete => "incomplete",
        NeighbourState::Failed => "failed",
        _ => "unknown",
    }
}
