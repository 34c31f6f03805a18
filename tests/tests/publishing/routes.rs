//! Routes come, go and stay with what stands behind them.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anycast_tests::{
    lab::{Topology, daemon::Daemon, wait::wait_for},
    require_root,
};

use super::world::{ALL, PUBLISH, SOON, World, all_but, config, routes, set};

#[test]
fn vips_and_prefixes_of_a_pop_that_is_well_have_routes() {
    require_root!();
    let world = World::new();
    assert_eq!(world.routes(), set(&ALL), "as soon as the daemon is ready");
    let publishing = world.publishing();
    assert_eq!(publishing["counts"]["vips"], serde_json::json!([3, 0, 0]));
    assert_eq!(publishing["counts"]["prefixes"], serde_json::json!([2, 0, 0]));
    let text = world.pop.run_cli(&["publishing"]).unwrap();
    assert!(text.contains("192.0.2.0/24") && text.contains("published"), "{text}");
}

#[test]
fn sick_vip_goes_alone_and_comes_back_when_it_has_been_well_for_a_while() {
    require_root!();
    let world = World::new();
    let monitor = world.monitor();
    world.lone_backend_is_reachable(false);
    let took = world.wait_for("withdrawal", &all_but("192.0.2.90 100"));
    println!("withdrawn {took:?} after the route of the backend");
    assert_eq!(world.vip("lone"), ("withdrawn".to_owned(), "all_down".to_owned()));
    // What flaps faster than the hold-down stays away.
    for _ in 0..6 {
        world.lone_backend_is_reachable(true);
        sleep(Duration::from_millis(300));
        assert_eq!(world.routes(), all_but("192.0.2.90 100"));
        world.lone_backend_is_reachable(false);
        sleep(Duration::from_millis(100));
    }
    let began = Instant::now();
    world.lone_backend_is_reachable(true);
    world.wait_for("return", &set(&ALL));
    let took = began.elapsed();
    println!("published again {took:?} after the route was back, hold_down is 2 s");
    assert!(took >= Duration::from_secs(2), "{took:?}");
    let (come, gone) = monitor.changes();
    assert_eq!((come.len(), gone.len()), (1, 1), "{come:?} {gone:?}");
    assert!(gone[0].contains("192.0.2.90") && come[0].contains("192.0.2.90"), "{come:?} {gone:?}");
}

#[test]
fn route_that_somebody_takes_away_is_there_again() {
    require_root!();
    let world = World::new();
    world.namespace().ip("route del 192.0.2.80/32 dev axp0 proto 201").unwrap();
    let took = world.wait_for("restoration", &set(&ALL));
    println!("restored {took:?} after it was deleted");
    world.namespace().ip("-6 route flush proto 201").unwrap();
    world.wait_for("restoration of both", &set(&ALL));
    // `ip` may find those that were just restored, and take them away as well.
    assert!(world.publishing()["counts"]["routes_restored"].as_u64() >= Some(3));
    // Down and up, which the kernel tells nothing of that has to do with IPv4 routes.
    world.namespace().ip("link set axp0 down").unwrap();
    world.wait_for("an interface without routes", &set(&[]));
    assert_eq!(world.vip("four"), ("withdrawn".to_owned(), "interface_down".to_owned()));
    world.namespace().ip("link set axp0 up").unwrap();
    world.wait_for("restoration of all", &set(&ALL));
}

#[test]
fn route_of_somebody_else_is_left_alone_and_told() {
    require_root!();
    let world = World::new();
    world.pop.reload(config(&world.lab).text()).unwrap();
    world.wait_for("an end of publishing", &set(&[]));
    world.namespace().ip("route add 192.0.2.80/32 dev lo metric 100").unwrap();
    world.pop.reload(config(&world.lab).and(PUBLISH).text()).unwrap();
    world.wait_for("the others", &all_but("192.0.2.80 100"));
    assert_eq!(world.vip("four"), ("withdrawn".to_owned(), "route_in_the_way".to_owned()));
    assert!(world.namespace().ip("route show 192.0.2.80").unwrap().contains("dev lo"));
}

#[test]
fn host_whose_program_ended_up_in_generic_mode_publishes_only_if_it_may() {
    require_root!();
    let lab = Topology::pop_and_home().build().unwrap();
    let pop = &lab.site().pop;
    pop.ip("link add br0 type bridge").unwrap();
    pop.ip("link set br0 up").unwrap();
    let of =
        |attach: &str, publish: &str| config(&lab).interface("br0", &["access"], attach).and(publish).text().to_owned();
    let instance = config(&lab).instance().to_owned();
    let daemon = Daemon::start(pop, &lab.scratch, &instance, &of("auto", PUBLISH)).unwrap();
    let reason = || {
        let shown: serde_json::Value =
            serde_json::from_str(&daemon.run_cli(&["publishing", "--output", "json"]).unwrap()).unwrap();
        shown["vips"][0]["reason"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!((routes(pop), reason()), (set(&[]), "generic".to_owned()));
    // Asked for, or accepted.
    daemon.reload(&of("generic", PUBLISH)).unwrap();
    let is_all = || (routes(pop).contains("192.0.2.80 100")).then_some(());
    wait_for("routes", SOON, is_all).unwrap();
    daemon.reload(&of("auto", PUBLISH)).unwrap();
    let is_none = || routes(pop).is_empty().then_some(());
    wait_for("no routes", SOON, is_none).unwrap();
    daemon.reload(&of("auto", &format!("{PUBLISH}generic = true\n"))).unwrap();
    wait_for("routes again", SOON, is_all).unwrap();
}
