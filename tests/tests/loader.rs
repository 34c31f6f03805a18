//! Attaching, refusing, starting and stopping, as an operator meets it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    net::{IpAddr, SocketAddr},
    os::unix::net::UnixDatagram,
    process::{Command, Output},
    sync::Barrier,
    thread::{self, sleep},
    time::Duration,
};

use anycast_tests::{
    lab::{
        Lab, Topology,
        command::output_within,
        daemon::{Daemon, PopConfig, daemon_binary},
        deployment::{Deployment, MIXES},
        link::{End, LinkSpec},
        process::Process,
        stream::{NumberedStream, StreamSpec},
        topology::Family,
    },
    live::rate,
    require_root,
};
use anycast_xdp::dataplane::bpffs;
use nix::sched::{CloneFlags, unshare};

const LIMIT: Duration = Duration::from_secs(20);

/// Takes away on drop what a start that no [`Daemon`] owns has pinned, also when the test fails.
struct Cleanup<'a>(&'a Lab, String);

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        cli(self.0, &["detach", "--instance", &self.1]);
    }
}

/// Runs the program in the PoP's namespace to its end.
fn cli(lab: &Lab, words: &[&str]) -> Output {
    output_within(lab.site().pop.command(daemon_binary()).args(words), LIMIT).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn base(lab: &Lab) -> PopConfig {
    let config = PopConfig::new(lab, lab.site(), "pop0");
    config.pool("main", &[lab.home_address(Family::V4)]).vip("main", MIXES[0].vip, "main")
}

/// Tries to start a daemon that must refuse; its exit code and what it says.
fn refused(lab: &Lab, config: &str) -> (i32, String) {
    let file = lab.scratch.write("refused.toml", config).unwrap();
    let output = cli(lab, &["run", "--config", file.to_str().unwrap()]);
    (code(&output), stderr(&output))
}

fn start(lab: &Lab, config: &PopConfig) -> anyhow::Result<Daemon> {
    Daemon::start(&lab.site().pop, &lab.scratch, config.instance(), config.text())
}

fn modes(daemon: &Daemon) -> Vec<(String, String, String)> {
    let status = daemon.status().unwrap();
    let text = |row: &serde_json::Value, field: &str| row[field].as_str().unwrap().to_owned();
    let rows = status["attachments"].as_array().unwrap();
    rows.iter().map(|row| (text(row, "interface"), text(row, "asked"), text(row, "mode"))).collect()
}

fn row(interface: &str, asked: &str, mode: &str) -> (String, String, String) {
    (interface.to_owned(), asked.to_owned(), mode.to_owned())
}

/// Datagrams get through to the home host's gateway.
fn assert_forwards(deployment: &Deployment, vip: IpAddr) {
    let lab = &deployment.lab;
    let spec = StreamSpec::new(SocketAddr::new(vip, 6000), 2000);
    drop(NumberedStream::start(&lab.site().client, &lab.home, &spec).unwrap());
}

/// What hides a bpffs hides the pins in it.
#[test]
fn daemons_that_start_at_the_same_time_mount_one_bpffs() {
    const STARTS: usize = 8;
    require_root!();
    let sh = |script: &str| Command::new("sh").args(["-c", script]).output().unwrap();
    let rounds = move || {
        // Mounts of this thread, and of those that it starts.
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        sh("mount --make-rprivate /");
        for _ in 0..20 {
            sh(&format!("for place in {} {}; do while umount -l $place; do :; done; done", bpffs::OWN, bpffs::COMMON));
            assert!(!bpffs::is_mounted_at(bpffs::COMMON.as_ref()));
            let begin = Barrier::new(STARTS);
            thread::scope(|scope| {
                for _ in 0..STARTS {
                    scope.spawn(|| {
                        begin.wait();
                        bpffs::mount_common().unwrap();
                    });
                }
            });
            let mounts = sh(&format!("grep -c ' {} ' /proc/self/mountinfo", bpffs::COMMON)).stdout;
            assert_eq!(String::from_utf8(mounts).unwrap().trim(), "1");
        }
    };
    thread::spawn(rounds).join().unwrap();
}

#[test]
fn modes_are_obtained_as_asked_and_shown() {
    require_root!();
    let lab = Topology::pop_and_home().build().unwrap();
    let text = base(&lab);
    for asked in ["auto", "native", "generic"] {
        let config = text.text().replace("attach = \"native\"", &format!("attach = \"{asked}\""));
        let mut daemon = Daemon::start(&lab.site().pop, &lab.scratch, text.instance(), &config).unwrap();
        let got = if asked == "generic" { "generic" } else { "native" };
        assert_eq!(modes(&daemon), [row("in0", asked, got), row("bb0", asked, got)]);
        assert!(daemon.log().contains("attached") && daemon.log().contains(got), "{}", daemon.log());
        // The other way round on a restart: what is there is replaced.
        let other = if asked == "generic" { "native" } else { "generic" };
        daemon
            .write_config(&config.replace(&format!("attach = \"{asked}\""), &format!("attach = \"{other}\"")))
            .unwrap();
        daemon.stop().unwrap();
        daemon.resume().unwrap();
        assert_eq!(modes(&daemon), [row("in0", other, other), row("bb0", other, other)]);
        daemon.detach().unwrap();
    }
}

#[test]
fn auto_falls_back_with_a_warning_and_native_refuses_and_changes_nothing() {
    require_root!();
    let lab = Topology::pop_and_home().build().unwrap();
    // A bridge has no native XDP.
    lab.site().pop.ip("link add br0 type bridge").unwrap();
    lab.site().pop.ip("link set br0 mtu 1600 up").unwrap();
    let native = base(&lab).interface("br0", &["backbone"], "native");
    let leftovers = Cleanup(&lab, native.instance().to_owned());
    let (code, said) = refused(&lab, native.text());
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("br0") && said.contains("does not fall back"), "{said}");
    let links = lab.site().pop.ip("-details link show").unwrap();
    assert!(!links.contains("prog/xdp"), "a start that failed left programs: {links}");

    drop(leftovers);
    let auto = base(&lab).interface("br0", &["backbone"], "auto");
    let daemon = start(&lab, &auto).unwrap();
    assert_eq!(modes(&daemon)[2], row("br0", "auto", "generic"));
    assert!(daemon.log().contains("WARN") && daemon.log().contains("trying generic"), "{}", daemon.log());
}

#[test]
fn devices_without_ethernet_are_refused_by_name() {
    require_root!();
    let lab = Topology::pop_and_home().build().unwrap();
    lab.site().pop.ip("tuntap add dev tun7 mode tun").unwrap();
    lab.site().pop.ip("link set tun7 up").unwrap();
    let (code, said) = refused(&lab, base(&lab).interface("tun7", &["backbone"], "auto").text());
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("tun7") && said.contains("not an Ethernet interface"), "{said}");
}

#[test]
fn another_program_on_the_interface_is_a_clear_error() {
    require_root!();
    let lab = Topology::pop_and_home().build().unwrap();
    let first = base(&lab);
    let daemon = start(&lab, &first).unwrap();
    // Another instance wants the same interfaces.
    let leftovers = Cleanup(&lab, format!("{}-b", first.instance()));
    let second = first.text().replacen(first.instance(), &leftovers.1, 1);
    let (code, said) = refused(&lab, &second);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("another XDP program is attached"), "{said}");
    assert_eq!(modes(&daemon), [row("in0", "native", "native"), row("bb0", "native", "native")]);
}

#[test]
fn a_second_daemon_of_an_instance_is_refused_and_the_first_goes_on() {
    require_root!();
    let deployment = Deployment::with(Topology::pop_and_home(), |config, lab| {
        config.pool("main", &[lab.home_address(Family::V4)]).vip("main", MIXES[0].vip, "main")
    })
    .unwrap();
    let lab = &deployment.lab;
    let (code, said) = refused(lab, base(lab).text());
    let pid = deployment.pop().pid().unwrap().to_string();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("another daemon of this instance is running") && said.contains(&pid), "{said}");
    assert_eq!(deployment.pop().status().unwrap()["daemon_pid"].to_string(), pid);
    assert_forwards(&deployment, MIXES[0].vip);
}

#[test]
fn a_broken_configuration_is_refused_with_all_errors_and_traffic_goes_on() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let lab = &deployment.lab;
    let spec = rate::lossless(&lab.site().client, &lab.home, SocketAddr::new(MIXES[0].vip, 6000), 4).unwrap();
    let stream = NumberedStream::start(&lab.site().client, &lab.home, &spec).unwrap();
    deployment.pops[0].kill().unwrap();
    let good = base(&deployment.lab).text().to_owned();
    let bad = good.replace("pool = \"main\"", "pool = \"mian\"").replace("weight = 100", "weight = 0");
    let bad = format!("{bad}\nlisteners = [\"tpc/80\"]\n");
    let (code, said) = refused(&deployment.lab, &bad);
    assert_eq!(code, 2, "{said}");
    for part in ["`mian`", "weight", "`tpc`", "refused.toml:", "3 errors"] {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
    // It does not fit the host.
    let (code, said) = refused(&deployment.lab, &good.replace("name = \"bb0\"", "name = \"bb9\""));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("no interface `bb9`") && said.contains("nothing was changed"), "{said}");
    // Nothing of it changed what is there, and the daemon starts with what it had.
    assert_eq!(deployment.pop().stats().unwrap().0["vips"].as_array().unwrap().len(), MIXES.len());
    deployment.pops[0].resume().unwrap();
    let report = stream.stop().unwrap();
    assert!(rate::is_whole(&report), "{report:?}");
}

#[test]
fn exit_codes_of_commands_tell_what_happened() {
    require_root!();
    let lab = Topology::pop_and_home().build().unwrap();
    let config = base(&lab);
    let good = lab.scratch.write("good.toml", config.text()).unwrap();
    let bad = lab.scratch.write("bad.toml", config.text().replace("weight", "wieght")).unwrap();
    let instance = ["--instance", config.instance()];
    assert_eq!(code(&cli(&lab, &["check", good.to_str().unwrap()])), 0);
    assert_eq!(code(&cli(&lab, &["check", bad.to_str().unwrap()])), 2);
    assert_eq!(code(&cli(&lab, &["check", "/nowhere.toml"])), 2);
    assert_eq!(code(&cli(&lab, &["run", "--config", "/nowhere.toml"])), 2);
    for verb in ["status", "vips", "stats", "detach"] {
        assert_eq!(code(&cli(&lab, &[&[verb], &instance[..]].concat())), 3, "{verb} with nothing there");
    }
    let mut daemon = start(&lab, &config).unwrap();
    for alive in [true, false] {
        if !alive {
            daemon.kill().unwrap();
        }
        for verb in ["status", "vips", "stats"] {
            let output = cli(&lab, &[&[verb], &instance[..]].concat());
            assert_eq!(code(&output), 0, "{verb}, daemon alive: {alive}: {}", stderr(&output));
            assert!(!output.stdout.is_empty(), "{verb}");
        }
    }
    assert_eq!(code(&cli(&lab, &[&["detach"], &instance[..]].concat())), 0);
}

#[test]
fn an_interface_that_was_made_anew_while_the_daemon_was_away_is_attached_again() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    deployment.pops[0].kill().unwrap();
    let lab = &deployment.lab;
    lab.site().pop.ip("link del bb0").unwrap();
    assert_eq!(modes(deployment.pop())[1], row("bb0", "native", "detached"));
    let _link = LinkSpec::new(
        End::new(&lab.site().pop, "bb0", ["10.3.0.2/24", "fd00:3::2/64"].map(|text| text.parse().unwrap())),
        End::new(&lab.routers[0], "rt_pop0", ["10.3.0.1/24", "fd00:3::1/64"].map(|text| text.parse().unwrap())),
    )
    .mtu(1600)
    .xdp_at_first()
    .create()
    .unwrap();
    lab.site().pop.ip("route add 10.4.0.0/16 via 10.3.0.1").unwrap();
    lab.site().pop.ip("-6 route add fd00:4::/32 via fd00:3::1").unwrap();
    deployment.pops[0].resume().unwrap();
    assert_eq!(modes(deployment.pop()), [row("in0", "native", "native"), row("bb0", "native", "native")]);
    for mix in MIXES {
        assert_forwards(&deployment, mix.vip);
    }
}

#[test]
fn ready_is_said_when_packets_are_forwarded_and_not_before() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let daemon = deployment.pops.remove(0);
    let config = base(&deployment.lab);
    daemon.detach().unwrap();
    let lab = &deployment.lab;
    for _ in 0..3 {
        let leftovers = Cleanup(lab, config.instance().to_owned());
        let path = lab.scratch.path().join("ready");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        // So that the first datagrams need nothing but the PoP.
        lab.site().client.ip("neigh flush all").unwrap();
        let file = lab.scratch.write("ready.toml", config.text()).unwrap();
        let mut command = lab.site().pop.command(daemon_binary());
        command.arg("run").arg("--config").arg(file).env("NOTIFY_SOCKET", &path);
        let mut daemon = Process::start("daemon", command, &lab.scratch.path().join("ready.log")).unwrap();
        let mut message = [0; 64];
        let length = socket.recv(&mut message).unwrap();
        assert_eq!(message[..length].trim_ascii_end(), b"READY=1");
        // Every datagram from now on is forwarded.
        let spec = StreamSpec::new(SocketAddr::new(MIXES[0].vip, 6000), 5000);
        let stream = NumberedStream::start_unchecked(&lab.site().client, &lab.home, &spec).unwrap();
        sleep(Duration::from_millis(200));
        let report = stream.stop().unwrap();
        assert!(report.sent > 100 && report.lost == 0, "{report:?}");
        daemon.kill().unwrap();
        drop(leftovers);
        std::fs::remove_file(path).unwrap();
    }
}
