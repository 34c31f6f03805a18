//! Clearing what nothing refers to any more, after a grace period.

use std::collections::BTreeSet;

use anycast_common::map::{BackendRoute, LinkEntry, NextHop};
use anyhow::Result;

use super::{
    super::{
        ranges::Indexes,
        tables::{Arrays, Dataplane},
    },
    Ways,
};
use crate::netlink::{NeighbourKey, View};

/// Indexes of groups, next hops and links.
#[derive(Debug, Default)]
struct Entries {
    groups: BTreeSet<u32>,
    next_hops: BTreeSet<u32>,
    links: BTreeSet<u32>,
}

impl Entries {
    /// Those that backends lead to.
    fn reachable(arrays: &Arrays) -> Self {
        let groups = groups_in_use(arrays);
        let members = groups.iter().flat_map(|index| arrays.groups.get(*index).members);
        let next_hops: BTreeSet<_> =
            members.map(u32::from).filter(|index| (1..arrays.next_hops.len()).contains(index)).collect();
        let links = links_of(arrays, next_hops.iter().copied());
        Self { groups, next_hops, links }
    }

    /// Those that are taken, and not among these.
    fn others(&self, ways: &Ways) -> Self {
        let except = |taken: &Indexes, own: &BTreeSet<u32>| taken.taken().difference(own).copied().collect();
        Self {
            groups: except(ways.groups.indexes(), &self.groups),
            next_hops: except(&ways.next_hop_indexes, &self.next_hops),
            links: except(&ways.link_indexes, &self.links),
        }
    }

    fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.next_hops.is_empty() && self.links.is_empty()
    }
}

/// The groups that backends lead to. One without any usable next hop is all zero, and in use all the same.
pub(super) fn groups_in_use(arrays: &Arrays) -> BTreeSet<u32> {
    let routes = arrays.backends.used().map(|index| BackendRoute::from_cell(arrays.backends.get(index).route));
    routes.map(|route| route.group_index).filter(|index| (1..arrays.groups.len()).contains(index)).collect()
}

fn links_of(arrays: &Arrays, next_hops: impl Iterator<Item = u32>) -> BTreeSet<u32> {
    next_hops.map(|index| NextHop::from_cell(arrays.next_hops.get(index)).link_index.into()).collect()
}

impl Ways {
    /// Clears what daemons that died in the middle of an update left: entries that no backend leads to.
    pub(super) fn clear_leftovers<D: Dataplane>(&mut self, dataplane: &mut D) -> Result<()> {
        let arrays = dataplane.arrays();
        let mut reachable = Entries::reachable(arrays);
        reachable.links.extend(dataplane.keyed().public_links.entries()?.into_values());
        let leftovers = reachable.others(self);
        self.clear(dataplane, &leftovers)
    }

    /// Clears what this daemon needs no longer, and what one before it used.
    pub(super) fn clear_unused<D: Dataplane>(
        &mut self,
        dataplane: &mut D,
        view: &View,
        hops: &BTreeSet<NeighbourKey>,
    ) -> Result<()> {
        self.groups.forget(view);
        self.next_hops.retain(|key, _| hops.contains(key));
        let arrays = dataplane.arrays();
        let own = Entries {
            groups: self.groups.own(),
            next_hops: self.next_hops.values().copied().collect(),
            links: &links_of(arrays, self.next_hops.values().copied()) | &self.public_links,
        };
        self.links.retain(|_, index| own.links.contains(index));
        let unused = own.others(self);
        self.clear(dataplane, &unused)
    }

    fn clear<D: Dataplane>(&mut self, dataplane: &mut D, entries: &Entries) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        dataplane.wait_for_readers()?;
        let arrays = dataplane.arrays();
        for index in &entries.groups {
            self.groups.clear(arrays, *index);
        }
        for index in &entries.next_hops {
            arrays.next_hops.write(*index, 0);
            self.next_hop_indexes.give_back(*index);
        }
        for index in &entries.links {
            arrays.links.write(*index, LinkEntry::default());
            self.link_indexes.give_back(*index);
        }
        Ok(())
    }
}
