//! Pools with dials below 100.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anycast_common::map::IN_TRANSITION;
use proptest::prelude::*;

use super::{Cell, FAIL_BACK_HOLD, LIMITS, Seen, TRANSITION_SECS, World, config};
use crate::{
    dataplane::{apply::slots::read, bindings::Bindings, tables::Dataplane as _},
    desired::{Config, Limits, State},
};

/// Lists here have tables of their own.
const ROOMY: Limits = Limits { slots: 6 * 2040, ..LIMITS };

fn dialled(first: u8) -> Config {
    let mut config = config(State::Up, 2);
    config.local.limits = ROOMY;
    config.services.pools[0].dial_percent = first;
    config
}

impl World {
    fn with_dial(percent: u8) -> Self {
        let mut world = Self::with_limits(&ROOMY);
        world.apply(&dialled(percent));
        world
    }

    /// The slots of the list `a`, `b`: where flows begin, and where those are that were there.
    fn flows(&mut self) -> (Vec<u32>, Vec<u32>) {
        let index = self.inventory.bindings[0].index;
        let arrays = self.memory.arrays();
        let slots = read(arrays, Cell::New(index).get(arrays));
        (slots.into_iter().map(|slot| slot & !IN_TRANSITION).collect(), Seen::of(arrays, index).kept())
    }

    /// New flows of the list `a`, `b` by pool.
    fn counts(&mut self) -> BTreeMap<String, usize> {
        let (slots, _) = self.flows();
        let pool_of = |slot: u32| {
            let owns =
                |pool: &&crate::dataplane::inventory::PoolRecord| pool.backends.iter().any(|one| one.index == slot);
            self.inventory.pools.iter().find(owns).map_or(String::new(), |pool| pool.name.clone())
        };
        slots.into_iter().fold(BTreeMap::new(), |mut counts, slot| {
            *counts.entry(pool_of(slot)).or_default() += 1;
            counts
        })
    }

    /// Until nothing is due any more.
    fn settle(&mut self) {
        while let Some(at) = self.bindings.next_change(&mut self.memory) {
            self.update(at);
        }
    }
}

fn counts<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts.into_iter().map(|(pool, count)| (pool.to_owned(), count)).collect()
}

#[test]
fn dial_divides_the_flows_of_a_list_and_a_vip_of_the_pool_alone_has_all_of_its_own() {
    let mut world = World::with_dial(10);
    assert_eq!(world.counts(), counts([("a", 204), ("b", 1835)]));
    let alone = Cell::New(world.inventory.pools[0].index).get(world.memory.arrays());
    let own = read(world.memory.arrays(), alone);
    assert!(own.iter().all(|slot| world.inventory.pools[0].backends.iter().any(|one| one.index == *slot)));
    assert_eq!(World::with_dial(0).counts(), counts([("b", 2039)]));
    assert_eq!(World::with_dial(100).counts(), counts([("a", 2039)]));
}

#[test]
fn change_of_a_dial_keeps_running_flows_and_ends_after_the_transition() {
    let mut world = World::with_dial(10);
    let (before, _) = world.flows();
    world.apply(&dialled(20));
    assert_eq!(world.counts(), counts([("a", 408), ("b", 1631)]));
    let (_, kept) = world.flows();
    assert_eq!(kept, before, "what is there stays there");
    world.settle();
    let (after, kept) = world.flows();
    assert_eq!(kept, after);
    assert!(world.memory.arrays().old_pools.used().next().is_none());
    // All the way: the table of the pool is shared again, and its own is free.
    world.apply(&dialled(100));
    assert_eq!(world.flows().1, after);
    world.settle();
    assert_eq!(world.lists()[0], ("a", false));
}

#[test]
fn pool_behind_that_fails_leaves_all_to_the_first_and_is_back_after_the_hold() {
    let mut world = World::with_dial(10);
    let now = Instant::now();
    world.set_ways(1, false);
    world.update(now);
    assert_eq!(world.lists()[0], ("a", false), "the last usable pool takes all, and nothing can stay on the other");
    world.set_ways(1, true);
    world.update(now);
    assert_eq!(world.counts(), counts([("a", 2039)]), "held");
    world.update(now + FAIL_BACK_HOLD);
    assert_eq!(world.counts(), counts([("a", 204), ("b", 1835)]));
    assert!(world.flows().1.iter().all(|slot| world.inventory.pools[0].backends.iter().any(|one| one.index == *slot)));
}

#[test]
fn backend_that_is_down_is_down_in_the_tables_of_lists_and_moves_no_other_flow() {
    let mut world = World::with_dial(50);
    let (before, _) = world.flows();
    let gone = world.inventory.pools[0].backends[1].index;
    assert!(world.bindings.set_down([("a".to_owned(), [10, 0, 1, 2].into())].into()));
    world.update(Instant::now());
    let (after, kept) = world.flows();
    assert!(before.contains(&gone) && !after.contains(&gone) && !kept.contains(&gone));
    assert!(before.iter().zip(&after).all(|(before, after)| *before == gone || before == after));
    assert_eq!(world.counts(), counts([("a", 1020), ("b", 1019)]));
}

#[test]
fn pool_that_fails_gives_its_share_to_the_next_and_other_flows_stay() {
    let mut world = World::with_dial(50);
    let (before, _) = world.flows();
    world.set_ways(0, false);
    world.update(Instant::now());
    let (after, kept) = world.flows();
    assert_eq!(after, kept);
    let of_first = |slot: u32| world.inventory.pools[0].backends.iter().any(|one| one.index == slot);
    assert!(before.iter().zip(&after).all(|(before, after)| of_first(*before) || before == after));
    assert_eq!(world.lists()[0], ("b", false), "it shares the table of the one that is left");
}

#[test]
fn daemon_that_takes_over_goes_on_with_the_shares_and_a_dial_of_nothing_does_not_count_as_left() {
    for percent in [10, 0] {
        let mut world = World::with_dial(percent);
        let before = world.flows();
        world.bindings = Bindings::default();
        world.apply(&dialled(percent));
        assert_eq!(world.flows(), before, "{percent} %");
        // The next one starts with another dial in its file.
        world.bindings = Bindings::default();
        world.apply(&dialled(30));
        assert_eq!(world.counts(), counts([("a", 612), ("b", 1427)]), "{percent} %");
    }
}

#[test]
fn transition_of_a_list_ends_once_whatever_else_happens() {
    let mut world = World::with_dial(10);
    world.apply(&dialled(20));
    let start = Instant::now();
    let ends = world.bindings.next_change(&mut world.memory).expect("a transition");
    assert!(ends <= start + Duration::from_secs(TRANSITION_SECS.into()));
    world.set_ways(2, false);
    world.update(start);
    assert_eq!(world.bindings.next_change(&mut world.memory), Some(ends));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn higher_dial_moves_only_the_added_share(low in 0..=100_u8, high in 0..=100_u8) {
        prop_assume!(low <= high);
        let (mut one, mut other) = (World::with_dial(low), World::with_dial(high));
        let first: Vec<_> = one.inventory.pools[0].backends.iter().map(|backend| backend.index).collect();
        let (one, other) = (one.flows().0, other.flows().0);
        let moved: Vec<_> = one.iter().zip(&other).filter(|(one, other)| one != other).collect();
        prop_assert!(moved.iter().all(|(one, other)| !first.contains(one) && first.contains(other)));
        let expected = usize::from(high - low) * 2039;
        prop_assert!((moved.len() * 100).abs_diff(expected) <= 100);
    }
}
