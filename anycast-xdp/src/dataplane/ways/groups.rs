//! Next-hop groups: one a route.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::offset_of,
    net::IpAddr,
};

use anycast_common::map::{GROUP_PICKS, GroupEntry};
use anyhow::{Context as _, Result};
use ipnet::IpNet;

use super::{
    super::{grace, ranges::Indexes, tables::Arrays},
    Stores, picks,
};
use crate::netlink::{NeighbourKey, Route, View};

/// Groups by the prefix of their route; a neighbour on the link is its own route.
#[derive(Debug)]
pub struct Groups {
    groups: BTreeMap<IpNet, u32>,
    of: BTreeMap<IpAddr, IpNet>,
    indexes: Indexes,
}

/// The key of a destination's group: its route's prefix, or itself where the route is on-link and every destination
/// has a neighbour of its own.
fn key(destination: IpAddr, route: &Route) -> IpNet {
    if route.hops.iter().any(|hop| hop.via == destination) { destination.into() } else { route.prefix }
}

impl Groups {
    pub fn new(arrays: &Arrays) -> Self {
        Self {
            groups: BTreeMap::new(),
            of: BTreeMap::new(),
            indexes: Indexes::new(arrays.groups.len(), arrays.groups.used()),
        }
    }

    /// The group of a destination.
    pub fn of(&self, destination: IpAddr) -> Option<u32> {
        self.groups.get(self.of.get(&destination)?).copied()
    }

    /// Is this index one of ours?
    pub fn owns(&self, index: u32) -> bool {
        self.groups.values().any(|own| *own == index)
    }

    /// Makes sure of the group of a destination's route.
    pub fn update(
        &mut self,
        arrays: &mut Arrays,
        destination: IpAddr,
        route: &Route,
        usable: &BTreeSet<NeighbourKey>,
        index_of: impl Fn(&NeighbourKey) -> Option<u32>,
        stores: &mut Stores,
    ) -> Result<()> {
        let key = key(destination, route);
        self.of.insert(destination, key);
        let neighbours = route.hops.iter().map(|hop| NeighbourKey { ifindex: hop.ifindex, address: hop.via });
        let next_hops: Vec<_> =
            neighbours.map(|key| if usable.contains(&key) { index_of(&key) } else { None }).collect();
        let can_use: Vec<_> = next_hops.iter().map(Option::is_some).collect();
        let wanted = picks::places(&route.hops, &can_use)
            .map(|places| places.map(|hop| next_hops[hop].unwrap_or(0) as u16))
            .unwrap_or_default();
        let Some(index) = self.groups.get(&key).copied() else {
            let index = self.indexes.take().context("next-hop groups (limits.groups)")?;
            let entry = fresh(wanted)?;
            // Picks last: an index whose last entry was all zero may still be named by a backend without a way.
            arrays.groups.write(index, GroupEntry { picks: 0, ..entry });
            arrays.groups.store_cell(index, offset_of!(GroupEntry, picks), entry.picks);
            stores.entries += 1;
            self.groups.insert(key, index);
            return Ok(());
        };
        let mut entry = arrays.groups.get(index);
        let picks = match lead(&mut entry, wanted) {
            Some(picks) => picks,
            None => {
                // Every position is taken by a member of the past: none of them is picked after a grace period.
                grace::wait()?;
                keep_picked(&mut entry);
                lead(&mut entry, wanted).context("more than 15 next hops in one route")?
            }
        };
        let before = arrays.groups.get(index);
        if entry.members != before.members {
            // Positions that no nibble points at; the picks cell is the same in both.
            arrays.groups.write(index, entry);
        }
        if picks != before.picks {
            arrays.groups.store_cell(index, offset_of!(GroupEntry, picks), picks);
            stores.cells += 1;
        }
        Ok(())
    }

    /// Forgets destinations and groups that the view does not have.
    pub fn forget(&mut self, view: &View) {
        self.of.retain(|destination, _| view.routes.contains_key(destination));
        let in_use: BTreeSet<_> = self.of.values().copied().collect();
        self.groups.retain(|key, _| in_use.contains(key));
    }

    /// Clears a group that no backend refers to, after a grace period.
    pub fn clear(&mut self, arrays: &mut Arrays, index: u32) {
        arrays.groups.write(index, GroupEntry::default());
        self.indexes.give_back(index);
    }
}

/// A group that picks these next hops.
fn fresh(wanted: [u16; GROUP_PICKS]) -> Result<GroupEntry> {
    let mut entry = GroupEntry::default();
    entry.picks = lead(&mut entry, wanted).context("more than 15 next hops in one route")?;
    Ok(entry)
}

/// The picks that lead to the wanted next hops, which get positions in `entry` where they have none. `None`: no position is free.
fn lead(entry: &mut GroupEntry, wanted: [u16; GROUP_PICKS]) -> Option<u64> {
    let mut picks = 0;
    for (place, next_hop) in wanted.into_iter().enumerate() {
        if next_hop == 0 {
            continue;
        }
        let position = match entry.members.iter().position(|member| *member == next_hop) {
            Some(position) => position,
            None => {
                let free = (1..GROUP_PICKS).find(|position| entry.members[*position] == 0)?;
                entry.members[free] = next_hop;
                free
            }
        };
        picks |= (position as u64) << (place * 4);
    }
    Some(picks)
}

/// Forgets members that no nibble points at.
fn keep_picked(entry: &mut GroupEntry) {
    let picked: BTreeSet<_> = (0..GROUP_PICKS).map(|place| (entry.picks >> (place * 4) & 15) as usize).collect();
    for (position, member) in entry.members.iter_mut().enumerate() {
        if !picked.contains(&position) {
            *member = 0;
        }
    }
}
