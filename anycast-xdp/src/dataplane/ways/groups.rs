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
    super::{ranges::Indexes, tables::Arrays},
    Stores, leftovers, picks,
};
use crate::netlink::{Hop, NeighbourKey, Route, View};

/// Groups by the prefix of their route; a neighbour on the link is its own route.
#[derive(Debug)]
pub struct Groups {
    by_prefix: BTreeMap<IpNet, u32>,
    of: BTreeMap<IpAddr, IpNet>,
    /// The hops that the places of each group were dealt to. A route names no hop whose link is down; while it is away
    /// the others keep their places, and it gets its own back.
    dealt: BTreeMap<IpNet, Vec<Hop>>,
    indexes: Indexes,
}

/// The key of a destination's group: its route's prefix, or itself where the route is on-link and every destination
/// has a neighbour of its own.
fn key(destination: IpAddr, route: &Route) -> IpNet {
    if route.hops.iter().any(|hop| hop.via == destination) { destination.into() } else { route.prefix }
}

impl Groups {
    pub fn new(arrays: &Arrays) -> Self {
        let used = arrays.groups.used().chain(leftovers::groups_in_use(arrays));
        Self {
            by_prefix: BTreeMap::new(),
            of: BTreeMap::new(),
            dealt: BTreeMap::new(),
            indexes: Indexes::new(arrays.groups.len(), used),
        }
    }

    /// The group of a destination.
    pub fn of(&self, destination: IpAddr) -> Option<u32> {
        self.by_prefix.get(self.of.get(&destination)?).copied()
    }

    /// Those of this daemon.
    pub fn own(&self) -> BTreeSet<u32> {
        self.by_prefix.values().copied().collect()
    }

    /// All that are taken, by others too.
    pub fn indexes(&self) -> &Indexes {
        &self.indexes
    }

    /// Makes sure of the group of a destination's route. `index_of` gives the entry of a usable next hop.
    ///
    /// # Errors
    ///
    /// No room; the destination has no group then.
    pub fn update(
        &mut self,
        arrays: &mut Arrays,
        destination: IpAddr,
        route: &Route,
        index_of: impl Fn(&NeighbourKey) -> Option<u32>,
        stores: &mut Stores,
    ) -> Result<()> {
        let key = key(destination, route);
        let dealt = self.dealt.entry(key).or_default();
        if route.hops.iter().any(|hop| !dealt.contains(hop)) {
            dealt.clone_from(&route.hops);
        }
        let is_there = |hop: &Hop| route.hops.contains(hop);
        let next_hops: Vec<_> =
            dealt.iter().map(|hop| if is_there(hop) { index_of(&hop.neighbour()) } else { None }).collect();
        let can_use: Vec<_> = next_hops.iter().map(Option::is_some).collect();
        let wanted = picks::places(dealt, &can_use)
            .map(|places| places.map(|hop| next_hops[hop].unwrap_or(0) as u16))
            .unwrap_or_default();
        let own = self.by_prefix.get(&key).copied();
        if !own.is_some_and(|index| lead_live(arrays, index, wanted, stores)) {
            self.of.remove(&destination);
            let entry = fresh(wanted)?;
            let index = self.indexes.take().context("next-hop groups (limits.groups)")?;
            arrays.groups.write(index, entry);
            stores.entries += 1;
            self.by_prefix.insert(key, index);
        }
        self.of.insert(destination, key);
        Ok(())
    }

    /// Forgets destinations and groups that the view does not have.
    pub fn forget(&mut self, view: &View) {
        self.of.retain(|destination, _| view.routes.contains_key(destination));
        let in_use: BTreeSet<_> = self.of.values().copied().collect();
        self.by_prefix.retain(|key, _| in_use.contains(key));
        self.dealt.retain(|key, _| in_use.contains(key));
    }

    /// Clears a group that no backend refers to, after a grace period.
    pub fn clear(&mut self, arrays: &mut Arrays, index: u32) {
        arrays.groups.write(index, GroupEntry::default());
        self.indexes.give_back(index);
    }
}

/// Makes a group that packets use lead to the wanted next hops: one store into its picks. `false`: too many next hops
/// were in it already, a fresh one must take its place.
fn lead_live(arrays: &mut Arrays, index: u32, wanted: [u16; GROUP_PICKS], stores: &mut Stores) -> bool {
    let before = arrays.groups.get(index);
    let mut members = before.members;
    let Some(picks) = lead(&mut members, wanted) else {
        return false;
    };
    // New members stand where no nibble has pointed yet since the group was written.
    let words = |members: [u16; GROUP_PICKS]| -> [u64; GROUP_PICKS / 4] {
        std::array::from_fn(|word| {
            // Four to a word, as they lie in memory.
            let bytes: [[u8; 2]; 4] = std::array::from_fn(|at| members[word * 4 + at].to_ne_bytes());
            u64::from_ne_bytes(std::array::from_fn(|at| bytes[at / 2][at % 2]))
        })
    };
    for (word, (old, new)) in words(before.members).into_iter().zip(words(members)).enumerate() {
        if old != new {
            arrays.groups.store_cell(index, offset_of!(GroupEntry, members) + word * 8, new);
        }
    }
    if picks != before.picks {
        arrays.groups.store_cell(index, offset_of!(GroupEntry, picks), picks);
        stores.cells += 1;
    }
    true
}

/// A group that picks these next hops.
fn fresh(wanted: [u16; GROUP_PICKS]) -> Result<GroupEntry> {
    let mut entry = GroupEntry::default();
    entry.picks = lead(&mut entry.members, wanted).context("more next hops than a group holds")?;
    Ok(entry)
}

/// The picks that lead to the wanted next hops, which get positions among `members` where they have none. `None`: no
/// position is free.
fn lead(members: &mut [u16; GROUP_PICKS], wanted: [u16; GROUP_PICKS]) -> Option<u64> {
    let mut picks = 0;
    for (place, next_hop) in wanted.into_iter().enumerate().filter(|(_, next_hop)| *next_hop != 0) {
        let known = members.iter().position(|member| *member == next_hop);
        // Position 0 stays empty: an unset nibble selects nothing.
        let position = known.or_else(|| (1..GROUP_PICKS).find(|position| members[*position] == 0))?;
        members[position] = next_hop;
        picks |= (position as u64) << (place * 4);
    }
    Some(picks)
}
