//! Tables of all sizes that come and go, until only gaps are left.

use std::collections::BTreeMap;

use anycast_common::map::PoolDescriptor;
use proptest::{prelude::*, sample::Index};

use super::{
    super::slots::{self, Cell, Tables},
    services::TIGHT,
};
use crate::{
    dataplane::tables::{
        Dataplane as _, Memory,
        capacity::first_spare_slot,
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
    slots::read(arrays, Cell::New(pool).get(arrays))
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
                tables.switch(Cell::New(*pool), table, 0).unwrap_or_else(|error| panic!("{error:#}"));
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
                tables.switch(Cell::New(*pool), table, 0).unwrap_or_else(|error| panic!("{error:#}"));
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

/// Writes a pool's table to a place of its own.
fn lay(memory: &mut Memory, pool: u32, offset: u32, table: &[u32]) {
    let arrays = memory.arrays();
    for (pair, slots) in table.chunks(2).enumerate() {
        let cell = u64::from(slots[0]) | u64::from(slots.get(1).copied().unwrap_or(0)) << 32;
        arrays.slots.write(offset / 2 + pair as u32, cell);
    }
    let descriptor = PoolDescriptor { offset, size: table.len() as u32, flags: 0 };
    arrays.pools.store_cell(pool, 0, descriptor.to_cell());
}

#[test]
fn gaps_shorter_than_every_table_are_closed_by_way_of_the_spare_slots() {
    let mut memory = Memory::new(&LIMITS).expect("memory");
    let spare = first_spare_slot(&LIMITS);
    assert_eq!(spare, 242);
    // Ten slots are free before these four, and ten or twenty behind each.
    let old: BTreeMap<_, _> = (1..=4).map(|pool| (pool, table(pool, 0, 50))).collect();
    for (pool, offset) in [(1, 12), (2, 72), (3, 132), (4, 184)] {
        lay(&mut memory, pool, offset, &old[&pool]);
    }
    let new = BTreeMap::from([(5, table(5, 0, 20))]);

    let mut shadow = memory.copy(&LIMITS);
    let journal = memory.begin_journal();
    Tables::new(&mut memory, &LIMITS).expect("tables").switch(Cell::New(5), &new[&5], 0).expect("room");
    memory.end_journal();
    let events = std::mem::take(&mut *journal.lock().expect("no panic"));
    let spare_is_used =
        |event: &Event| matches!(event, Event::Write { table: Table::Slots, index, .. } if *index >= spare / 2);
    assert!(events.iter().any(spare_is_used));
    assert_states(&mut shadow, &events, &old, &new);
    for (pool, table) in old.iter().chain(&new) {
        assert_eq!(&read(&mut memory, *pool), table);
        let offset = PoolDescriptor::from_cell(memory.arrays().pools.get(*pool)).offset;
        assert!(offset + table.len() as u32 <= spare, "pool {pool} lies at {offset}");
    }
}

#[test]
fn table_whose_mover_died_leaves_the_spare_slots() {
    let mut memory = Memory::new(&LIMITS).expect("memory");
    let spare = first_spare_slot(&LIMITS);
    let stranded = table(1, 0, 50);
    lay(&mut memory, 1, spare, &stranded);
    drop(Tables::new(&mut memory, &LIMITS).expect("tables"));
    assert_eq!(read(&mut memory, 1), stranded);
    assert_eq!(PoolDescriptor::from_cell(memory.arrays().pools.get(1)).offset, 2);
    assert_eq!(memory.grace_periods, 1);
}
