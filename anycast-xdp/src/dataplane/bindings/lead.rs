//! Leading the cells of an index to tables, make before break: an old table is there before something leads to it.

use std::collections::BTreeSet;

use anycast_common::map::{IN_TRANSITION, PoolDescriptor};
use anyhow::Result;

use super::{
    super::{
        apply::slots::{Cell, Tables, read},
        tables::Dataplane,
    },
    transition::{Seen, Target},
    usable::{has_way, is_alive},
};

/// Leads the cells of an index to a target: first the old table, then what leads to it. Without room for the old one its
/// flows move at once.
pub fn lead<D: Dataplane>(tables: &mut Tables<'_, D>, index: u32, origin: Option<u32>, target: &Target) -> Result<()> {
    if let Some(old) = &target.old
        && let Err(error) = lead_old(tables, index, origin, old)
    {
        tracing::warn!("running flows move at once: {error:#}");
        let slots: Vec<_> = target.slots.iter().map(|slot| slot & !IN_TRANSITION).collect();
        return tables.switch(Cell::New(index), &slots, 0);
    }
    tables.switch(Cell::New(index), &target.slots, target.flags)
}

/// Leads to an old table, which mostly lies there already.
fn lead_old<D: Dataplane>(
    tables: &mut Tables<'_, D>,
    index: u32,
    origin: Option<u32>,
    old: &[u32],
) -> Result<PoolDescriptor> {
    let arrays = tables.arrays();
    let lying = origin.into_iter().flat_map(|origin| [Cell::New(origin), Cell::Old(origin)]);
    let lying = lying.map(|cell| cell.get(arrays)).find(|found| read(arrays, *found) == old);
    match lying {
        Some(found) => Cell::Old(index).store(arrays, PoolDescriptor { flags: 0, ..found }),
        None => tables.switch(Cell::Old(index), old, 0)?,
    }
    Ok(Cell::Old(index).get(tables.arrays()))
}

/// Keeps the flows of a binding where they are while it goes to another pool. `false`: they cannot stay there.
pub fn keep<D: Dataplane>(tables: &mut Tables<'_, D>, index: u32, origin: u32, dead: &BTreeSet<u32>) -> bool {
    let arrays = tables.arrays();
    let mut kept = Seen::of(arrays, origin).kept();
    let can_stay = |index: &u32| is_alive(arrays, dead, *index) && has_way(arrays, *index);
    if !kept.iter().any(can_stay) {
        return false;
    }
    kept.iter_mut().filter(|index| !is_alive(arrays, dead, **index)).for_each(|index| *index = 0);
    if let Err(error) = lead_old(tables, index, Some(origin), &kept) {
        tracing::warn!("running flows move at once: {error:#}");
        return false;
    }
    true
}

/// Goes on keeping the flows of a binding where it keeps them already, but for those of dead backends. `false`: there are no
/// others.
pub fn keep_on<D: Dataplane>(tables: &mut Tables<'_, D>, index: u32, origin: u32, dead: &BTreeSet<u32>) -> bool {
    let arrays = tables.arrays();
    let mut kept = Seen::of(arrays, origin).kept();
    kept.iter_mut().filter(|index| !is_alive(arrays, dead, **index)).for_each(|index| *index = 0);
    if kept.iter().all(|index| *index == 0) {
        return false;
    }
    if let Err(error) = lead_old(tables, index, Some(origin), &kept) {
        tracing::warn!("running flows move at once: {error:#}");
        return false;
    }
    true
}
