//! The watchdog withdraws when the programs or the daemon are gone, and lets go when they are back.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anycast_tests::{
    lab::{daemon::daemon_binary, process::Process, wait::wait_for, xdp_pass::PassProgram},
    require_root,
};

use super::world::{ALL, PUBLISH, World, set};

/// What a watchdog may take to act, and this machine to run it.
const LIMIT: Duration = Duration::from_millis(200);
const SLACK: Duration = Duration::from_millis(150);

fn start(world: &World) -> Process {
    let mut command = world.namespace().command(daemon_binary());
    command.arg("watchdog").arg("--config").arg(world.pop.config_path()).env("NO_COLOR", "1");
    let log = world.lab.scratch.path().join("watchdog.log");
    let mut process = Process::start("watchdog", command, &log).unwrap();
    process.wait_until(Duration::from_secs(5), |process| process.log().contains("watching")).unwrap();
    process
}

fn is_up(world: &World) -> bool {
    world.namespace().ip("link show axp0").unwrap().contains(",UP")
}

fn wait_until(world: &World, what: &str, up: bool) -> Duration {
    let began = Instant::now();
    wait_for(what, Duration::from_secs(10), || (is_up(world) == up).then_some(())).unwrap();
    began.elapsed()
}

#[test]
fn programs_that_are_gone_withdraw_within_200_ms_and_come_back_with_the_daemon() {
    require_root!();
    let mut world = World::new();
    let watchdog = start(&world);
    std::thread::sleep(Duration::from_millis(300));
    assert!(is_up(&world), "all is well: {}", watchdog.log());
    world.pop.kill().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(world.routes(), set(&ALL), "a daemon that is killed withdraws nothing");

    // The kernel refuses to take a program away by `ip` that a link holds.
    let refused = world.namespace().ip("link set dev in0 xdp off");
    assert!(refused.is_err(), "{refused:?}");
    // Without its pin the link goes, and the program with it.
    let link = Path::new("/sys/fs/bpf/anycast-xdp").join(world.pop.instance()).join("links/in0");
    fs::remove_file(&link).unwrap();
    let took = wait_until(&world, "withdrawal", false);
    println!("down {took:?} after the program went");
    assert!(took < LIMIT + SLACK, "{took:?}");
    world.wait_for("no routes", &set(&[]));

    world.pop.resume().unwrap();
    wait_until(&world, "an interface that is up", true);
    world.wait_for("routes", &set(&ALL));
    let log = watchdog.log();
    assert_eq!(log.matches("no program of this instance runs on in0").count(), 1, "{log}");
    assert_eq!(log.matches("all is well").count(), 1, "{log}");
}

#[test]
fn program_of_somebody_else_is_as_good_as_none() {
    require_root!();
    let mut world = World::new();
    let watchdog = start(&world);
    world.pop.kill().unwrap();
    let link = Path::new("/sys/fs/bpf/anycast-xdp").join(world.pop.instance()).join("links/in0");
    fs::remove_file(&link).unwrap();
    let _other = PassProgram::attach(world.namespace(), "in0").unwrap();
    wait_until(&world, "withdrawal", false);
    std::thread::sleep(Duration::from_millis(500));
    assert!(!is_up(&world), "{}", watchdog.log());
}

#[test]
fn daemon_that_stays_away_withdraws_after_its_time_and_only_if_that_is_asked_for() {
    require_root!();
    let mut world = World::with(&format!("{PUBLISH}withdraw_without_daemon = \"2s\"\n"));
    let watchdog = start(&world);
    std::thread::sleep(Duration::from_millis(500));
    world.pop.kill().unwrap();
    let took = wait_until(&world, "withdrawal", false);
    println!("down {took:?} after kill -9, withdraw_without_daemon is 2 s");
    assert!((Duration::from_millis(1900)..Duration::from_millis(2500)).contains(&took), "{took:?}");
    world.wait_for("no routes", &set(&[]));
    let began = Instant::now();
    world.pop.resume().unwrap();
    world.wait_for("routes", &set(&ALL));
    println!("routes again {:?} after the start", began.elapsed());
    let log = watchdog.log();
    assert_eq!(log.matches("there has been no daemon for 2s").count(), 1, "{log}");
}
