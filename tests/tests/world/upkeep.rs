//! What operators do, and players must not see.

use std::{net::SocketAddr, thread::sleep, time::Duration};

use anycast_tests::lab::{
    client::Connections,
    world::{DRAIN_SIGNAL, GAME_PORT, PopHost, VIPS, World},
};
use anyhow::Result;

use crate::{
    load,
    results::{self, CALM, Results, all, runs, watch},
};

/// Connections that stay through a drain.
const CONNECTIONS: usize = 500;
/// From a restart until all has settled: sessions come back and routes are no longer stale.
const SETTLE: Duration = Duration::from_secs(5);

/// What is done.
struct Step {
    name: &'static str,
    act: fn(&mut World, &str, &mut Results),
}

const STEPS: [Step; 6] = [
    Step { name: "nothing happens", act: nothing },
    Step { name: "PoP drains", act: drain_of_a_pop },
    Step { name: "bgpd of a host is killed and restarted", act: restart_of_a_host },
    Step { name: "all daemons are killed and restarted", act: death_of_daemons },
    Step { name: "bgpd of a border is killed and restarted", act: restart_of_a_border },
    Step { name: "BIRD of a border is killed and restarted", act: restart_of_another_border },
];
/// What is done once, however many runs there are.
const LOAD: &str = "load";

/// Whether any of it is.
pub(crate) fn is_wanted() -> bool {
    STEPS.iter().map(|step| step.name).chain([LOAD]).any(results::is_wanted)
}

/// Goes through it.
pub(crate) fn upkeep_loses_no_packet_and_breaks_no_connection(world: &mut World) {
    let mut results = Results::default();
    for _ in 0..runs() {
        for step in STEPS.iter().filter(|step| results::is_wanted(step.name)) {
            world.wait_until_settled().unwrap();
            (step.act)(world, step.name, &mut results);
        }
    }
    if results::is_wanted(LOAD) {
        world.wait_until_settled().unwrap();
        load::no_false_alarm(world, &mut results);
    }
    results.finish();
}

/// So that a failure is not one of the lab.
fn nothing(world: &mut World, name: &str, results: &mut Results) {
    calmly(world, name, results, Duration::from_secs(1), |_| Ok(()));
}

/// The hosts of a PoP drain, and publish again. Players go elsewhere and come back.
fn drain_of_a_pop(world: &mut World, name: &str, results: &mut Results) {
    let (_, vip) = VIPS[0];
    let connections =
        Connections::open(&world.access[0].players, SocketAddr::new(vip, GAME_PORT), CONNECTIONS).unwrap();
    connections.use_for(2).unwrap();
    let after = DRAIN_SIGNAL + Duration::from_secs(2);
    let stall = calmly(world, name, results, after, |world| world.pops[0].drain());
    let entry = world.entry(0, vip).unwrap();
    let is_elsewhere = entry.is_some_and(|pop| pop != 0);
    results.check(is_elsewhere, || format!("players enter at {entry:?} while the PoP has drained"), stall);
    connections.use_for(2).unwrap();
    let undrain = |world: &mut World| {
        world.pops[0].undrain()?;
        world.wait_until_whole()
    };
    let back = calmly(world, &format!("{name}, and comes back"), results, Duration::from_millis(500), undrain);
    connections.use_for(2).unwrap();
    let broken = connections.stop().unwrap().broken;
    results.add(&format!("{name}: broken of {CONNECTIONS}"), broken.len() as u64, stall.max(back), Some(0));
}

/// FRR's on a host beside another one, and on the only host of a PoP.
fn restart_of_a_host(world: &mut World, name: &str, results: &mut Results) {
    for pop in [0, 1] {
        calmly(world, name, results, SETTLE, |world| world.pops[pop].hosts[0].router.restart_bgp());
        world.wait_until_settled().unwrap();
    }
}

fn restart_of_a_border(world: &mut World, name: &str, results: &mut Results) {
    calmly(world, name, results, SETTLE, |world| world.pops[0].border.router.restart_bgp());
}

fn restart_of_another_border(world: &mut World, name: &str, results: &mut Results) {
    calmly(world, name, results, SETTLE, |world| world.pops[2].border.router.restart_bgp());
}

/// All daemons of all PoPs at once.
fn death_of_daemons(world: &mut World, name: &str, results: &mut Results) {
    let hosts = |world: &mut World, change: fn(&mut PopHost) -> Result<()>| {
        world.pops.iter_mut().flat_map(|pop| &mut pop.hosts).try_for_each(change)
    };
    calmly(world, name, results, Duration::from_millis(500), |world| {
        hosts(world, |host| host.daemon.kill())?;
        sleep(Duration::from_secs(1));
        hosts(world, |host| host.daemon.resume().map(drop))
    });
}

/// Players notice nothing of it. How long the machine stood still.
fn calmly(
    world: &mut World,
    name: &str,
    results: &mut Results,
    after: Duration,
    act: impl FnOnce(&mut World) -> Result<()>,
) -> Duration {
    let ((), watched) = watch(world, after, act);
    results.see(name, &all(&watched.observed), &watched, CALM);
    watched.stall
}
