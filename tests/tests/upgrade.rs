//! Replacing the daemon by a build of another ABI version and back, and changing the limits, while traffic flows.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use anycast_common::ABI_VERSION;
use anycast_tests::{
    lab::{
        Topology,
        client::{Connections, Curl},
        daemon::{Daemon, daemon_binary, other_abi_binary},
        deployment::{Deployment, MIXES},
        server::{LARGE_FILE_BYTES, Nginx, TcpEcho},
        stream::{NumberedStream, StreamReport, StreamSpec},
        topology::FAMILIES,
    },
    live::rate,
    require_root,
};

/// Time for packets to flow between two things that are done.
const A_WHILE: Duration = Duration::from_millis(200);
const PORT: u16 = 6000;
/// `[limits]` that differ from each other and from those that are not given.
const LIMITS: [&str; 3] = ["vips = 100\nbackends = 64\n", "vips = 8192\nslots = 32768\n", "return_clients = 1000\n"];

fn same<T>(config: T) -> T {
    config
}

fn lossless(deployment: &Deployment) -> StreamSpec {
    let lab = &deployment.lab;
    rate::lossless(&lab.site().client, &lab.home, SocketAddr::new(MIXES[0].vip, PORT), 8).unwrap()
}

fn start(deployment: &Deployment, spec: &StreamSpec) -> NumberedStream {
    NumberedStream::start(&deployment.lab.site().client, &deployment.lab.home, spec).unwrap()
}

fn assert_whole(report: &StreamReport, what: &str) {
    eprintln!("{what}: {report:?}");
    assert!(rate::is_whole(report), "{what}: {report:?}");
}

/// Packets of the stream's VIP; of a PoP its backend has the same.
fn forwarded(daemon: &Daemon) -> u64 {
    let stats = daemon.stats().unwrap();
    stats.assert_law();
    stats.vip_packets(MIXES[0].name, "forwarded")
}

/// The builds, by turns: this one for even numbers.
fn build(run: usize) -> PathBuf {
    if run.is_multiple_of(2) { daemon_binary() } else { other_abi_binary() }
}

/// ABI version of the other build.
const OTHER: u32 = ABI_VERSION + 1000;

/// Generations that are pinned, by number, with their ABI versions.
fn generations(daemon: &Daemon) -> Vec<(u32, u32)> {
    let root = Path::new("/sys/fs/bpf/anycast-xdp").join(daemon.instance());
    let names = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<_> = names
        .filter_map(|name| {
            let (number, abi) = name.strip_prefix("gen-")?.split_once("-abi-")?;
            Some((number.parse().unwrap(), abi.parse().unwrap()))
        })
        .collect();
    found.sort_unstable();
    found
}

/// The number of the build that made the current generation.
fn current_build(daemon: &Daemon) -> usize {
    let link = Path::new("/sys/fs/bpf/anycast-xdp").join(daemon.instance()).join("current");
    usize::from(!fs::read_link(link).unwrap().to_str().unwrap().ends_with(&format!("-abi-{ABI_VERSION}")))
}

/// Ends the daemon, one way or the other, and starts the build of this number in its place.
fn replace(daemon: &mut Daemon, run: usize) -> Duration {
    let stopped = if run.is_multiple_of(3) { daemon.stop() } else { daemon.kill() };
    stopped.unwrap();
    daemon.set_binary(build(run));
    daemon.resume().unwrap()
}

#[test]
fn pop_is_upgraded_and_downgraded_without_loss_and_counters_go_on() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let spec = lossless(&deployment);
    let (before, backend) = (forwarded(deployment.pop()), deployment.lab.home_address(MIXES[0].outer));
    let backend_before = deployment.pop().stats().unwrap().backend_packets(backend);
    let stream = start(&deployment, &spec);
    let (mut last, mut took) = (before, Vec::new());
    for run in 1..=8 {
        sleep(A_WHILE);
        took.push(replace(&mut deployment.pops[0], run));
        let now = forwarded(deployment.pop());
        assert!(now > last, "{now} after {last}, run {run}");
        last = now;
        let generations = generations(deployment.pop());
        let abis: Vec<_> = generations.iter().map(|(_, abi)| *abi).collect();
        let expected = if run.is_multiple_of(2) { [OTHER, ABI_VERSION] } else { [ABI_VERSION, OTHER] };
        assert_eq!(abis, expected, "the last one and the one before it: {generations:?}");
        let status = deployment.pop().status().unwrap();
        assert_eq!((&status["generation"], &status["abi_version"]), (&(run + 1).into(), &expected[1].into()));
    }
    sleep(A_WHILE);
    let report = stream.stop().unwrap();
    assert_whole(&report, "upgrades of the PoP");
    eprintln!("starts took {took:?}");
    assert_eq!(forwarded(deployment.pop()) - before, report.sent);
    // Another VIP's stream to the same address has counted there, too: none was sent meanwhile.
    let backend_after = deployment.pop().stats().unwrap().backend_packets(backend);
    assert_eq!(backend_after - backend_before, report.sent);
    // The build that does not run can not say what the other one counts, and says why.
    deployment.pops[0].set_binary(other_abi_binary());
    let refused = deployment.pop().run_cli(&["stats"]).unwrap_err().to_string();
    assert!(
        refused.contains(&format!("ABI version {ABI_VERSION}")) && refused.contains("start the daemon"),
        "{refused}"
    );
}

#[test]
fn gateway_is_upgraded_and_downgraded_while_answers_go_back_through_the_pop() {
    require_root!();
    let mut deployment = Deployment::returning(Topology::pop_and_home(), "", same, same).unwrap();
    deployment.lab.cut_direct_way().unwrap();
    let (vip, name) = (MIXES[0].vip, MIXES[0].name);
    let _nginx = Nginx::start(&deployment.lab.home, deployment.lab.scratch.path(), &[vip]).unwrap();
    let _echo = TcpEcho::start(&deployment.lab.home, vip, 7000, 0).unwrap();
    let client = &deployment.lab.site().client;
    let connections = Connections::open(client, SocketAddr::new(vip, 7000), 50).unwrap();
    let spec = lossless(&deployment);
    let stream = start(&deployment, &spec);
    let mut runs = 0;
    std::thread::scope(|scope| {
        let download = scope.spawn(|| {
            let curl = Curl::new(client).limit(Duration::from_mins(2)).rate("1M");
            (0..2).map(|_| curl.get(vip, "/large").unwrap()).collect::<Vec<_>>()
        });
        let (pop, gateway) = (&mut deployment.pops[0], &mut deployment.gateway);
        let mut last = (forwarded(gateway), forwarded(pop));
        while runs < 8 || !download.is_finished() {
            runs += 1;
            sleep(A_WHILE);
            replace(if runs % 4 < 2 { &mut *gateway } else { &mut *pop }, runs);
            let now = (forwarded(gateway), forwarded(pop));
            assert!(now.0 > last.0 && now.1 > last.1, "{now:?} after {last:?}, run {runs}");
            last = now;
            // One answer without a way would be one lost, because there is no other.
            assert_eq!(gateway.stats().unwrap().vip_return_outcome(name, "no_pop_direct"), 0, "run {runs}");
        }
        for transfer in download.join().unwrap() {
            assert_eq!((transfer.http_code, transfer.size_download), (200, LARGE_FILE_BYTES as u64));
        }
    });
    connections.use_for(3).unwrap();
    let report = connections.stop().unwrap();
    assert_eq!(report.broken, [], "in {} rounds", report.rounds);
    assert_whole(&stream.stop().unwrap(), "upgrades of gateway and PoP");
    // Everything that the gateway sent back came back through the PoP, and everything that the PoP sent came out.
    sleep(A_WHILE);
    let (gateway, pop) = (deployment.gateway.stats().unwrap(), deployment.pop().stats().unwrap());
    assert_eq!(gateway.vip_packets(name, "forwarded"), pop.vip_packets(name, "forwarded"));
    eprintln!("{runs} replacements, {} answers", pop.vip_returned_packets(name));
    assert_eq!(pop.vip_packets(name, "dropped"), 0);
    for stats in [&gateway, &pop] {
        assert!(stats.vip_returned_packets(name) > LARGE_FILE_BYTES as u64 / 20_000, "{}", stats.0);
    }
}

/// What a start says on its way, one after the other.
const STEPS: [&str; 6] = [
    "making maps",
    "ways updated",
    "attached interface=\"in0\"",
    "attached interface=\"bb0\"",
    "packets run on the new maps",
    "ready",
];

/// Starts a build and kills it when it has said `step`, or that it is ready, and a moment later. What it said.
fn start_and_kill(deployment: &Deployment, number: usize, step: &str, later: Duration) -> Vec<String> {
    let mut command = deployment.lab.site().pop.command(build(number));
    command.arg("run").arg("--config").arg(deployment.pop().config_path()).env("NO_COLOR", "1");
    command.env("ANYCAST_XDP_LOG", "info,anycast_xdp::daemon=debug").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        said.push(line.unwrap());
        let last = said.last().unwrap();
        if last.contains(step) || last.contains("ready") {
            break;
        }
    }
    sleep(later);
    child.kill().unwrap();
    child.wait().unwrap();
    said
}

#[test]
fn start_of_either_build_killed_at_any_moment_loses_nothing_and_the_next_one_converges() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let spec = lossless(&deployment);
    let before = forwarded(deployment.pop());
    deployment.pops[0].kill().unwrap();
    let stream = start(&deployment, &spec);
    let mut random = fastrand::Rng::with_seed(5);
    let (mut last, mut begun) = (before, 0);
    for run in 0..18 {
        // By turns one that changes over, killed soon, and either, killed later.
        let (number, later_us) = if run % 2 == 0 {
            (1 - current_build(deployment.pop()), random.u64(0..3_000))
        } else {
            (random.usize(0..2), random.u64(0..20_000))
        };
        let later = Duration::from_micros(later_us);
        let said = start_and_kill(&deployment, number, STEPS[run % STEPS.len()], later);
        begun += said.iter().filter(|line| line.contains("making maps")).count();
        if run % 3 == 2 {
            let number = if run % 2 == 0 { number } else { random.usize(0..2) };
            let daemon = &mut deployment.pops[0];
            daemon.set_binary(build(number));
            daemon.resume().unwrap();
            let now = forwarded(daemon);
            assert!(now > last, "{now} after {last}, run {run}");
            last = now;
            let generations = generations(daemon);
            let abis: Vec<_> = generations.iter().map(|(_, abi)| *abi).collect();
            assert!(abis.len() <= 2 && abis.contains(&[ABI_VERSION, OTHER][number]), "{generations:?}");
            daemon.kill().unwrap();
        }
    }
    deployment.pops[0].set_binary(build(0));
    deployment.pops[0].resume().unwrap();
    sleep(A_WHILE);
    let report = stream.stop().unwrap();
    assert_whole(&report, "killed upgrades");
    let left = generations(deployment.pop());
    let gone_on = deployment.pop().log().matches("going on with a changeover").count();
    eprintln!(
        "18 starts were killed, {begun} in a changeover; {gone_on} of 7 starts went on with one; {left:?} are left"
    );
    assert_eq!(forwarded(deployment.pop()) - before, report.sent);
}

#[test]
fn limits_and_services_change_with_the_build_without_loss() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let spec = lossless(&deployment);
    let before = forwarded(deployment.pop());
    let good = fs::read_to_string(deployment.pop().config_path()).unwrap();
    let with = |limits: &str| good.replacen("[host]", &format!("[limits]\n{limits}\n[host]"), 1);
    let stream = start(&deployment, &spec);
    for (run, limits) in LIMITS.iter().enumerate() {
        sleep(A_WHILE);
        deployment.pop().reload(&with(limits)).unwrap_or_else(|error| panic!("{limits}: {error:#}"));
        assert_eq!(generations(deployment.pop()), [(run as u32 + 2, ABI_VERSION)], "{limits}");
        sleep(A_WHILE);
        let other = format!("{}\n[[pool]]\nname = \"other\"\nhome_region = \"guangzhou\"\n", with(limits));
        let backends = FAMILIES.map(|family| deployment.lab.home_address(family));
        let backends = backends.map(|address| format!("[[pool.backend]]\naddress = \"{address}\"\n"));
        let vip = "[[vip]]\nname = \"other\"\naddress = \"192.0.2.60\"\npool = \"other\"\n";
        deployment.pop().reload(&format!("{other}{}{vip}", backends.concat())).unwrap();
    }
    // Limits, services and the build at once, and back.
    for run in 1..=4 {
        let limits = LIMITS[run % LIMITS.len()];
        deployment.pop().write_config(&with(limits)).unwrap();
        replace(&mut deployment.pops[0], run);
        sleep(A_WHILE);
    }
    let report = stream.stop().unwrap();
    assert_whole(&report, "changes of limits");
    assert_eq!(forwarded(deployment.pop()) - before, report.sent);
}
