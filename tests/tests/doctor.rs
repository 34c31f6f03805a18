//! A lab that works, broken in one way after another: the doctor names each breakage, and the fix.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{path::PathBuf, time::Duration};

use anycast_tests::{
    lab::{
        Lab, Namespace, Topology,
        command::run,
        daemon::{Daemon, GatewayConfig, PopConfig},
        deployment::{Deployment, MIXES},
        doctor::{Diagnosis, examine, examine_within},
        link::{End, LinkSpec},
        topology::Family,
        wait::wait_for,
        xdp_pass::PassProgram,
    },
    require_root,
};

/// Warnings that every lab deserves: its IPv4 tunnels have one outer source, and IPIP has no ports; a veth end is made
/// for as many queues as the machine has CPUs, and begins with one. A lab with one arm allows a small MTU, because its
/// access MTU is that of the backbone.
const WARNINGS_OF_LAB: [&str; 3] = ["outer_source_single", "queues_few", "backbone_mtu_small"];
const LIMIT: Duration = Duration::from_secs(10);

/// Among the commands that mend: what the doctor itself says, and nothing but that.
const FIX: &str = "what the doctor says";

/// One way to break a lab.
struct Breakage<'a> {
    /// What is broken.
    what: &'a str,
    /// Commands that break it: words of `ip`, or a whole command line after `!`.
    breaks: &'a [&'a str],
    /// Those that bring it back to what it was. With [`FIX`] as the first, the host is well after that one already.
    mends: &'a [&'a str],
    /// What the doctor must say: severity, code, place, and a part of the fix.
    says: (&'a str, &'a str, &'a str, &'a str),
}

/// A host, and the doctor's configuration for it.
struct Patient<'a> {
    namespace: &'a Namespace,
    config: PathBuf,
}

impl Patient<'_> {
    fn examine(&self) -> Diagnosis {
        examine(self.namespace, &self.config).unwrap()
    }

    fn run(&self, commands: &[&str]) {
        for command in commands {
            match command.strip_prefix('!') {
                Some(line) => self.namespace.run(line).map(drop),
                None => self.namespace.ip(command).map(drop),
            }
            .unwrap_or_else(|error| panic!("{command}: {error:#}"));
        }
    }

    /// Nothing is wrong but what every lab deserves. The kernel may need a moment to have everything as it was.
    fn is_well(&self, when: &str) {
        let well = wait_for(when, LIMIT, || {
            let diagnosis = self.examine();
            let warnings = diagnosis.of("warning");
            let undeserved =
                warnings.iter().any(|finding| !WARNINGS_OF_LAB.iter().any(|code| finding["code"] == *code));
            (diagnosis.of("error").is_empty() && !undeserved).then_some(())
        });
        well.unwrap_or_else(|error| panic!("{error:#}: {:#}", self.examine().report["findings"]));
    }

    /// Pastes the command that each finding with this code names; what follows a comma or semicolon is for people.
    fn follow(&self, diagnosis: &Diagnosis, code: &str) {
        for finding in diagnosis.findings().filter(|finding| finding["code"] == code) {
            let fix = finding["fix"].as_str().unwrap();
            let line = fix.split([',', ';']).next().unwrap();
            run(self.namespace.command("sh").args(["-c", line])).unwrap_or_else(|error| panic!("{fix}: {error:#}"));
        }
    }

    fn suffers(&self, breakage: &Breakage<'_>) {
        self.run(breakage.breaks);
        let diagnosis = self.examine();
        says(breakage.what, &diagnosis, breakage.says);
        let mends = match breakage.mends {
            [FIX, rest @ ..] => {
                self.follow(&diagnosis, breakage.says.1);
                self.is_well(&format!("health after the fix for: {}", breakage.what));
                rest
            }
            mends => mends,
        };
        self.run(mends);
        self.is_well(&format!("health after: {}", breakage.what));
    }
}

fn says(what: &str, diagnosis: &Diagnosis, (severity, code, place, fix): (&str, &str, &str, &str)) {
    let findings = &diagnosis.report["findings"];
    let found = diagnosis.finding(code).unwrap_or_else(|| panic!("{what}: no {code} among {findings:#}"));
    assert_eq!(found["severity"], severity, "{what}: {found:#}");
    assert_eq!(found["at"]["name"].as_str().unwrap_or("host"), place, "{what}: {found:#}");
    assert!(found["fix"].as_str().unwrap().contains(fix), "{what}: {found:#}");
    let exit_code = if diagnosis.of("error").is_empty() { 4 } else { 5 };
    assert!(severity == "info" || diagnosis.exit_code == exit_code, "{what}: exit code {}", diagnosis.exit_code);
    eprintln!("{what}: {code} ({place}): {}", found["fix"].as_str().unwrap());
}

#[test]
fn other_labs_are_well() {
    require_root!();
    let labs = [
        ("one arm", Topology::pop_and_home().one_armed()),
        ("three routers and two access NICs", Topology::pop_and_home().routers(3).access_nics(2)),
    ];
    for (what, topology) in labs {
        let deployment = Deployment::new(topology).unwrap();
        let lab = &deployment.lab;
        let pop = Patient { namespace: &lab.site().pop, config: deployment.pop().config_path().to_owned() };
        let gateway = Patient { namespace: &lab.home, config: deployment.gateway.config_path().to_owned() };
        pop.is_well(&format!("health of the PoP with {what}"));
        gateway.is_well(&format!("health of the gateway with {what}"));
    }
}

/// A PoP's configuration with all pools and VIPs of the lab.
fn pop_config(lab: &Lab) -> PopConfig {
    MIXES.iter().fold(PopConfig::new(lab, lab.site(), "pop0"), |config, mix| {
        config.pool(mix.name, &[lab.home_address(mix.outer)]).vip(mix.name, mix.vip, mix.name)
    })
}

fn gateway_config(lab: &Lab) -> GatewayConfig {
    MIXES.iter().fold(GatewayConfig::new(lab), |config, mix| config.vip(mix.name, mix.vip))
}

#[test]
fn before_the_first_start() {
    require_root!();
    let lab = Topology::pop_and_home().build().unwrap();
    let config = pop_config(&lab);
    let write = |name: &str, text: &str| lab.scratch.write(name, text).unwrap();
    let pop = Patient { namespace: &lab.site().pop, config: write("pop.toml", config.text()) };
    pop.is_well("health before the first start");
    says("nothing started", &pop.examine(), ("info", "not_started", config.instance(), "anycast-xdp run"));

    let examine_text = |text: &str| examine(pop.namespace, &write("broken.toml", text)).unwrap();
    let diagnosis = examine_text(&config.text().replace("10.3.0.2", "10.3.0.9"));
    says(
        "tunnel source of another host",
        &diagnosis,
        ("error", "tunnel_source_foreign", "tunnel.source_ipv4", "ip address add 10.3.0.9/32 dev bb0"),
    );
    let diagnosis = examine_text(&config.text().replace("\"bb0\"", "\"bb7\""));
    says("misspelt interface", &diagnosis, ("error", "interface_missing", "bb7", "bb0, in0"));

    pop.suffers(&Breakage {
        what: "one receive queue",
        breaks: &[],
        mends: &[FIX],
        says: ("warning", "queues_few", "in0", "ethtool -L in0 rx 2"),
    });
    assert!(pop.examine().finding("queues_few").is_none());

    let foreign = PassProgram::attach(pop.namespace, "in0").unwrap();
    says("another XDP program", &pop.examine(), ("error", "xdp_foreign", "in0", "bpftool link detach id "));
    drop(foreign);
    pop.is_well("health after: another XDP program");

    let wrapper = ["setpriv", "--bounding-set=-net_admin"];
    let diagnosis = examine_within(pop.namespace, &wrapper, &pop.config).unwrap();
    says("no CAP_NET_ADMIN", &diagnosis, ("error", "capability_missing", "host", "anycast-xdp.service"));

    // The other end of this pair has no program and no GRO.
    let router = &lab.routers[0];
    let link = LinkSpec::new(End::new(pop.namespace, "bb9", []), End::new(router, "rt_x", [])).mtu(1600);
    let _link = link.create().unwrap();
    let two = pop_config(&lab).interface("bb9", &["backbone"], "native");
    let two = Patient { namespace: pop.namespace, config: write("two.toml", two.text()) };
    says("egress veth without a program", &two.examine(), ("error", "xdp_xmit_missing", "bb9", "gro on"));
    let _pass = PassProgram::attach(router, "rt_x").unwrap();
    two.is_well("health with a program at the other end");
    two.suffers(&Breakage {
        what: "jumbo MTU",
        breaks: &["link set bb9 mtu 9000"],
        mends: &[FIX, "link set bb9 mtu 1600"],
        says: ("error", "mtu_needs_frags", "bb9", "ip link set bb9 mtu 35"),
    });
}

/// On the PoP, while everything runs.
const ON_POP: [Breakage<'_>; 8] = [
    Breakage {
        what: "VIP on the PoP's lo",
        breaks: &["address add 192.0.2.44/32 dev lo"],
        mends: &[FIX],
        says: ("error", "vip_is_local", "v4in4", "ip address del 192.0.2.44/32 dev lo"),
    },
    Breakage {
        what: "backbone MTU without room for the outer header",
        breaks: &["link set bb0 mtu 1500"],
        mends: &[FIX, "link set bb0 mtu 1600"],
        says: ("error", "backbone_mtu_small", "bb0", "ip link set bb0 mtu 1540"),
    },
    Breakage {
        what: "route with a small MTU",
        breaks: &["route replace 10.4.0.0/16 via 10.3.0.1 mtu 1400"],
        mends: &[FIX, "route replace 10.4.0.0/16 via 10.3.0.1"],
        says: ("error", "backend_mtu_small", "10.4.0.2", "ip route change 10.4.0.0/16 via 10.3.0.1 dev bb0 mtu 1520"),
    },
    Breakage {
        what: "route by the access interface",
        breaks: &["route add 10.4.0.2/32 via 10.2.0.1"],
        mends: &["route del 10.4.0.2/32"],
        says: ("error", "route_off_backbone", "10.4.0.2", "ip route replace 10.4.0.2/32 via ROUTER dev bb0"),
    },
    Breakage {
        what: "blackhole",
        breaks: &["route add blackhole 10.4.0.2/32"],
        mends: &["route del blackhole 10.4.0.2/32"],
        says: ("error", "route_missing", "10.4.0.2", "ip route replace 10.4.0.2/32 via ROUTER dev bb0"),
    },
    Breakage {
        what: "no IPv6 route",
        breaks: &["-6 route del default", "-6 route del fd00:4::/32"],
        mends: &["-6 route add default via fd00:2::1", "-6 route add fd00:4::/32 via fd00:3::1"],
        says: ("error", "route_missing", "fd00:4::2", "ip route replace fd00:4::2/128 via ROUTER dev bb0"),
    },
    Breakage {
        what: "backbone interface down",
        breaks: &["link set bb0 down"],
        mends: &[
            "link set bb0 up",
            "route add 10.4.0.0/16 via 10.3.0.1",
            "-6 address add fd00:3::2/64 dev bb0 nodad",
            "-6 route add fd00:4::/32 via fd00:3::1",
        ],
        says: ("error", "interface_down", "bb0", "ip link set bb0 up"),
    },
    Breakage {
        what: "forwarding off",
        breaks: &["!sysctl -qw net.ipv4.conf.in0.forwarding=0"],
        mends: &["!sysctl -qw net.ipv4.conf.in0.forwarding=1"],
        says: ("info", "forwarding_off", "in0", "sysctl -w net.ipv4.conf.in0.forwarding=1"),
    },
];

/// On the gateway, while everything runs.
const ON_GATEWAY: [Breakage<'_>; 7] = [
    Breakage {
        what: "strict rp_filter, and answers leave as tunnels arrive",
        breaks: &["!sysctl -qw net.ipv4.conf.lb0.rp_filter=1"],
        mends: &[FIX, "!sysctl -qw net.ipv4.conf.lb0.rp_filter=0"],
        says: ("warning", "rp_filter_strict", "lb0", "sysctl -w net.ipv4.conf.lb0.rp_filter=2"),
    },
    Breakage {
        what: "strict rp_filter of all, and answers leave by another interface",
        breaks: &[
            "!sysctl -qw net.ipv4.conf.all.rp_filter=1",
            "link add up0 type veth peer name up1",
            "address add 10.9.0.2/24 dev up0",
            "link set up1 up",
            "link set up0 up",
            "route replace default via 10.9.0.1",
        ],
        mends: &[
            FIX,
            "!sysctl -qw net.ipv4.conf.all.rp_filter=0",
            "!sysctl -qw net.ipv4.conf.lb0.rp_filter=0",
            "link del up0",
            "route replace default via 10.4.0.1 mtu 1500",
        ],
        says: ("error", "rp_filter_strict", "lb0", "sysctl -w net.ipv4.conf.lb0.rp_filter=2"),
    },
    Breakage {
        what: "VIP not on the gateway's lo",
        breaks: &["address del 192.0.2.44/32 dev lo"],
        mends: &[FIX],
        says: ("error", "vip_not_local", "v4in4", "ip address add 192.0.2.44/32 dev lo"),
    },
    Breakage {
        what: "VIP behind a gateway that does not forward",
        breaks: &["address del 192.0.2.44/32 dev lo", "route add 192.0.2.44/32 via 10.4.0.1"],
        mends: &[
            FIX,
            "!sysctl -qw net.ipv4.conf.lb0.forwarding=0",
            "route del 192.0.2.44/32",
            "address add 192.0.2.44/32 dev lo",
        ],
        says: ("error", "forwarding_off", "v4in4", "sysctl -w net.ipv4.conf.lb0.forwarding=1"),
    },
    Breakage {
        what: "no route to clients",
        breaks: &["route del default"],
        mends: &["route add default via 10.4.0.1 mtu 1500"],
        says: ("error", "return_route_missing", "host", "ip -4 route add default"),
    },
    Breakage {
        what: "segments that do not fit a tunnel",
        breaks: &["link set lb0 mtu 1500"],
        mends: &[
            FIX,
            "link set lb0 mtu 1600",
            "route replace default via 10.4.0.1 mtu 1500",
            "-6 route replace default via fd00:4::1 mtu 1500",
        ],
        says: ("warning", "advmss_missing", "host", "advmss 1420"),
    },
    Breakage {
        what: "ARP answers for a VIP",
        breaks: &["address add 192.0.2.1/24 dev lb0"],
        mends: &[FIX, "!sysctl -qw net.ipv4.conf.lb0.arp_ignore=0", "address del 192.0.2.1/24 dev lb0"],
        says: ("warning", "arp_answers_for_vip", "lb0", "sysctl -w net.ipv4.conf.lb0.arp_ignore=1"),
    },
];

#[test]
fn while_everything_runs() {
    require_root!();
    let deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let lab = &deployment.lab;
    let of = |daemon: &Daemon| daemon.config_path().to_owned();
    let pop = Patient { namespace: &lab.site().pop, config: of(deployment.pop()) };
    let gateway = Patient { namespace: &lab.home, config: of(&deployment.gateway) };
    pop.is_well("health of the PoP");
    gateway.is_well("health of the gateway");
    for breakage in &ON_POP {
        pop.suffers(breakage);
    }
    for breakage in &ON_GATEWAY {
        gateway.suffers(breakage);
    }

    // Another mount namespace, as `ip netns exec` makes one.
    let wrapper = ["unshare", "--mount", "sh", "-c", "umount -l /sys/fs/bpf; exec \"$0\" \"$@\""];
    let diagnosis = examine_within(pop.namespace, &wrapper, &pop.config).unwrap();
    says("no bpffs", &diagnosis, ("error", "bpffs_missing", "host", "mount -t bpf bpf /sys/fs/bpf"));
}

#[test]
fn while_daemons_stop_and_change() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let lab = &deployment.lab;
    let pop_config = pop_config(lab);
    let gateway_config = gateway_config(lab);
    let pop = Patient { namespace: &lab.site().pop, config: deployment.pop().config_path().to_owned() };
    let gateway = Patient { namespace: &lab.home, config: deployment.gateway.config_path().to_owned() };
    let daemon = &mut deployment.pops[0];
    let instance = daemon.instance().to_owned();

    let more = pop_config.clone().vip("more", "192.0.2.99".parse().unwrap(), MIXES[0].name);
    daemon.write_config(more.text()).unwrap();
    says(
        "file that was not applied",
        &pop.examine(),
        ("warning", "config_not_applied", &instance, "systemctl restart anycast-xdp"),
    );
    let generic = pop_config.text().replacen("attach = \"native\"", "attach = \"generic\"", 1);
    daemon.write_config(&generic).unwrap();
    daemon.stop().unwrap();
    says("daemon stopped", &pop.examine(), ("warning", "daemon_not_running", &instance, "systemctl start anycast-xdp"));
    daemon.resume().unwrap();
    says("generic mode", &pop.examine(), ("warning", "xdp_generic", "in0", "write attach = \"auto\""));
    daemon.stop().unwrap();
    daemon.write_config(pop_config.text()).unwrap();
    daemon.resume().unwrap();
    pop.is_well("health after generic mode");

    // The router has another MAC, and nobody follows.
    daemon.kill().unwrap();
    lab.routers[0].ip("link set rt_pop0 address 02:00:00:00:00:99").unwrap();
    lab.site().pop.ip("neigh replace 10.3.0.1 dev bb0 lladdr 02:00:00:00:00:99 nud reachable").unwrap();
    let diagnosis = pop.examine();
    says("router replaced", &diagnosis, ("error", "next_hops_outdated", "10.4.0.2", "systemctl start anycast-xdp"));
    says(
        "next hop that nobody keeps resolved",
        &diagnosis,
        ("warning", "neighbour_unmanaged", "bb0", "ip neigh replace 10.3.0.1 dev bb0 managed"),
    );
    daemon.resume().unwrap();
    pop.is_well("health after the router was replaced");

    // The router does not answer any more, or the kernel would find it again at once.
    lab.routers[0].ip("link set rt_pop0 arp off").unwrap();
    pop.run(&["neigh replace 10.3.0.1 dev bb0 nud failed"]);
    says("router down", &pop.examine(), ("error", "neighbour_unresolved", "bb0", "ping -c 1 -I bb0 10.3.0.1"));
    lab.routers[0].ip("link set rt_pop0 arp on").unwrap();
    pop.is_well("health after the router came back");

    // The gateway does not know the PoP: what the client sends is dropped there, and counted.
    let source = lab.site().tunnel_source(Family::V4).to_string();
    let strangers = gateway_config.text().replace(&format!("{source}/32"), "10.99.0.0/16");
    deployment.gateway.write_config(&strangers).unwrap();
    deployment.gateway.stop().unwrap();
    deployment.gateway.resume().unwrap();
    let mut ping = lab.site().client.command("ping");
    let mut ping = ping.args(["-i", "0.2", "-q", "192.0.2.44"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let diagnosis = gateway.examine();
    ping.kill().unwrap();
    ping.wait().unwrap();
    says(
        "PoP not allowed",
        &diagnosis,
        ("error", "packets_dropped", "source_not_allowed", "`allowed_sources` in [gateway]"),
    );
}
