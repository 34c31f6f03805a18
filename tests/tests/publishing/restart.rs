//! A restart, a kill and an upgrade withdraw nothing and announce nothing anew.

use std::{thread::sleep, time::Duration};

use anycast_tests::{
    lab::{daemon::other_abi_binary, topology::Family},
    require_root,
};

use super::world::{ALL, PUBLISH, World, all_but, config, set};

#[test]
fn routes_outlive_the_daemon_and_a_new_one_changes_none() {
    require_root!();
    let mut world = World::new();
    let monitor = world.monitor();
    world.pop.kill().unwrap();
    sleep(Duration::from_millis(500));
    assert_eq!(world.routes(), set(&ALL), "without a daemon");
    world.pop.resume().unwrap();
    world.pop.stop().unwrap();
    world.pop.resume().unwrap();
    let config = config(&world.lab).and(PUBLISH);
    world.pop.reload(config.text()).unwrap();
    sleep(Duration::from_secs(1));
    assert_eq!(world.routes(), set(&ALL));
    assert_eq!(monitor.changes(), (vec![], vec![]));
}

#[test]
fn upgrade_to_another_abi_changes_no_route() {
    require_root!();
    let mut world = World::new();
    let monitor = world.monitor();
    world.pop.stop().unwrap();
    world.pop.set_binary(other_abi_binary());
    world.pop.resume().unwrap();
    sleep(Duration::from_secs(1));
    assert_eq!(world.routes(), set(&ALL));
    assert_eq!(monitor.changes(), (vec![], vec![]));
}

#[test]
fn vip_that_went_while_there_was_no_daemon_goes_when_there_is_one() {
    require_root!();
    let mut world = World::new();
    world.pop.kill().unwrap();
    let config = config(&world.lab).and(PUBLISH);
    let without =
        config.text().replace("name = \"lone\"\naddress", "name = \"lone\"\npublish = [\"shanghai\"]\naddress");
    assert_ne!(without, config.text());
    world.pop.write_config(&without).unwrap();
    let monitor = world.monitor();
    world.pop.resume().unwrap();
    world.wait_for("the others", &all_but("192.0.2.90 100"));
    let (come, gone) = monitor.changes();
    assert_eq!((come.len(), gone.len()), (0, 1), "{come:?} {gone:?}");
}

#[test]
fn routes_go_with_what_published_them_even_if_no_daemon_saw_it_go() {
    require_root!();
    let mut world = World::new();
    world.pop.kill().unwrap();
    assert_eq!(world.routes(), set(&ALL));
    // Probes keep the interface.
    let source = world.lab.site().tunnel_source(Family::V4);
    let without = config(&world.lab).and(&format!("\n[health]\nsource_ipv4 = \"{source}\"\n"));
    world.pop.write_config(without.text()).unwrap();
    world.pop.resume().unwrap();
    world.wait_for("none", &set(&[]));
    world.namespace().ip("link show dev axp0 up").unwrap();
}
