//! Pools that no VIP leads to any more.

use super::*;
use crate::dataplane::apply::{Change, change_vips};

/// One VIP on `a` alone.
fn alone() -> Config {
    let mut config = config(State::Up, 1);
    config.services.vips[0].fallback_pools.clear();
    config
}

/// `a` changes a backend under its VIP, and the VIP goes.
fn left_in_transition() -> (World, Config) {
    let mut world = World::with_limits(&LIMITS);
    world.apply(&alone());
    let mut config = alone();
    config.services.pools[0].backends[0].address = IpAddr::from([10, 0, 1, 9]);
    world.apply(&config);
    assert_eq!(world.memory.arrays().old_pools.used().count(), 1);
    let gone = Change { before: Some(&config.services.vips[0]), after: None };
    assert!(change_vips(&mut world.memory, &mut world.inventory, &[gone]).expect("nothing fails"));
    (world, config)
}

#[test]
fn vip_that_comes_to_a_pool_that_was_left_in_transition_is_more_than_a_vip() {
    let (mut world, config) = left_in_transition();
    let come = Change { before: None, after: Some(&config.services.vips[0]) };
    assert!(!change_vips(&mut world.memory, &mut world.inventory, &[come]).expect("nothing fails"));
    world.apply(&config);
    assert_eq!(world.memory.arrays().old_pools.used().count(), 0);
    // Where a VIP leads, another may come.
    let mut second = config.services.vips[0].clone();
    (second.name, second.address) = ("second".to_owned(), IpAddr::from([192, 0, 2, 200]));
    let come = Change { before: None, after: Some(&second) };
    assert!(change_vips(&mut world.memory, &mut world.inventory, &[come]).expect("nothing fails"));
}

#[test]
fn pool_without_vips_has_no_flows_to_keep() {
    let (mut world, mut config) = left_in_transition();
    config.services.vips.clear();
    config.services.pools[0].backends.remove(1);
    world.apply(&config);
    assert_eq!(world.memory.arrays().old_pools.used().count(), 0);
    let indexes: Vec<_> = world.inventory.pools[0].backends.iter().map(|backend| backend.index).collect();
    let slots = Seen::of(world.memory.arrays(), world.inventory.pools[0].index).kept();
    assert!(slots.iter().all(|index| indexes.contains(index)));
}
