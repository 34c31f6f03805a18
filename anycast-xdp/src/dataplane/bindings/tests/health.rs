//! Backends that are down by health.

use std::time::{Duration, Instant};

use super::{Cell, Event, FAIL_BACK_HOLD, Seen, TRANSITION_SECS, Table, World, config};
use crate::{
    dataplane::{
        apply::slots::read,
        inventory::DownSet,
        tables::{Arrays, Dataplane as _},
    },
    desired::{AllDown, State},
    publish::policy::Serving,
};

/// Backends of pool `a`, by their numbers.
fn down(hosts: &[u8]) -> DownSet {
    hosts.iter().map(|host| ("a".to_owned(), [10, 0, 1, *host].into())).collect()
}

impl World {
    fn set_down(&mut self, hosts: &[u8], now: Instant) -> Vec<Event> {
        assert!(self.bindings.set_down(down(hosts)));
        self.update(now)
    }

    /// Backend index of the host of pool `a`.
    fn backend(&self, host: u8) -> u32 {
        self.inventory.pools[0].backends[usize::from(host) - 1].index
    }

    /// Where flows of pool `a` begin, and those that were there before go.
    fn slots(&mut self) -> (Vec<u32>, Vec<u32>) {
        let index = self.inventory.pools[0].index;
        let arrays = self.memory.arrays();
        (plain(arrays, index), Seen::of(arrays, index).kept())
    }
}

fn plain(arrays: &Arrays, index: u32) -> Vec<u32> {
    let slots = read(arrays, Cell::New(index).get(arrays));
    slots.into_iter().map(|slot| slot & !anycast_common::map::IN_TRANSITION).collect()
}

fn stores(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|event| matches!(event, Event::Store { .. })).collect()
}

#[test]
fn backend_that_fails_moves_its_own_flows_at_once_and_is_one_store_for_the_pool_and_for_each_list() {
    let mut world = World::new(1000);
    let (before, _) = world.slots();
    let events = world.set_down(&[2], Instant::now());
    let stores = stores(&events);
    assert!(stores.iter().all(|event| matches!(event, Event::Store { table: Table::Pools, .. })), "{events:?}");
    assert_eq!(stores.len(), 3, "the pool and two lists");
    let (after, kept) = world.slots();
    let gone = world.backend(2);
    assert!(before.contains(&gone) && !after.contains(&gone));
    assert!(before.iter().zip(&after).all(|(before, after)| *before == gone || before == after));
    assert_eq!(after, kept, "no transition");
    assert_eq!(world.bindings.next_change(&mut world.memory), None);
    // The old table is free: another failure finds its place.
    assert!(events.iter().any(|event| matches!(event, Event::Grace)));
}

#[test]
fn backend_that_is_back_gets_its_slots_back_and_flows_that_began_elsewhere_stay() {
    let mut world = World::new(4);
    let (before, _) = world.slots();
    let start = Instant::now();
    world.set_down(&[2], start);
    let (refilled, _) = world.slots();
    world.set_down(&[], start);
    assert_eq!(world.slots(), (before.clone(), refilled));
    let end = start + Duration::from_secs(TRANSITION_SECS.into());
    assert_eq!(world.bindings.next_change(&mut world.memory), Some(end));
    world.update(end);
    assert_eq!(world.slots(), (before.clone(), before));
    assert!(world.memory.arrays().old_pools.used().next().is_none());
}

#[test]
fn order_of_failures_and_what_was_down_before_does_not_matter() {
    let (mut one, mut other) = (World::new(2), World::new(2));
    let now = Instant::now();
    for hosts in [&[1][..], &[1, 2], &[2]] {
        one.set_down(hosts, now);
    }
    other.set_down(&[2, 3], now);
    other.set_down(&[2], now);
    assert_eq!(one.slots().0, other.slots().0);
}

#[test]
fn pool_with_all_backends_down_has_its_configured_table_and_its_lists_fail_over() {
    let mut world = World::new(2);
    let (before, _) = world.slots();
    let start = Instant::now();
    world.set_down(&[1, 3], start);
    assert_ne!(world.slots().0, before);
    assert_eq!(world.lists(), [("a", false), ("a", false)]);
    world.set_down(&[1, 2, 3], start);
    assert_eq!(world.slots().0, before);
    assert_eq!(world.lists(), [("b", false), ("c", false)], "no flow stays on what is dead");
    world.set_down(&[1, 3], start);
    assert_eq!(world.lists(), [("b", false), ("c", false)], "held");
    world.update(start + FAIL_BACK_HOLD);
    assert_eq!(world.lists(), [("a", true), ("a", true)]);
}

#[test]
fn vips_without_a_usable_pool_are_withdrawn_or_fail_open_as_they_say() {
    let mut world = World::new(2);
    let mut config = config(State::Up, 2);
    config.services.vips[0].fallback_pools.clear();
    config.services.vips[1].fallback_pools = vec!["b".to_owned()];
    world.apply(&config);
    let mut alone = config.services.vips[0].clone();
    let with_fallback = &config.services.vips[1];
    assert_eq!(world.bindings.serving(&alone), Serving::Usable);
    world.set_down(&[1, 2], Instant::now());
    assert_eq!(world.bindings.serving(&alone), Serving::Usable);
    world.set_down(&[1, 2, 3], Instant::now());
    assert_eq!(world.bindings.serving(&alone), Serving::AllDown);
    assert_eq!(world.bindings.serving(with_fallback), Serving::Usable);
    alone.failover.all_down = AllDown::FailOpen;
    assert_eq!(world.bindings.serving(&alone), Serving::FailOpen);
    world.set_ways(1, false);
    world.update(Instant::now());
    assert_eq!(world.bindings.serving(with_fallback), Serving::AllDown);
}

#[test]
fn down_set_lives_through_changes_and_restarts_and_moves_nothing_twice() {
    let mut world = World::new(2);
    world.set_down(&[2], Instant::now());
    let before = world.slots();
    world.apply(&config(State::Up, 4));
    assert_eq!(world.slots(), before);
    assert_eq!(world.bindings.down(), down(&[2]));
    let mut inventory = world.inventory.clone();
    world.bindings.note_down(&mut inventory);
    assert_eq!(inventory.down(), down(&[2]), "for the next process");
}

#[test]
fn backends_of_a_pool_that_has_no_check_any_more_are_up() {
    let mut world = World::new(2);
    let before = world.slots();
    world.set_down(&[2], Instant::now());
    let mut config = config(State::Up, 2);
    config.services.pools[0].health = None;
    world.apply(&config);
    assert_eq!(world.slots().0, before.0);
    assert_eq!(world.bindings.down(), DownSet::new());
}

#[test]
fn pool_that_is_cut_off_backend_by_backend_has_its_table_at_once_and_keeps_it_when_it_is_back() {
    let mut world = World::new(2);
    let before = world.slots();
    for hosts in [&[1][..], &[1, 2], &[1, 2, 3]] {
        world.set_down(hosts, Instant::now());
    }
    assert_eq!(world.slots(), before, "with nowhere else that flows are kept");
    world.set_down(&[], Instant::now());
    assert_eq!(world.slots(), before);
    let index = world.inventory.pools[0].index;
    assert!(!Seen::of(world.memory.arrays(), index).is_in_transition());
}
