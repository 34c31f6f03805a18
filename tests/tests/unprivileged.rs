//! The daemon as its unit runs it: a user without root, four capabilities, and a file system that is read-only but for its own.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anycast_common::probe::ProbeMark;
use anycast_tests::{
    lab::{
        Lab, Topology,
        client::{PingReport, download, ping},
        daemon::{GatewayConfig, PopConfig},
        deployment::{Deployment, MIXES},
        returns::THROUGH_POP,
        sandbox::{Machine, SandboxedDaemon, Unit},
        server::Nginx,
        topology::FAMILIES,
        wait::wait_for,
    },
    live::raw,
    packet::Packet,
    require_root,
};

/// Users of the machine: one in the daemon's group, and one who is not.
const MEMBER: u32 = 4242;
const STRANGER: u32 = 4243;
const PATIENCE: Duration = Duration::from_secs(30);

/// What the addresses of all VIPs are in.
const PREFIXES: &str = "
[[prefix]]
name = \"tests4\"
prefix = \"192.0.2.0/24\"

[[prefix]]
name = \"tests6\"
prefix = \"2001:db8:80::/48\"
";

/// PoP and gateway, each in the sandbox; services are in the PoP's store, put there by a member of the group.
// Field order is drop order.
struct Host {
    pop: SandboxedDaemon,
    _gateway: SandboxedDaemon,
    machine: Arc<Machine>,
    services: String,
    lab: Lab,
}

impl Host {
    fn start() -> Self {
        let lab = Topology::pop_and_home().build().unwrap();
        let machine = Arc::new(Machine::new(&lab.scratch).unwrap());
        let mut gateway = GatewayConfig::new(&lab).every_vip(THROUGH_POP);
        for mix in MIXES {
            lab.home.add_loopback_address(mix.vip).unwrap();
            gateway = gateway.vip(mix.name, mix.vip);
        }
        let facts = facts(&lab);
        let whole = MIXES.iter().fold(facts.clone().every_vip(THROUGH_POP), |config, mix| {
            config.pool(mix.name, &[lab.home_address(mix.outer)]).vip(mix.name, mix.vip, mix.name)
        });
        let services = PREFIXES.to_owned() + &whole.text()[facts.text().len()..];
        for instance in [gateway.instance(), facts.instance()] {
            machine.prepare(instance).unwrap();
        }
        let start = |host, instance: &str, text: &str| {
            SandboxedDaemon::start(&machine, host, &lab.scratch, instance, text).unwrap()
        };
        let gateway = start(&lab.home, gateway.instance(), gateway.text());
        let pop = start(&lab.site().pop, facts.instance(), facts.text());
        let applied = pop.ask(MEMBER, machine.gid(), "POST", "/v1/apply?wait=true", &services).unwrap().unwrap();
        assert_eq!(applied.0, 200, "{}", applied.1);
        lab.cut_direct_way().unwrap();
        Self { pop, _gateway: gateway, machine, services, lab }
    }

    /// All mixes, with answers through the PoP: there is no other way.
    fn carries_traffic(&self) {
        for mix in MIXES {
            let client = &self.lab.site().client;
            let report = ping(client, mix.vip, 3, 56).unwrap();
            assert_eq!(report, PingReport { sent: 3, received: 3 }, "{mix:?}");
            assert_eq!(download(client, mix.vip, "/").unwrap().http_code, 200, "{mix:?}");
        }
        self.pop.stats().unwrap().assert_law();
    }
}

/// The PoP's own file: it probes from where its tunnels begin.
fn facts(lab: &Lab) -> PopConfig {
    let [v4, v6] = FAMILIES.map(|family| lab.site().tunnel_source(family));
    let health = format!("\n[health]\nsource_ipv4 = \"{v4}\"\nsource_ipv6 = \"{v6}\"\n");
    PopConfig::new(lab, lab.site(), "pop0").and(&health)
}

/// By `axp0`, which the daemon made.
fn host_is_a_client_of_its_vips(host: &Host) {
    let pop = &host.lab.site().pop;
    for mix in MIXES {
        let (bits, family) = if mix.vip.is_ipv4() { (32, FAMILIES[0]) } else { (128, FAMILIES[1]) };
        let source = host.lab.site().tunnel_source(family);
        pop.ip(&format!("route replace {}/{bits} dev axp0 src {source}", mix.vip)).unwrap();
        // The marks of all backends: the index of this one is among the first.
        let is_answered = |index: u32| {
            let mark = ProbeMark::new(index).unwrap().to_socket_mark();
            let words = format!("ping -n -q -c 1 -W 1 -m {mark} -I {source} {}", mix.vip);
            pop.run(&words).is_ok()
        };
        assert!((1..=4).any(is_answered), "{mix:?}");
    }
}

#[test]
fn what_the_unit_allows_is_enough() {
    require_root!();
    let mut host = Host::start();
    let _nginx = Nginx::start(&host.lab.home, host.lab.scratch.path(), &Deployment::vips()).unwrap();
    has_no_more_than_four_capabilities(&host);
    host.carries_traffic();
    host_is_a_client_of_its_vips(&host);
    answers_its_group_and_nobody_else(&host);
    tells_root_everything(&host);
    counts_losses(&host);
    learns_mtus(&host);

    // Over SIGKILL everything stays, and the next start takes over.
    let forwarded = |host: &Host| host.pop.stats().unwrap().vip_packets(MIXES[0].name, "forwarded");
    let before = forwarded(&host);
    host.pop.kill().unwrap();
    host.carries_traffic();
    host.pop.resume(&[]).unwrap();
    host.carries_traffic();
    assert!(forwarded(&host) > before + 6, "counters go on");

    let changed = facts(&host.lab).no_icmp_errors();
    host.pop.reload(&host.lab.scratch, changed.text()).unwrap();
    host.carries_traffic();
    assert!(!host.pop.log().contains("not counted"), "{}", host.pop.log());
}

fn has_no_more_than_four_capabilities(host: &Host) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pop.pid().unwrap())).unwrap();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        // CAP_NET_ADMIN, CAP_NET_RAW, CAP_PERFMON, CAP_BPF.
        let four: u64 = 1 << 12 | 1 << 13 | 1 << 38 | 1 << 39;
        assert!(status.contains(&format!("{set}:\t{four:016x}")), "{status}");
    }
    assert!(status.contains("NoNewPrivs:\t1") && !status.contains("Uid:\t0\t"), "{status}");
}

fn answers_its_group_and_nobody_else(host: &Host) {
    let (pop, gid) = (&host.pop, host.machine.gid());
    let pool = "{\"name\": \"spare\", \"home_region\": \"guangzhou\"}";
    assert_eq!(pop.ask(STRANGER, STRANGER, "POST", "/v1/pools", pool).unwrap(), None);
    let (status, body) = pop.ask(MEMBER, gid, "GET", "/v1/pools/spare", "").unwrap().unwrap();
    assert_eq!(status, 404, "{body}");
    let (status, body) = pop.ask(MEMBER, gid, "POST", "/v1/apply?wait=true", &host.services).unwrap().unwrap();
    assert!(status == 200 && body.contains("\"changes\":[]"), "{body}");
    // What is pinned is for root and the daemon.
    for words in [&["stats"][..], &["status"], &["vips"], &["explain", "udp", "203.0.113.7:1", "192.0.2.44:1"]] {
        for group in [gid, STRANGER] {
            let (code, told) = pop.run_cli_as(MEMBER, group, words).unwrap();
            assert!(code == Some(1) && told.contains("is for root"), "{words:?}: {told}");
        }
    }
}

fn tells_root_everything(host: &Host) {
    let explained = ["explain", "udp", "203.0.113.7:1", "192.0.2.44:1"];
    for words in [&["stats"][..], &["status"], &["vips"], &explained] {
        host.pop.run_cli(words).unwrap();
        host.pop.run_cli_as_daemon(words).unwrap();
    }
    let told = host.pop.run_cli(&explained).unwrap();
    assert!(told.contains("XDP_REDIRECT") && !told.contains("another build"), "{told}");
}

fn counts_losses(host: &Host) {
    let before = host.pop.stats().unwrap().xdp_losses("bb0");
    // Not below 1280, where the kernel takes IPv6 away.
    host.lab.routers[0].ip("link set rt_pop0 mtu 1300").unwrap();
    let frame = Packet::from_to("198.51.100.7", "192.0.2.44").udp(1, 1).payload_len(1400).build();
    raw::send(&host.lab.site().transit, "tr_pop0", 0, &[frame], 500).unwrap();
    let lost = || (host.pop.stats().unwrap().xdp_losses("bb0") >= before + 500).then_some(());
    wait_for("500 losses", PATIENCE, lost).unwrap();
    host.lab.routers[0].ip("link set rt_pop0 mtu 1600").unwrap();
}

fn learns_mtus(host: &Host) {
    let home = host.lab.home_address(MIXES[0].outer).to_string();
    host.lab.routers[0].ip("link set rt_home mtu 1450").unwrap();
    host.lab.home.ip("link set lb0 mtu 1450").unwrap();
    let learnt = || {
        ping(&host.lab.site().client, MIXES[0].vip, 1, 1472).unwrap();
        let status = host.pop.json(&["status"]).unwrap();
        let row = status["backends"].as_array().unwrap().iter().find(|row| row["address"] == home.as_str()).cloned();
        row.filter(|row| row["mtu_source"] == "learnt" && row["mtu_bytes"] == 1450)
    };
    wait_for("a learnt MTU", PATIENCE, learnt).unwrap();
    host.lab.routers[0].ip("link set rt_home mtu 1600").unwrap();
    host.lab.home.ip("link set lb0 mtu 1600").unwrap();
}

#[test]
fn pins_of_a_daemon_that_was_root_move_while_packets_flow() {
    require_root!();
    let lab = Topology::pop_and_home().build().unwrap();
    let machine = Arc::new(Machine::new(&lab.scratch).unwrap());
    let config = PopConfig::new(&lab, lab.site(), "pop0").pool("main", &[lab.home_address(MIXES[0].outer)]).vip(
        "web",
        MIXES[0].vip,
        "main",
    );
    let file = format!("/run/lab/{}.toml", config.instance());
    lab.scratch.write(&format!("{}.toml", config.instance()), config.text()).unwrap();
    let mut root = machine.root(&lab.site().pop);
    root.args(["/run/lab-anycast-xdp", "run", "--config", &file]).stdin(Stdio::null());
    let log = lab.scratch.path().join("root.log");
    let mut root = anycast_tests::lab::process::Process::start("daemon of root", root, &log).unwrap();
    root.wait_until(PATIENCE, |root| root.log().contains(" ready ")).unwrap();
    let refused = machine.prepare(config.instance()).unwrap_err().to_string();
    assert!(refused.contains("stop it first"), "{refused}");
    root.kill().unwrap();

    let told = machine.prepare(config.instance()).unwrap();
    eprintln!("{told}");
    let pop =
        SandboxedDaemon::start(&machine, &lab.site().pop, &lab.scratch, config.instance(), config.text()).unwrap();
    let count = |pop: &SandboxedDaemon| pop.stats().unwrap().vip_packets("web", "received");
    let before = count(&pop);
    let frame = Packet::from_to("198.51.100.7", "192.0.2.44").udp(1, 1).build();
    raw::send(&lab.site().transit, "tr_pop0", 0, &[frame], 100).unwrap();
    wait_for("packets", PATIENCE, || (count(&pop) >= before + 100).then_some(())).unwrap();
    // The link is the one that root made: a second one would be refused.
    let status = pop.json(&["status"]).unwrap();
    assert!(status["attachments"].as_array().unwrap().iter().all(|row| row["mode"] == "native"), "{status}");
}

/// What a set of systemd's holds, without the sets in it.
fn syscalls(set: &str) -> Option<BTreeSet<String>> {
    if !set.starts_with('@') {
        return Some(BTreeSet::from([set.to_owned()]));
    }
    let output = Command::new("systemd-analyze").args(["syscall-filter", set]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let words = text.lines().skip(1).map(str::trim).filter(|word| !word.is_empty() && !word.starts_with('#'));
    words.map(syscalls).try_fold(BTreeSet::new(), |all, one| Some(&all | &one?))
}

/// What `SystemCallFilter=` lets through, line by line.
fn allowed(unit: &Unit) -> Option<BTreeSet<String>> {
    let mut allowed = syscalls("@default")?;
    for (_, line) in unit.directives().filter(|(key, _)| *key == "SystemCallFilter") {
        let (forbids, words) = line.strip_prefix('~').map_or((false, line), |words| (true, words));
        for word in words.split_whitespace() {
            let set = syscalls(word)?;
            allowed = if forbids { &allowed - &set } else { &allowed | &set };
        }
    }
    Some(allowed)
}

#[test]
fn it_asks_the_kernel_for_nothing_that_the_unit_forbids() {
    require_root!();
    let unit = Unit::packaged("anycast-xdp.service").unwrap();
    let has_strace = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok();
    let (true, Some(allowed)) = (has_strace, allowed(&unit)) else {
        println!("SKIPPED it_asks_the_kernel_for_nothing_that_the_unit_forbids: needs strace and systemd-analyze");
        return;
    };
    let mut host = Host::start();
    host.pop.kill().unwrap();
    let trace = format!("/run/anycast-xdp/{}.strace", std::process::id());
    // -D: the daemon is the child, and strace goes with it.
    host.pop.resume(&["strace", "-D", "-f", "-qq", "-o", &trace]).unwrap();
    let answer = host.pop.ask(MEMBER, host.machine.gid(), "GET", "/v1/vips", "").unwrap().unwrap();
    assert_eq!(answer.0, 200);
    let pool = "[[pool]]\nname = \"spare\"\nhome_region = \"guangzhou\"\n";
    let services = host.services.clone() + pool;
    host.pop.ask(MEMBER, host.machine.gid(), "POST", "/v1/apply?wait=true", &services).unwrap().unwrap();
    let seen = host.machine.root(&host.lab.home).args(["cat", &trace]).output().unwrap();
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    host.pop.kill().unwrap();

    let calls = seen.lines().filter_map(|line| line.split_whitespace().nth(1)?.split_once('(').map(|call| call.0));
    // The one that starts the program is made before the filter is there.
    let used: BTreeSet<String> =
        calls.filter(|call| !call.is_empty() && *call != "execve").map(str::to_owned).collect();
    assert!(used.contains("bpf") && used.contains("perf_event_open"), "{used:?}");
    assert_eq!(used.difference(&allowed).collect::<Vec<_>>(), Vec::<&String>::new());
    let families = unit.value("RestrictAddressFamilies").unwrap();
    for line in seen.lines().filter(|line| line.contains(" socket(")) {
        let family = line.split("socket(").nth(1).unwrap().split(',').next().unwrap();
        assert!(families.split(' ').any(|allowed| allowed == family), "{line}");
    }
    assert!(!seen.contains("PROT_WRITE|PROT_EXEC"), "MemoryDenyWriteExecute=yes");
}
