//! Packets flow while everything that they depend on is changed at full speed: none of them may be made of two states.
//!
//! `AXDP_STRESS_SECS` is how long the real program is stressed; a minute by default.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anycast_tests::{
    live::{
        raw::pin_to,
        stress::{
            Changer, Graceless, LIMITS, Reader, Readers, STEADY_VIPS, Tally, VIPS, Watched, mix, packets, read,
            vip_address,
        },
    },
    oracle::place,
    require_root,
};
use anycast_xdp::dataplane::{
    loader::{self, Loaded},
    tables::{Dataplane as _, Kernel},
};
use aya::programs::Xdp;

/// How long the shorter tests of this file may take.
const SHORT: Duration = Duration::from_secs(10);

fn stress_time() -> Duration {
    let secs = std::env::var("AXDP_STRESS_SECS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(secs.unwrap_or(60))
}

fn load() -> Loaded {
    let mut loaded = loader::load(None, &LIMITS, Some(b"stress of tables")).unwrap();
    loaded.xdp("pop").unwrap();
    loaded
}

/// Feeds the real program on one processor while `change` works on another, for at most `time`.
fn feed_while(time: Duration, until_mixed: bool, change: impl FnMut(&mut Kernel) -> u64 + Send) -> (Tally, u64) {
    let mut change = change;
    place::with_interfaces(|_| {
        let Loaded { ebpf, mut kernel } = load();
        let program: &Xdp = ebpf.program("pop").unwrap().try_into().unwrap();
        change(&mut kernel);
        let inputs = packets();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let feeding = scope.spawn(|| {
                pin_to(0).unwrap();
                Tally::run(program, &inputs, &stop, until_mixed).unwrap()
            });
            pin_to(1)?;
            let began = Instant::now();
            let mut changes = 0;
            while began.elapsed() < time && !feeding.is_finished() {
                changes += change(&mut kernel);
            }
            stop.store(true, Ordering::Relaxed);
            Ok((feeding.join().unwrap(), changes))
        })
    })
    .unwrap()
}

#[test]
fn no_packet_is_mixed_while_everything_changes() {
    require_root!();
    let mut changer: Option<Changer> = None;
    let (tally, changes) = feed_while(stress_time(), false, |kernel| match &mut changer {
        None => {
            changer = Some(Changer::new(kernel).unwrap());
            1
        }
        Some(changer) => changer.step(kernel).unwrap(),
    });
    eprintln!("{changes} changes, {tally:?}");
    assert_eq!((tally.mixed, tally.holes), (0, 0), "{:#?}", tally.examples);
    assert!(tally.forwarded > tally.packets / 2, "{tally:?}");
    assert!(tally.passed > 0 && tally.dropped > 0, "VIPs came and went, and routes were narrow: {tally:?}");
    assert!(changes > stress_time().as_secs() * 10, "only {changes} changes");
}

/// The check of the check: the same packets, and an entry that is written while a cell refers to it.
#[test]
fn an_entry_written_in_place_is_seen_as_mixed_packets() {
    require_root!();
    let mut changer = None;
    let (tally, changes) = feed_while(SHORT, true, |kernel| {
        let changer = changer.get_or_insert_with(|| Changer::new(kernel).unwrap());
        let inventory = changer.inventory();
        let vip = inventory.vip(vip_address(0)).unwrap();
        let pool = inventory.pool(vip.pool.as_deref().unwrap()).unwrap();
        for backend in &pool.backends {
            let mut entry = kernel.arrays().backends.get(backend.index);
            let last = if entry.family == 4 { 19 } else { 39 };
            let source = if entry.family == 4 { 15 } else { 23 };
            // First the source, then the destination: never both at once, as if the entry were edited field by field.
            for at in [source, last] {
                entry.outer[at] ^= 1;
                kernel.arrays().backends.write(backend.index, entry);
            }
        }
        1
    });
    eprintln!("{changes} changes, {tally:?}");
    assert!(tally.mixed > 0, "{tally:?}");
}

/// Reads along the chain with long pauses while `step` changes it; what was mixed, holes, and how many reads there were.
fn read_slowly(
    time: Duration,
    until_mixed: bool,
    step: impl Fn(&mut Changer, &mut Kernel, &Readers) + Sync,
) -> (Vec<String>, u64, u64) {
    const READERS: usize = 12;
    place::with_interfaces(|_| {
        let mut loaded = load();
        let mut changer = Changer::new(&mut loaded.kernel)?;
        let readers = Readers::new(READERS);
        let stop = AtomicBool::new(false);
        let slow: Vec<_> = (0..READERS).map(|number| Reader::new(&loaded, number as u64).unwrap()).collect();
        std::thread::scope(|scope| {
            let threads: Vec<_> = slow
                .into_iter()
                .enumerate()
                .map(|(number, mut reader)| {
                    let (readers, stop) = (&readers, &stop);
                    scope.spawn(move || {
                        let mut random = fastrand::Rng::with_seed(number as u64);
                        let (mut mixed, mut holes, mut reads) = (Vec::new(), 0, 0);
                        while !stop.load(Ordering::Relaxed) {
                            let (n, is_large) = (random.u8(..VIPS), random.bool());
                            let seen = readers.under_way(number, || read(&mut reader, n, is_large)).unwrap();
                            reads += 1;
                            holes += u64::from(seen.is_none() && n < STEADY_VIPS && !is_large);
                            mixed.extend(seen.as_ref().and_then(mix));
                            if until_mixed && !mixed.is_empty() {
                                stop.store(true, Ordering::Relaxed);
                            }
                        }
                        (mixed, holes, reads)
                    })
                })
                .collect();
            let began = Instant::now();
            while began.elapsed() < time && !stop.load(Ordering::Relaxed) {
                step(&mut changer, &mut loaded.kernel, &readers);
            }
            stop.store(true, Ordering::Relaxed);
            let mut all = (Vec::new(), 0, 0);
            for thread in threads {
                let (mixed, holes, reads) = thread.join().unwrap();
                all.0.extend(mixed);
                all.1 += holes;
                all.2 += reads;
            }
            Ok(all)
        })
    })
    .unwrap()
}

#[test]
fn readers_however_slow_see_one_state() {
    require_root!();
    let (mixed, holes, reads) = read_slowly(SHORT, false, |changer, kernel, readers| {
        changer.step(&mut Watched { kernel, readers }).unwrap();
    });
    eprintln!("{reads} slow reads, {holes} holes, {} mixed", mixed.len());
    assert!(mixed.is_empty(), "{} of {reads} mixed: {:#?}", mixed.len(), &mixed[..mixed.len().min(5)]);
    assert_eq!(holes, 0);
    assert!(reads > 1000, "{reads}");
}

/// The check of the check: the same readers, and a writer that does not wait for them.
#[test]
fn slow_readers_see_mixed_states_when_nobody_waits_for_them() {
    require_root!();
    let (mixed, _, reads) = read_slowly(SHORT, true, |changer, kernel, _| {
        changer.step(&mut Graceless(kernel)).unwrap();
    });
    eprintln!("{} mixed within {reads} slow reads", mixed.len());
    assert!(!mixed.is_empty(), "{reads} reads");
}
