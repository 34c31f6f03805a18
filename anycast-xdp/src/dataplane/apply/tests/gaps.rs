//! Tables of all sizes that come and go, until only gaps are left.

use std::collections::BTreeMap;

use anycast_common::map::{PoolDescriptor, backend_of};
use proptest::{prelude::*, sample::Index};

use super::{super::slots::Tables, services::TIGHT};
use crate::{
    dataplane::tables::{
        Dataplane as _, Memory,
        journal::{Event, Table},
    },
    desired::Limits,
};

const LIMITS: Limits = Limits { slots: 60, pools: 16, ..TIGHT };

/// A table that is like no other: by its pool, and by the round.
fn table(pool: u32, round: u32, size: u32) -> Vec<u32> {
    (0..size).map(|slot| 1 + pool * 1_000_000 + round * 1000 + slot).collect()
}

fn read(memory: &mut Memory, pool: u32) -> Vec<u32> {
    let arrays = memory.arrays();
    let PoolDescriptor { offset, size } = PoolDescriptor::from_cell(arrays.pools.get(pool));
    (offset..offset + size).map(|slot| backend_of(arrays.slots.get(slot / 2), slot)).collect()
}

/// Pools (position in a round) and sizes, no more together than the limit.
fn any_sizes() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(1u32..40, 1..8).prop_map(|sizes| {
        let mut total = 0;
        let fits = |size: &u32| {
            let padded = size.next_multiple_of(2);
            if total + padded <= LIMITS.slots {
                total += padded;
            }
            total <= LIMITS.slots && padded <= LIMITS.slots
        };
        let mut sizes: Vec<_> = sizes.into_iter().filter(fits).collect();
        while sizes.iter().map(|size| size.next_multiple_of(2)).sum::<u32>() > LIMITS.slots {
            sizes.pop();
        }
        sizes
    })
}

/// Repeats events up to one, and asserts that every pool leads to its old table or its new one after each, and that no
/// slot is written that a program may read.
fn assert_states(shadow: &mut Memory, events: &[Event], old: &BTreeMap<u32, Vec<u32>>, new: &BTreeMap<u32, Vec<u32>>) {
    let runs = |memory: &mut Memory| -> Vec<(u32, u32)> {
        let cells = &memory.arrays().pools;
        cells
            .used()
            .map(|index| PoolDescriptor::from_cell(cells.get(index)))
            .map(|run| (run.offset, run.size))
            .collect()
    };
    let mut lingering = runs(shadow);
    for event in events {
        if let Event::Write { table: Table::Slots, index, .. } = event {
            let slot = index * 2;
            let is_read = lingering.iter().any(|(offset, size)| (*offset..offset + size).contains(&slot));
            assert!(!is_read, "{event:?}");
        }
        shadow.replay(event, |_| ());
        if matches!(event, Event::Grace) {
            lingering.clear();
        }
        lingering.extend(runs(shadow));
        for pool in old.keys().chain(new.keys()) {
            let found = read(shadow, *pool);
            let is_known =
                old.get(pool).is_some_and(|old| *old == found) || new.get(pool).is_some_and(|new| *new == found);
            assert!(is_known || (found.is_empty() && !old.contains_key(pool)), "pool {pool} after {event:?}");
        }
    }
}

proptest! {
    #[test]
    fn new_tables_find_room_beside_all_old_ones(rounds in proptest::collection::vec((any_sizes(), any::<Index>(), any::<Index>()), 2..12)) {
        let mut memory = Memory::new(&LIMITS).expect("memory");
        let mut old: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (round, (sizes, kept, at)) in (1..).zip(rounds) {
            // Pools of even and odd rounds have other indexes: all of both are there at once.
            let base = 1 + 8 * (round % 2);
            let new: BTreeMap<_, _> = (base..).zip(sizes).map(|(pool, size)| (pool, table(pool, round, size))).collect();
            let mut before = memory.copy(&LIMITS);
            let journal = memory.begin_journal();
            let mut tables = Tables::new(&mut memory, &LIMITS).expect("tables");
            for (pool, table) in &new {
                tables.switch(*pool, table).unwrap_or_else(|error| panic!("{error:#}"));
            }
            memory.end_journal();
            let events = std::mem::take(&mut *journal.lock().expect("no panic"));
            assert_states(&mut before.copy(&LIMITS), &events, &old, &new);

            // Once more, by a process that dies on the way, and another that begins where it stopped.
            let stop = at.index(events.len() + 1);
            for event in &events[..stop] {
                before.replay(event, |_| ());
            }
            let mut tables = Tables::new(&mut before, &LIMITS).expect("tables");
            for (pool, table) in &new {
                tables.switch(*pool, table).unwrap_or_else(|error| panic!("{error:#}"));
            }
            let all: Vec<_> = old.iter().chain(&new).collect();
            for (pool, table) in all {
                prop_assert_eq!(&read(&mut before, *pool), table);
                prop_assert_eq!(&read(&mut memory, *pool), table);
            }

            // The old ones go, and some of the new ones with them: gaps.
            let gone = kept.index(new.len().max(1)) as u32 + base;
            for pool in old.keys().chain([&gone]) {
                memory.arrays().pools.write(*pool, 0);
            }
            old = new.into_iter().filter(|(pool, _)| *pool != gone).collect();
        }
    }
}
