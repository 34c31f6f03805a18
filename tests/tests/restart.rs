//! Stopping, killing and starting the daemon again, with and without changes, while a numbered stream flows.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use anycast_tests::{
    lab::{
        Lab, Topology,
        daemon::{Daemon, PopConfig, daemon_binary},
        deployment::{Deployment, MIXES},
        stream::{NumberedStream, StreamReport, StreamSpec},
        topology::{FAMILIES, Family},
    },
    live::rate,
    require_root,
};

/// Time for packets to flow between two things that are done.
const A_WHILE: Duration = Duration::from_millis(200);
const PORT: u16 = 6000;

fn lossless(deployment: &Deployment, vip: IpAddr) -> StreamSpec {
    let lab = &deployment.lab;
    rate::lossless(&lab.site().client, &lab.home, SocketAddr::new(vip, PORT), 8).unwrap()
}

fn start(deployment: &Deployment, spec: &StreamSpec) -> NumberedStream {
    NumberedStream::start(&deployment.lab.site().client, &deployment.lab.home, spec).unwrap()
}

fn assert_whole(report: &StreamReport, what: &str) {
    eprintln!("{what}: {report:?}");
    assert!(rate::is_whole(report), "{what}: {report:?}");
}

fn forwarded(daemon: &Daemon, vip: &str) -> u64 {
    let stats = daemon.stats().unwrap();
    stats.assert_law();
    stats.vip_packets(vip, "forwarded")
}

#[test]
fn kill_and_restart_lose_nothing_and_counters_go_on() {
    require_root!();
    for mix in [MIXES[0], MIXES[3]] {
        let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
        let spec = lossless(&deployment, mix.vip);
        let before = forwarded(deployment.pop(), mix.name);
        let stream = start(&deployment, &spec);
        let (mut last, mut starts) = (before, Vec::new());
        for run in 0..4 {
            sleep(A_WHILE);
            if run % 2 == 0 {
                deployment.pops[0].kill().unwrap();
            } else {
                deployment.pops[0].stop().unwrap();
            }
            sleep(A_WHILE);
            // Without a daemon the state can be read, and packets go on being counted.
            let now = forwarded(deployment.pop(), mix.name);
            assert!(now > last, "{now} after {last}");
            assert_eq!(deployment.pop().status().unwrap()["daemon_pid"], serde_json::Value::Null);
            starts.push(deployment.pops[0].resume().unwrap());
            assert_eq!(deployment.pop().status().unwrap()["daemon_pid"], deployment.pop().pid().unwrap());
            last = forwarded(deployment.pop(), mix.name);
            assert!(last > now, "{last} after {now}");
        }
        sleep(A_WHILE);
        let report = stream.stop().unwrap();
        assert_whole(&report, mix.name);
        assert_eq!(forwarded(deployment.pop(), mix.name) - before, report.sent);
        eprintln!("{}: starts took {starts:?}", mix.name);
    }
}

#[test]
fn the_gateway_is_killed_and_restarted_without_loss() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let mix = MIXES[0];
    let spec = lossless(&deployment, mix.vip);
    let before = forwarded(&deployment.gateway, mix.name);
    let stream = start(&deployment, &spec);
    for _ in 0..2 {
        deployment.gateway.kill().unwrap();
        sleep(A_WHILE);
        deployment.gateway.resume().unwrap();
        sleep(A_WHILE);
    }
    let report = stream.stop().unwrap();
    assert_whole(&report, mix.name);
    assert_eq!(forwarded(&deployment.gateway, mix.name) - before, report.sent);
}

#[test]
fn twenty_restarts_in_a_row_lose_nothing() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let spec = lossless(&deployment, MIXES[0].vip);
    let stream = start(&deployment, &spec);
    for run in 0..20 {
        let daemon = &mut deployment.pops[0];
        let stopped = if run % 3 == 0 { daemon.stop() } else { daemon.kill() };
        stopped.unwrap();
        daemon.resume().unwrap();
    }
    let tables = deployment.pop().status().unwrap()["tables"].clone();
    let report = stream.stop().unwrap();
    assert_whole(&report, "twenty restarts");
    // What each daemon built for itself was cleared by the next.
    for row in tables.as_array().unwrap() {
        let used = row["used"].as_u64().unwrap();
        assert!(row["name"] == "slots" || used <= 8, "{row}");
    }
}

/// A pool whose two backends are the home host's addresses, with these weights, for the VIP of the stream.
fn stream_services(config: PopConfig, lab: &Lab) -> PopConfig {
    config.pool("main", &FAMILIES.map(|family| lab.home_address(family))).vip("stream", MIXES[0].vip, "main")
}

/// Configurations that differ in everything but the VIP of the stream, with what each changes.
fn changes(lab: &Lab) -> Vec<(&'static str, PopConfig)> {
    let host = || PopConfig::new(lab, lab.site(), "pop0");
    let base = || stream_services(host(), lab);
    let (home4, home6) = (lab.home_address(Family::V4), lab.home_address(Family::V6));
    let vip = |host: u8| IpAddr::from([192, 0, 2, host]);
    vec![
        ("a VIP added", base().vip("other", vip(50), "main")),
        ("a listener added", base().vip_with_listeners("other", vip(50), &["tcp/80"], "main")),
        ("listeners changed", base().vip_with_listeners("other", vip(50), &["tcp/80-90", "udp/53"], "main")),
        ("another pool", base().pool("second", &[home6]).vip("other", vip(50), "second")),
        ("backends added", base().pool("second", &[home4, home6]).vip("other", vip(50), "second")),
        ("backends removed", base().pool("second", &[home4]).vip("other", vip(50), "second")),
        ("VIPs and a pool before the stream's", {
            let first = host().pool("aaa", &[home6, home4]).vip("first", vip(51), "aaa").vip("second", vip(52), "aaa");
            stream_services(first, lab)
        }),
        ("VIPs removed", base()),
        ("its own pool loses a backend", host().pool("main", &[home4]).vip("stream", MIXES[0].vip, "main")),
        ("its own pool gets one", base()),
        ("its pool has another name", host().pool("new", &[home4, home6]).vip("stream", MIXES[0].vip, "new")),
        ("as it was", base()),
    ]
}

#[test]
fn a_changed_configuration_loses_nothing_of_an_unchanged_vip() {
    require_root!();
    let mut deployment = Deployment::with(Topology::pop_and_home(), stream_services).unwrap();
    let spec = lossless(&deployment, MIXES[0].vip);
    let before = forwarded(deployment.pop(), "stream");
    let stream = start(&deployment, &spec);
    for (number, (what, config)) in changes(&deployment.lab).into_iter().enumerate() {
        let daemon = &mut deployment.pops[0];
        daemon.write_config(config.text()).unwrap();
        let stopped = if number % 2 == 0 { daemon.kill() } else { daemon.stop() };
        stopped.unwrap();
        daemon.resume().unwrap_or_else(|error| panic!("{what}: {error:#}"));
        sleep(A_WHILE);
        let vips: serde_json::Value =
            serde_json::from_str(&daemon.run_cli(&["vips", "--output", "json"]).unwrap()).unwrap();
        assert_eq!(vips.as_array().unwrap().len(), config.text().matches("[[vip]]").count(), "{what}: {vips}");
    }
    // Weights: one backend gets nearly all.
    let weights = stream_services(PopConfig::new(&deployment.lab, deployment.lab.site(), "pop0"), &deployment.lab);
    deployment.pop().write_config(&weights.text().replacen("weight = 100", "weight = 60000", 1)).unwrap();
    deployment.pops[0].kill().unwrap();
    deployment.pops[0].resume().unwrap();
    sleep(A_WHILE);
    let report = stream.stop().unwrap();
    assert_whole(&report, "changes");
    assert_eq!(forwarded(deployment.pop(), "stream") - before, report.sent);
}

#[test]
fn a_start_killed_at_any_moment_loses_nothing_and_the_next_one_repairs_it() {
    require_root!();
    let mut deployment = Deployment::with(Topology::pop_and_home(), stream_services).unwrap();
    let spec = lossless(&deployment, MIXES[0].vip);
    deployment.pops[0].stop().unwrap();
    let took = deployment.pops[0].resume().unwrap();
    deployment.pops[0].kill().unwrap();
    let stream = start(&deployment, &spec);
    let changes = changes(&deployment.lab);
    let mut random = fastrand::Rng::with_seed(3);
    let scratch = &deployment.lab.scratch;
    for run in 0..20 {
        let (_, config) = &changes[run % changes.len()];
        let file = scratch.write("killed.toml", config.text()).unwrap();
        let mut command = deployment.lab.site().pop.command(daemon_binary());
        command.arg("run").arg("--config").arg(file).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // The second half of a start is where it writes.
        sleep(took.mul_f64(0.3 + random.f64() * 0.8));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // The last word is one that names what half-done starts planned.
    let (_, config) = &changes[4];
    deployment.pop().write_config(config.text()).unwrap();
    deployment.pops[0].resume().unwrap();
    sleep(A_WHILE);
    assert_whole(&stream.stop().unwrap(), "killed starts");
    let before = deployment.pop().stats().unwrap();
    let lab = &deployment.lab;
    let other = SocketAddr::new("192.0.2.50".parse().unwrap(), PORT);
    lab.home.add_loopback_address(other.ip()).unwrap();
    let stream =
        NumberedStream::start_unchecked(&lab.site().client, &lab.home, &StreamSpec::new(other, 2000).flows(64));
    sleep(A_WHILE);
    let sent = stream.unwrap().stop().unwrap().sent;
    let after = deployment.pop().stats().unwrap();
    let grown = |class: &str| after.vip_packets("other", class) - before.vip_packets("other", class);
    assert_eq!((grown("forwarded"), grown("dropped")), (sent, 0), "{}", after.vip("other"));
}

#[test]
fn detach_takes_everything_away() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let lab = &deployment.lab;
    let spec = StreamSpec::new(SocketAddr::new(MIXES[0].vip, PORT), 1000);
    let daemon = deployment.pops.remove(0);
    let instance = daemon.instance().to_owned();
    let pins = Path::new("/sys/fs/bpf/anycast-xdp").join(&instance);
    let run = Path::new("/run/anycast-xdp").join(&instance);
    assert!(pins.exists() && run.exists());
    let links = || lab.site().pop.ip("-details link show").unwrap();
    assert!(links().contains("prog/xdp"), "{}", links());
    // A running daemon is not pulled the ground from under.
    let refused = daemon.run_cli(&["detach"]).unwrap_err().to_string();
    assert!(refused.contains("stop it first"), "{refused}");
    drop(NumberedStream::start(&lab.site().client, &lab.home, &spec).unwrap());

    daemon.detach().unwrap();
    assert!(!pins.exists() && !run.exists());
    assert!(!links().contains("prog/xdp"), "{}", links());
    let stream = NumberedStream::start_unchecked(&lab.site().client, &lab.home, &spec).unwrap();
    sleep(A_WHILE);
    let report = stream.stop().unwrap();
    assert!(report.sent > 50 && report.received == 0, "{report:?}");
    let mut again = lab.site().pop.command(daemon_binary());
    let again = again.args(["detach", "--instance", &instance]).output().unwrap();
    assert_eq!(again.status.code(), Some(3), "{}", String::from_utf8_lossy(&again.stderr));
}
