//! Bindings of the same pools that go from one to another by rules of their own.

use std::time::{Duration, Instant};

use super::{FAIL_BACK_HOLD, LIMITS, World, config};
use crate::{
    dataplane::{bindings::Bindings, generations::Names},
    desired::{BindingPolicy, Config, Failback, Failover, State, Vip},
    publish::policy::Serving,
};

const LONG: Duration = Duration::from_mins(10);

/// VIPs on `a` and `b`: by the default, with failover by hand, with failback by hand, and with a long hold.
fn policies(state: State) -> Config {
    let mut config = config(state, 4);
    let rules = [
        (Failover::Local, Failback::default()),
        (Failover::Manual, Failback::default()),
        (Failover::Local, Failback::Manual),
        (Failover::Local, Failback::After(LONG)),
    ];
    for (vip, (failover, failback)) in config.services.vips.iter_mut().zip(rules) {
        vip.fallback_pools = vec!["b".to_owned()];
        (vip.failover.failover, vip.failover.failback) = (failover, failback);
    }
    config
}

impl World {
    fn with_policies() -> Self {
        let mut world = Self::new(4);
        world.apply(&policies(State::Up));
        world
    }

    /// All ways to `a` went away and came back at this time.
    fn after_an_outage(now: Instant) -> Self {
        let mut world = Self::with_policies();
        world.set_ways(0, false);
        world.update(now);
        world.set_ways(0, true);
        world.update(now);
        world
    }

    /// The pools of the four, in their order.
    fn active(&mut self) -> Vec<&str> {
        self.lists().into_iter().map(|(pool, _)| pool).collect()
    }
}

#[test]
fn failed_pool_is_left_where_that_is_wanted_and_come_back_to_when_that_is() {
    let mut world = World::with_policies();
    assert_eq!(world.active(), ["a"; 4]);
    let now = Instant::now();
    world.set_ways(0, false);
    world.update(now);
    assert_eq!(world.active(), ["b", "a", "b", "b"]);
    world.set_ways(0, true);
    world.update(now);
    assert_eq!(world.active(), ["b", "a", "b", "b"]);
    world.update(now + FAIL_BACK_HOLD);
    assert_eq!(world.active(), ["a", "a", "b", "b"]);
    world.update(now + LONG);
    assert_eq!(world.active(), ["a", "a", "b", "a"]);
    world.update(now + 100 * LONG);
    assert_eq!(world.active(), ["a", "a", "b", "a"]);
}

#[test]
fn state_of_a_pool_moves_flows_whoever_else_may() {
    for state in [State::Down, State::Drain] {
        let mut world = World::with_policies();
        world.apply(&policies(state));
        assert_eq!(world.active(), ["b"; 4], "{state}");
    }
}

#[test]
fn operator_takes_flows_back_where_they_wait_for_it_and_is_told_which() {
    let mut world = World::with_policies();
    let now = Instant::now();
    assert_eq!(world.bindings.fail_back("nowhere"), None);
    assert_eq!(world.bindings.fail_back("a"), Some(vec![]), "all are there");
    world.set_ways(0, false);
    world.update(now);
    assert_eq!(world.bindings.fail_back("a"), Some(vec![]), "it is not usable");
    world.set_ways(0, true);
    world.update(now);
    let moved = world.bindings.fail_back("a").expect("a pool");
    assert_eq!(moved.len(), 3, "{moved:?}");
    assert!(moved.iter().all(|binding| binding.policy.failover == Failover::Local));
    world.update(now);
    assert_eq!(world.active(), ["a"; 4]);
    assert!(world.lists().iter().filter(|(_, keeps)| *keeps).count() == 3, "flows of the fall-back stay");
    assert_eq!(world.bindings.fail_back("a"), Some(vec![]));
}

#[test]
fn what_waits_goes_on_waiting_through_changes_and_a_restart_keeps_the_active_pool() {
    let now = Instant::now();
    let mut world = World::after_an_outage(now);
    // A change of something else: the long hold runs on.
    let mut changed = policies(State::Up);
    changed.services.vips.push(Vip {
        name: "new".to_owned(),
        address: [192, 0, 2, 200].into(),
        ..changed.services.vips[0].clone()
    });
    world.apply(&changed);
    world.update(now + LONG);
    assert_eq!(world.active(), ["a", "a", "b", "a"]);
    // Another process knows the pool from the tables, and that it waits for the operator.
    world.bindings = Bindings::default();
    world.apply(&changed);
    world.update(now + 100 * LONG);
    assert_eq!(world.active(), ["a", "a", "b", "a"]);
    assert_eq!(world.bindings.fail_back("a").map(|moved| moved.len()), Some(1));
}

#[test]
fn vips_that_get_other_rules_stay_on_the_pool_that_they_are_on() {
    let now = Instant::now();
    let mut world = World::after_an_outage(now);
    let mut changed = policies(State::Up);
    changed.services.vips[2].failover.failback = Failback::After(2 * LONG);
    world.apply(&changed);
    let at =
        world.inventory.bindings.iter().position(|one| {
            one.policy == BindingPolicy { failover: Failover::Local, failback: Failback::After(2 * LONG) }
        });
    assert_eq!(world.active()[at.expect("a binding")], "b");
    world.update(Instant::now() + 2 * LONG);
    assert_eq!(world.active(), ["a"; 4]);
}

#[test]
fn vip_that_is_moved_by_hand_is_served_by_the_pool_that_it_is_on() {
    let mut world = World::with_policies();
    let vips = policies(State::Up).services.vips;
    world.set_ways(0, false);
    world.update(Instant::now());
    let serving: Vec<_> = vips.iter().map(|vip| world.bindings.serving(vip)).collect();
    assert_eq!(serving, [Serving::Usable, Serving::AllDown, Serving::Usable, Serving::Usable]);
    world.apply(&policies(State::Down));
    assert_eq!(world.bindings.serving(&vips[1]), Serving::Usable);
}

#[test]
fn maps_of_another_layout_go_on_with_the_pools_that_were_in_use() {
    let mut old = World::with_policies();
    let now = Instant::now();
    for are_there in [false, true] {
        old.set_ways(0, are_there);
        old.update(now);
    }
    assert_eq!(old.active(), ["b", "a", "b", "b"]);
    assert!(old.bindings.note_choices(&mut old.inventory) && !old.bindings.note_choices(&mut old.inventory));

    let mut new = World::with_limits(&LIMITS);
    new.inventory = Names::of(&old.inventory).expect("names").inventory();
    new.apply(&policies(State::Up));
    assert_eq!(new.active(), ["b", "a", "b", "b"]);
    new.update(now);
    assert_eq!(new.bindings.fail_back("a").map(|moved| moved.len()), Some(3));
    new.update(now);
    assert_eq!(new.active(), ["a"; 4]);
}
