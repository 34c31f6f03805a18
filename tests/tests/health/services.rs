//! What a service answers decides by the checks that ask it: a wrong answer takes a backend out as a closed port does, and
//! leaves the flows of all others where they are.

use std::{
    fs,
    time::{Duration, Instant},
};

use anycast_tests::{
    lab::{server::UdpEcho, topology::VIP_V4, wait::wait_for},
    require_root,
};

use super::world::{ALL_UP, CONNECTIONS, FALL, INTERVAL, LOST, SLACK, TIMEOUT, UDP_PORT, World, lost};

/// What the HTTP checks ask for.
const PATH: &str = "/health";

/// What happens to the lost backend, what its check says then, and how it is mended.
struct Fault {
    what: &'static str,
    told: &'static str,
    happens: fn(&mut World),
    repair: fn(&mut World),
}

/// Every fault is found in time, by nobody but the backend that has it; its flows move, and no others.
fn is_taken_out_by(check: &str, serve: fn(&mut World, u8), faults: &[Fault]) {
    let mut world = World::new(check, "", serve);
    let connections = world.open(CONNECTIONS);
    let before = world.flows();
    assert!(before.contains(&LOST) && connections.servers.contains(&LOST));
    for Fault { what, told, happens, repair } in faults {
        happens(&mut world);
        let began = Instant::now();
        let moved = wait_for("flow that moved", Duration::from_secs(20), || {
            let now = world.flows();
            (!now.contains(&LOST)).then_some(now)
        });
        let (moved, found) = (moved.unwrap(), began.elapsed());
        let within = INTERVAL * FALL + TIMEOUT + SLACK;
        eprintln!("{check}, {what}: flows moved {found:?} after the fault, at most {within:?}");
        assert!(found <= within, "{what}: {found:?}");
        let stay = before.iter().zip(&moved).filter(|(before, _)| **before != LOST);
        assert!(stay.into_iter().all(|(before, now)| before == now), "{what}: {before:?}, {moved:?}");
        world.await_states(0, lost());
        let error = world.health(0)[usize::from(LOST)]["last"]["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(told), "{what}: {error}");

        repair(&mut world);
        world.await_states(0, ALL_UP);
        world.await_tables(0, ALL_UP);
        assert_eq!(world.flows(), before, "{what}");
    }
    connections.use_for(2).unwrap();
    let report = connections.stop().unwrap();
    assert_eq!(report.broken_beside(&[LOST]), 0, "{:?}", report.broken);
    // Those that were well never changed, and the other one changed for each fault and each repair alone.
    let changes: Vec<_> = world.health(0).iter().map(|row| row["transitions"].as_u64()).collect();
    let mut wanted: Vec<_> = ALL_UP.map(|_| Some(0)).into();
    wanted[usize::from(LOST)] = Some(2 * faults.len() as u64);
    assert_eq!(changes, wanted);
}

fn start_web(world: &mut World, home: u8) {
    world.start_web(home);
    set_page(world, home, true);
}

/// The page that is asked for is there, or is not.
fn set_page(world: &World, home: u8, is_there: bool) {
    let page = world.lab.scratch.path().join(format!("web{home}/nginx/www{PATH}"));
    if is_there { fs::write(page, "well\n").unwrap() } else { fs::remove_file(page).unwrap() }
}

const WEB_FAULTS: [Fault; 2] = [
    Fault {
        what: "a wrong status",
        told: "status 404 Not Found, not of 200 to 399",
        happens: |world| set_page(world, LOST, false),
        repair: |world| set_page(world, LOST, true),
    },
    Fault {
        what: "a closed port",
        told: "connect: Connection refused",
        happens: |world| world.servers[usize::from(LOST)].web = None,
        repair: |world| start_web(world, LOST),
    },
];

#[test]
fn http_backend_with_a_wrong_status_or_a_closed_port_is_taken_out() {
    require_root!();
    is_taken_out_by("type = \"http\"\npath = \"/health\"", start_web, &WEB_FAULTS);
}

#[test]
fn https_backend_with_a_wrong_status_or_a_closed_port_is_taken_out() {
    require_root!();
    is_taken_out_by("type = \"https\"\npath = \"/health\"\nhost = \"www.example.com\"", start_web, &WEB_FAULTS);
}

#[test]
fn dns_backend_with_a_wrong_answer_or_a_closed_port_is_taken_out() {
    require_root!();
    is_taken_out_by(
        "type = \"dns\"\nname = \"login.game.example\"",
        World::start_dns,
        &[
            Fault {
                what: "a wrong answer",
                told: "the answer has the error NXDOMAIN",
                happens: |world| know_name(world, false),
                repair: |world| know_name(world, true),
            },
            Fault {
                what: "a closed port",
                told: "answer: Connection refused",
                happens: |world| world.servers[usize::from(LOST)].dns = None,
                repair: |world| world.start_dns(LOST),
            },
        ],
    );
}

/// The name server has the name that is asked for, or has it not.
fn know_name(world: &World, is_known: bool) {
    world.servers[usize::from(LOST)].dns.as_ref().unwrap().set_name(is_known).unwrap();
}

#[test]
fn udp_backend_with_a_wrong_answer_or_a_closed_port_is_taken_out() {
    require_root!();
    // The port of the wrong answer is closed for a moment.
    let answer_wrongly = |world: &mut World| {
        let home = world.lab.homes().nth(LOST.into()).unwrap();
        let udp = &mut world.servers[usize::from(LOST)].udp;
        *udp = None;
        *udp = Some(UdpEcho::numbered(home, VIP_V4, UDP_PORT, LOST).unwrap());
    };
    let check = "type = \"udp\"\nport = 7001\nsend = \"hello\"\nexpect = \"hello\"";
    is_taken_out_by(
        check,
        World::start_echoes,
        &[
            Fault {
                what: "a wrong answer",
                told: "the answer begins with \"\\x01\", not with \"hello\"",
                happens: answer_wrongly,
                repair: answer_again,
            },
            Fault {
                what: "a closed port",
                told: "answer: Connection refused",
                happens: |world| world.servers[usize::from(LOST)].udp = None,
                repair: answer_again,
            },
        ],
    );
}

fn answer_again(world: &mut World) {
    let home = world.lab.homes().nth(LOST.into()).unwrap();
    let udp = &mut world.servers[usize::from(LOST)].udp;
    *udp = None;
    *udp = Some(UdpEcho::start(home, VIP_V4, UDP_PORT).unwrap());
}
