//! What probes cost the host: `cargo test --release -p anycast-xdp --test health cost -- --ignored --nocapture --test-threads=1`.
//!
//! The far end is on the same machine, and by itself the kernel would work for it within the system calls of the prober. Here what comes in is
//! worked on by a thread for each end: the host pays for the prober and for the thread of its own end.

#![expect(clippy::cast_precision_loss, reason = "counts of seconds and probes are small")]

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use anycast_xdp::{
    desired::{Check, Health},
    health::{Prober, Target},
};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

use super::{
    lab::{FACTS, Lab, VIPS, ipv4, ipv6},
    servers,
};

/// Their jitter makes [`PROBES_PER_SEC`] of it.
const TARGETS: u32 = 4750;
const PROBES_PER_SEC: f64 = 5000.0;
const SECS: u64 = 20;

/// Processor of both ends, so that none has to wake another, and that of the server and of the test.
const PROCESSORS: [usize; 2] = [0, 1];

/// The calling thread, to the kernel.
const MYSELF: i32 = 0;

/// The only thread of such a name: in `/proc/self/task` of this process, in `/proc` of the kernel.
fn thread(directory: &str, is_it: impl Fn(&str) -> bool) -> Option<i32> {
    let numbers = fs::read_dir(directory).unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let comm = |thread: &i32| fs::read_to_string(format!("/proc/{thread}/comm")).unwrap_or_default();
    let mut named = numbers.filter(|thread| is_it(comm(thread).trim()));
    let (first, second) = (named.next(), named.next());
    first.filter(|_| second.is_none())
}

/// What works on what comes in by an end.
fn receiver(end: &str) -> i32 {
    thread("/proc", |name| name.starts_with(&format!("napi/{end}-"))).unwrap()
}

/// Leaves a processor to a thread, and to what it starts.
fn bind(thread: i32, processor: usize) {
    let mut processors = CpuSet::new();
    processors.set(processor).unwrap();
    sched_setaffinity(Pid::from_raw(thread), &processors).unwrap();
}

/// How long a thread has run.
fn time(thread: i32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{thread}/schedstat")).unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

async fn measure(check: Check, percent_max: f64) {
    let directory = tempfile::tempdir().unwrap();
    let (interval, timeout) = (Duration::from_secs(1), Duration::from_millis(800));
    let name = format!("{check:?}");
    let health = Arc::new(Health { check, vip: None, interval, timeout, rise: 2, fall: 3, jitter_percent: 10 });
    let targets = (0..TARGETS).map(|index| {
        let vip = 1 + (index % u32::from(VIPS)) as u8;
        Target {
            pool: "home".to_owned(),
            backend: (0x0a04_0000 + index).to_be_bytes().into(),
            backend_index: index + 1,
            vip: if index % 2 == 0 { ipv4(vip) } else { ipv6(vip) },
            health: Arc::clone(&health),
        }
    });
    let prober = Prober::start(directory.path()).unwrap();
    prober.follow(FACTS, targets.collect());
    tokio::time::sleep(interval * 3).await;
    // A thread has its name only when it runs.
    let threads = [thread("/proc/self/task", |name| name == "health").unwrap(), receiver("h0"), receiver("h1")];
    for thread in threads {
        bind(thread, PROCESSORS[0]);
    }
    tokio::time::sleep(interval).await;
    let counts = async || {
        let view = prober.watch().view().await;
        view.iter()
            .fold((0, 0, 0), |(good, bad, own), one| (good + one.successes, bad + one.failures, own + one.not_sent))
    };
    let times = || threads.map(time);
    let (before, began, times_before) = (counts().await, Instant::now(), times());
    tokio::time::sleep(Duration::from_secs(SECS)).await;
    let (now, took, after) = (times(), began.elapsed().as_secs_f64(), counts().await);
    let rate = (after.0 - before.0) as f64 / took;
    let [of_prober, of_host, of_home] =
        [0, 1, 2].map(|at| 100.0 * now[at].saturating_sub(times_before[at]).as_secs_f64() / took);
    let percent = of_prober + of_host;
    eprintln!(
        "{name}: {rate:.0} probes/s, {percent:.1} % of a core: {of_prober:.1} the prober, {of_host:.1} what comes in; \
         {of_home:.1} the far end; failed {}, not sent {}",
        after.1, after.2
    );
    assert!((rate / PROBES_PER_SEC - 1.0).abs() < 0.02, "{rate}");
    assert_eq!((after.1, after.2), (0, 0));
    assert!(percent <= percent_max, "{percent}");
}

#[test]
#[ignore = "a measurement: wants an idle machine, and a build with optimisation"]
fn cost_of_5000_echo_requests_a_second() {
    Lab::run("cost of ICMP", async |lab| {
        lab.part_ends();
        measure(Check::Icmp, 15.0).await;
    });
}

#[test]
#[ignore = "a measurement: wants an idle machine, and a build with optimisation"]
fn cost_of_5000_connections_a_second() {
    Lab::run("cost of TCP", async |lab| {
        lab.part_ends();
        bind(MYSELF, PROCESSORS[1]);
        let directory = tempfile::tempdir().unwrap();
        let _nginx = servers::nginx(&lab, directory.path());
        measure(Check::Tcp { port: 80 }, 15.0).await;
    });
}
