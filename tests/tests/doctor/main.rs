//! A lab that works, broken in one way after another: the doctor names each breakage, and the fix.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod breakages;
mod patient;

use std::time::Duration;

use anycast_tests::{
    lab::{
        Lab, Topology,
        daemon::{Daemon, GatewayConfig, PopConfig},
        deployment::{Deployment, MIXES},
        doctor::{examine, examine_within},
        link::{End, LinkSpec},
        topology::Family,
        xdp_pass::PassProgram,
    },
    require_root,
};

use self::{
    breakages::{ON_GATEWAY, ON_POP},
    patient::{Breakage, FIX, Patient, says},
};

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
fn what_is_missing_before_the_first_start_is_named_with_its_fix() {
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
    // Programs and driver take frames of several buffers.
    two.run(&["link set bb9 mtu 9000"]);
    let codes: Vec<_> = two.examine().findings().map(|finding| finding["code"].clone()).collect();
    assert!(!codes.iter().any(|code| code == "mtu_needs_frags"), "{codes:?}");
    two.is_well("health with a jumbo MTU");
}

#[test]
fn each_breakage_of_what_runs_is_named_with_its_fix() {
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
fn what_stopped_and_changed_daemons_leave_is_named_with_its_fix() {
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
