//! What probes cost: `cargo test --release -p anycast-xdp --test health cost -- --ignored --nocapture --test-threads=1`.

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

use super::{
    lab::{FACTS, Lab, VIPS, ipv4, ipv6},
    servers,
};

const TARGETS: u32 = 5000;
const SECS: u64 = 10;

/// CPU time of the prober's thread. Where the answer comes from the same machine, the kernel answers in the sender's system call: the far
/// end is part of it.
fn thread_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let thread = tasks.filter(|task| fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "health"));
    let runtime_ns = |task: std::path::PathBuf| {
        let text = fs::read_to_string(task.join("schedstat")).unwrap();
        text.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    Duration::from_nanos(thread.map(runtime_ns).sum())
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
    let counts = async || {
        let view = prober.watch().view().await;
        view.iter()
            .fold((0, 0, 0), |(good, bad, own), one| (good + one.successes, bad + one.failures, own + one.not_sent))
    };
    let (before, began, cpu) = (counts().await, Instant::now(), thread_time());
    tokio::time::sleep(Duration::from_secs(SECS)).await;
    let (cpu, took, after) = (thread_time().saturating_sub(cpu), began.elapsed().as_secs_f64(), counts().await);
    let rate = (after.0 - before.0) as f64 / took;
    let percent = 100.0 * cpu.as_secs_f64() / took;
    let per_probe_us = cpu.as_secs_f64() * 1e6 / (after.0 - before.0) as f64;
    eprintln!(
        "{name}: {rate:.0} probes/s, {percent:.1} % of a core, {per_probe_us:.1} us a probe; failed {}, not sent {}",
        after.1, after.2
    );
    assert!(rate > 0.95 * f64::from(TARGETS), "{rate}");
    assert_eq!((after.1, after.2), (0, 0));
    assert!(percent <= percent_max, "{percent}");
}

#[test]
#[ignore = "a measurement: wants an idle machine, and a build with optimisation"]
fn cost_of_5000_echo_requests_a_second() {
    Lab::run("cost of ICMP", async |_| measure(Check::Icmp, 15.0).await);
}

#[test]
#[ignore = "a measurement: wants an idle machine, and a build with optimisation"]
fn cost_of_5000_connections_a_second() {
    Lab::run("cost of TCP", async |lab| {
        let directory = tempfile::tempdir().unwrap();
        let _nginx = servers::nginx(&lab, directory.path());
        measure(Check::Tcp { port: 80 }, 100.0).await;
    });
}
