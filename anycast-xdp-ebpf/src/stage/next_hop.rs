//! Which neighbour, on which interface?

use anycast_common::{
    map::{BackendEntry, BackendRoute, LinkEntry, NextHop},
    outcome::Outcome,
};

use crate::{maps, observe::Observer};

/// The way to a backend.
pub struct Way {
    /// The neighbour's cell: its MAC in the low 48 bits.
    pub next_hop: u64,
    /// The interface.
    pub link: &'static LinkEntry,
    /// Longest outer packet.
    pub mtu_bytes: usize,
}

/// The way that a flow's packets take to a backend. A zeroed entry anywhere in the chain is "unresolved".
#[inline(always)]
pub fn of<O: Observer>(backend: &BackendEntry, flow_hash: u64) -> Result<Way, Outcome> {
    way::<O>(backend, flow_hash).ok_or(Outcome::NextHopUnresolved)
}

#[inline(always)]
fn way<O: Observer>(backend: &BackendEntry, flow_hash: u64) -> Option<Way> {
    let cell = maps::backend_route(backend);
    O::route(cell);
    let route = BackendRoute::from_cell(cell);
    let member = maps::group_member(route.group_index, flow_hash)?;
    let next_hop = maps::next_hop(member)?;
    O::next_hop(member, next_hop);
    let link_index = NextHop::link_of(next_hop);
    if link_index == 0 {
        return None;
    }
    let link = maps::link(link_index)?;
    Some(Way { next_hop, link, mtu_bytes: route.mtu_bytes as usize })
}

/// Longest outer packet that the ways between this gateway and a PoP host carry, if the way there is known.
#[inline(always)]
pub fn mtu_to_peer(peer_index: u32) -> Option<usize> {
    let route = BackendRoute::from_cell(maps::backend_route(maps::backend(peer_index)?));
    (route.mtu_bytes != 0).then_some(route.mtu_bytes as usize)
}
