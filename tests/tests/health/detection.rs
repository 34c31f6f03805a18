//! A backend that dies is found in time by every kind of check that is told by its end, and taken back.

use std::time::Instant;

use anycast_tests::{
    lab::{daemon::Daemon, returns::THROUGH_POP},
    require_root,
};

use super::world::{ALL_UP, CONNECTIONS, FALL, INTERVAL, LOST, RISE, SLACK, TIMEOUT, World, lost};

/// A backend dies by what `fault` does and comes back by what `repair` does.
fn dies_and_comes_back(check: &str, vip_lines: &'static str, fault: fn(&mut World), repair: fn(&mut World, u8)) {
    let mut world = World::new(check, vip_lines, World::start_echoes);
    let old = world.open(CONNECTIONS);
    old.use_for(2).unwrap();
    assert!(old.servers.contains(&LOST));

    // What makes it die takes its time: it may be dead from the beginning of that on, and certainly is at its end.
    fault(&mut world);
    let began = Instant::now();
    world.await_states(0, lost());
    let found = began.elapsed();
    let within = INTERVAL * FALL + TIMEOUT + SLACK;
    eprintln!("{check}: down {found:?} after the fault, at most {within:?}");
    assert!(found <= within, "{found:?}");

    world.await_tables(0, lost());
    let new = world.open(CONNECTIONS);
    assert!(!new.servers.contains(&LOST));
    new.use_for(2).unwrap();

    repair(&mut world, LOST);
    let began = Instant::now();
    world.await_states(0, ALL_UP);
    eprintln!("{check}: up {:?} after the repair", began.elapsed());
    assert!(began.elapsed() <= INTERVAL * RISE + TIMEOUT + SLACK, "{:?}", began.elapsed());
    world.await_tables(0, ALL_UP);
    let back = world.open(CONNECTIONS);
    assert!(back.servers.contains(&LOST));
    new.use_for(3).unwrap();
    let (old, new, back) = (old.stop().unwrap(), new.stop().unwrap(), back.stop().unwrap());
    assert_eq!(old.broken_beside(&[LOST]), 0, "{:?}", old.broken);
    assert_eq!((new.broken, back.broken), (vec![], vec![]));
}

/// The services of the lost one end, and its tunnel does not.
fn break_echoes(world: &mut World) {
    let servers = &mut world.servers[usize::from(LOST)];
    (servers.tcp, servers.udp) = (None, None);
}

#[test]
fn tunnel_that_breaks_is_found_by_echo_requests() {
    require_root!();
    dies_and_comes_back("type = \"icmp\"", "", World::break_tunnel, World::start_gateway);
}

#[test]
fn tunnel_that_breaks_is_found_where_answers_come_back_through_the_pop() {
    require_root!();
    dies_and_comes_back("type = \"icmp\"", THROUGH_POP, World::break_tunnel, World::start_gateway);
}

#[test]
fn service_that_ends_is_found_by_connections() {
    require_root!();
    dies_and_comes_back("type = \"tcp\"\nport = 7000", "", break_echoes, World::start_echoes);
}

#[test]
fn service_that_ends_is_found_by_datagrams() {
    require_root!();
    let check = "type = \"udp\"\nport = 7001\nsend = \"hello\"\nexpect = \"hello\"";
    dies_and_comes_back(check, "", break_echoes, World::start_echoes);
}

#[test]
fn restart_takes_no_dead_backend_back_in() {
    require_root!();
    let mut world = World::new("type = \"icmp\"", "", World::start_echoes);
    world.break_tunnel();
    world.await_states(0, lost());
    for stop in [Daemon::stop, Daemon::kill] {
        stop(&mut world.pops[0]).unwrap();
        world.pops[0].resume().unwrap();
        let health = world.health(0);
        assert_eq!(health[usize::from(LOST)]["state"], "down", "{health:#?}");
        let new = world.open(CONNECTIONS);
        assert!(!new.servers.contains(&LOST));
        new.use_for(1).unwrap();
        assert_eq!(new.stop().unwrap().broken, vec![]);
        world.await_states(0, lost());
    }
}
