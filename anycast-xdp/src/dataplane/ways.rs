//! From what the kernel knows of routes and neighbours to next-hop cells.
//!
//! A group belongs to a route: all backends behind it share one, so a lost router is one store into its picks cell.
//! A next hop belongs to a neighbour, so a new MAC is one store too.

mod groups;
mod leftovers;
mod mtus;
mod picks;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::offset_of,
    net::IpAddr,
};

use anycast_common::map::{BackendEntry, BackendRoute, LinkEntry, NextHop};
use anyhow::{Context as _, Result};
use groups::Groups;
pub use mtus::Mtus;

use super::{ranges::Indexes, tables::Dataplane};
use crate::netlink::{Hop, Link, NeighbourKey, View};

/// What a link entry is made of: egress interface, MAC, VLAN.
type LinkKey = (u32, [u8; 6], Option<u16>);

/// Indexes of links, next hops and groups, owned by the running daemon.
///
/// A new daemon takes fresh indexes beside those of the one before it, switches every backend over, and clears the old
/// ones after a grace period: nothing of this has to be remembered.
#[derive(Debug)]
pub struct Ways {
    /// What is known of MTUs beside the routes' own.
    pub mtus: Mtus,
    links: BTreeMap<LinkKey, u32>,
    link_indexes: Indexes,
    /// Indexes of links that lead to clients.
    public_links: BTreeSet<u32>,
    next_hops: BTreeMap<NeighbourKey, u32>,
    next_hop_indexes: Indexes,
    groups: Groups,
    /// What daemons before this one left half done is cleared.
    is_tidy: bool,
}

/// What one update did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stores {
    /// Cells that packets were being forwarded by, stored anew.
    pub cells: usize,
    /// Entries written at fresh indexes.
    pub entries: usize,
}

impl Ways {
    /// Beside whatever the maps hold already.
    pub fn new<D: Dataplane>(dataplane: &mut D) -> Self {
        let arrays = dataplane.arrays();
        Self {
            mtus: Mtus::default(),
            links: BTreeMap::new(),
            link_indexes: Indexes::new(arrays.links.len(), arrays.links.used()),
            public_links: BTreeSet::new(),
            next_hops: BTreeMap::new(),
            next_hop_indexes: Indexes::new(arrays.next_hops.len(), arrays.next_hops.used()),
            groups: Groups::new(arrays),
            is_tidy: false,
        }
    }

    /// Makes the tables say what `view` says, for these backends (tunnel address, index). What finds no room is left
    /// out, with an error in the log: its packets are dropped and counted, all others are forwarded.
    ///
    /// # Errors
    ///
    /// A refused grace period.
    pub fn update<D: Dataplane>(
        &mut self,
        dataplane: &mut D,
        view: &View,
        backends: &[(IpAddr, u32)],
    ) -> Result<Stores> {
        if !self.is_tidy {
            self.clear_leftovers(dataplane)?;
            self.is_tidy = true;
        }
        let mut stores = Stores::default();
        let hops: BTreeSet<_> = view.routes.values().flat_map(|route| &route.hops).map(Hop::neighbour).collect();
        let usable = self.update_next_hops(dataplane, view, &hops, &mut stores);
        let index_of = |key: &NeighbourKey| self.next_hops.get(key).filter(|_| usable.contains(key)).copied();
        let arrays = dataplane.arrays();
        for (destination, route) in &view.routes {
            if let Err(error) = self.groups.update(arrays, *destination, route, index_of, &mut stores) {
                tracing::error!(backend = %destination, "route left out: {error:#}");
            }
        }
        for (address, index) in backends {
            let cell = match (view.routes.get(address), self.groups.of(*address)) {
                (Some(route), Some(group_index)) => {
                    let mtu_bytes = self.mtus.in_force(*address, *index, route.mtu_bytes);
                    BackendRoute { group_index, mtu_bytes }.to_cell()
                }
                _ => 0,
            };
            if arrays.backends.get(*index).route != cell {
                arrays.backends.store_cell(*index, offset_of!(BackendEntry, route), cell);
                stores.cells += 1;
            }
        }
        self.update_public_links(dataplane, view, &mut stores)?;
        self.clear_unused(dataplane, view, &hops)?;
        Ok(stores)
    }

    /// Makes sure of the links that lead to clients, and of the keys that lead to those.
    fn update_public_links<D: Dataplane>(&mut self, dataplane: &mut D, view: &View, stores: &mut Stores) -> Result<()> {
        let mut wanted = BTreeMap::new();
        for ifindex in &view.access {
            let Some(link) = view.links.get(ifindex) else { continue };
            match self.link(dataplane, link, stores) {
                Ok(index) => drop(wanted.insert(*ifindex, index)),
                Err(error) => tracing::error!(interface = link.name, "answers do not leave here: {error:#}"),
            }
        }
        self.public_links = wanted.values().copied().collect();
        dataplane.keyed().public_links.replace(&wanted)
    }

    /// Makes sure of the cell of every hop whose neighbour is known, and says which those are.
    fn update_next_hops<D: Dataplane>(
        &mut self,
        dataplane: &mut D,
        view: &View,
        hops: &BTreeSet<NeighbourKey>,
        stores: &mut Stores,
    ) -> BTreeSet<NeighbourKey> {
        let mut usable = BTreeSet::new();
        for key in hops {
            let link = view.links.get(&key.ifindex).filter(|link| link.up);
            let (Some(mac), Some(link)) = (view.neighbours.get(key), link) else {
                continue;
            };
            match self.next_hop(dataplane, *key, *mac, link, stores) {
                Ok(()) => {
                    usable.insert(*key);
                }
                Err(error) => {
                    tracing::error!(interface = link.name, via = %key.address, "next hop left out: {error:#}");
                }
            }
        }
        usable
    }

    /// Makes sure of a next hop's cell.
    fn next_hop<D: Dataplane>(
        &mut self,
        dataplane: &mut D,
        key: NeighbourKey,
        mac: [u8; 6],
        link: &Link,
        stores: &mut Stores,
    ) -> Result<()> {
        let link_index = self.link(dataplane, link, stores)?;
        let cell = NextHop { mac, link_index: link_index as u16 }.to_cell();
        let next_hops = &mut dataplane.arrays().next_hops;
        match self.next_hops.get(&key) {
            Some(index) if next_hops.get(*index) == cell => {}
            Some(index) => {
                next_hops.store_cell(*index, 0, cell);
                stores.cells += 1;
            }
            None => {
                let index = self.next_hop_indexes.take().context("next hops (limits.next_hops)")?;
                next_hops.write(index, cell);
                stores.entries += 1;
                self.next_hops.insert(key, index);
            }
        }
        Ok(())
    }

    /// The index of a link's entry, which is made if it must be.
    fn link<D: Dataplane>(&mut self, dataplane: &mut D, link: &Link, stores: &mut Stores) -> Result<u32> {
        let key = (link.egress_ifindex, link.mac, link.vlan_id);
        if let Some(index) = self.links.get(&key) {
            return Ok(*index);
        }
        let index = self.link_indexes.take().context("links (limits.links)")?;
        dataplane.set_device(index, link.egress_ifindex).inspect_err(|_| self.link_indexes.give_back(index))?;
        let vlan_tci = link.vlan_id.unwrap_or(0).to_be_bytes();
        let entry = LinkEntry { ifindex: link.egress_ifindex, mac: link.mac, vlan_tci };
        dataplane.arrays().links.write(index, entry);
        stores.entries += 1;
        self.links.insert(key, index);
        Ok(index)
    }
}
