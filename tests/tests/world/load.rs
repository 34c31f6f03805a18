//! Downloads at full speed keep every processor busy, and nobody is taken for dead.

use std::{
    env,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread::{scope, sleep},
    time::Duration,
};

use anycast_tests::lab::{
    client::download,
    stall::Stall,
    world::{VIPS, World},
};

use crate::results::Results;

/// Runs for `AXDP_LOAD_SECS`, 5 unless it says so.
pub(crate) fn no_false_alarm(world: &World, results: &mut Results) {
    let secs = env::var("AXDP_LOAD_SECS").map_or(5, |secs| secs.parse().expect("AXDP_LOAD_SECS is a number"));
    let before = (world.bfd_sessions().unwrap(), health_changes(world));
    let (stop, files, stall) = (AtomicBool::new(false), AtomicU64::new(0), Stall::watch());
    scope(|scope| {
        for access in &world.access {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let whole = download(&access.players, VIPS[0].1, "/large").is_ok_and(|file| file.http_code == 200);
                    files.fetch_add(u64::from(whole), Ordering::Relaxed);
                }
            });
        }
        sleep(Duration::from_secs(secs));
        stop.store(true, Ordering::Relaxed);
    });
    let (stall, files) = (stall.stop().unwrap(), files.into_inner());
    let down = world.bfd_sessions().unwrap().changed_since(&before.0);
    let health = health_changes(world) - before.1;
    println!("{files} files of 10 MB in {secs} s; BFD sessions down: {}", down.join(", "));
    results.check(files > 0, || "nothing was downloaded".to_owned(), stall);
    results.add("load: BFD sessions that went down", down.len() as u64, stall, Some(0));
    results.add("load: changes of the health of backends", health, stall, Some(0));
}

fn health_changes(world: &World) -> u64 {
    world.pops.iter().flat_map(|pop| &pop.hosts).map(|host| host.health_changes().unwrap()).sum()
}
