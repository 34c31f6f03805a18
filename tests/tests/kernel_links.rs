//! The PoP's backbone leaves by a VLAN device, and by a bond.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::time::Duration;

use anycast_tests::{
    lab::{
        Lab, Namespace, Topology,
        client::{Curl, PingReport, ping},
        daemon::{Daemon, PopConfig},
        deployment::{MIXES, Mix},
        link::{End, LinkSpec},
        server::{Nginx, SMALL_FILE},
        topology::BACKBONE_MTU_BYTES,
        wait::wait_for,
    },
    require_devices, require_root,
};

/// A machine without hardware virtualisation takes its time.
const LIMIT: Duration = Duration::from_mins(1);

/// A lab whose home host has an own tunnel device in each family, so that nothing but the PoP is ours.
struct Scene {
    pop: Daemon,
    _nginx: Nginx,
    lab: Lab,
}

/// Each family mix once is enough: what differs here is the link.
const USED: [Mix; 2] = [MIXES[0], MIXES[3]];

const TUNNELS: [&str; 4] = [
    "link add tunnel4 type ipip local 10.4.0.2",
    "link add tunnel6 type ip6tnl mode ip6ip6 local fd00:4::2",
    "link set tunnel4 up",
    "link set tunnel6 up",
];

impl Scene {
    /// Starts the daemon, whose backbone interface has this name.
    fn new(lab: Lab, backbone: &str) -> Self {
        for line in TUNNELS {
            lab.home.ip(line).unwrap();
        }
        let mut config = PopConfig::new(&lab, lab.site(), "pop0");
        for mix in USED {
            lab.home.add_loopback_address(mix.vip).unwrap();
            config = config.pool(mix.name, &[lab.home_address(mix.outer)]).vip(mix.name, mix.vip, mix.name);
        }
        let text = config.text().replace("\"bb0\"", &format!("{backbone:?}"));
        let pop = Daemon::start(&lab.site().pop, &lab.scratch, config.instance(), &text).unwrap();
        let nginx = Nginx::start(&lab.home, lab.scratch.path(), &USED.map(|mix| mix.vip)).unwrap();
        Self { pop, _nginx: nginx, lab }
    }

    fn carries_real_traffic(&self) {
        let client = &self.lab.site().client;
        let file = self.lab.scratch.write("upload", vec![b'u'; 1_000_000]).unwrap();
        for mix in USED {
            // The second fills a packet of 1500 bytes.
            for payload_bytes in [56, if mix.vip.is_ipv4() { 1472 } else { 1452 }] {
                let report = ping(client, mix.vip, 5, payload_bytes).unwrap();
                assert_eq!(report, PingReport { sent: 5, received: 5 }, "{mix:?}");
            }
            let curl = Curl::new(client).limit(LIMIT);
            let small = curl.get(mix.vip, "/").unwrap();
            assert_eq!((small.http_code, small.size_download), (200, SMALL_FILE.len() as u64), "{mix:?}");
            let put = curl.put(&file, mix.vip, &format!("/upload/{}", mix.name)).unwrap();
            // 204: the file was there.
            assert!(matches!(put.http_code, 201 | 204) && put.size_upload == 1_000_000, "{mix:?}: {put:?}");
        }
        let stats = self.pop.stats().unwrap();
        stats.assert_law();
        for mix in USED {
            assert!(stats.vip_packets(mix.name, "forwarded") >= 700, "{mix:?}: {stats:?}");
            assert_eq!(stats.vip_packets(mix.name, "dropped"), 0, "{mix:?}");
        }
    }
}

/// Gives an interface of the backbone's network, `host` in it, and the PoP the routes that it had.
fn address(namespace: &Namespace, interface: &str, host: u8) {
    namespace.ip(&format!("addr add 10.3.0.{host}/24 dev {interface}")).unwrap();
    namespace.ip(&format!("addr add fd00:3::{host}/64 dev {interface} nodad")).unwrap();
    namespace.ip(&format!("link set {interface} up")).unwrap();
}

fn routes(pop: &Namespace) {
    pop.ip("route replace 10.4.0.0/16 via 10.3.0.1").unwrap();
    pop.ip("route replace fd00:4::/32 via fd00:3::1").unwrap();
}

#[test]
fn backbone_by_a_vlan_device_carries_real_traffic() {
    require_root!();
    require_devices!(&TUNNELS);
    require_devices!(&["link add bb0 type veth peer rt0", "link add link bb0 name bb0.100 type vlan id 100"]);
    let lab = Topology::pop_and_home().build().unwrap();
    for (namespace, parent, host) in [(&*lab.site().pop, "bb0", 2), (&lab.routers[0], "rt_pop0", 1)] {
        namespace.ip(&format!("addr flush dev {parent}")).unwrap();
        namespace.ip(&format!("link add link {parent} name {parent}.100 type vlan id 100")).unwrap();
        address(namespace, &format!("{parent}.100"), host);
    }
    routes(&lab.site().pop);
    let scene = Scene::new(lab, "bb0");
    scene.carries_real_traffic();
}

#[test]
fn backbone_by_a_bond_carries_real_traffic_also_after_a_port_was_lost() {
    require_root!();
    require_devices!(&TUNNELS);
    require_devices!(&["link add bond0 type bond mode active-backup"]);
    let lab = Topology::pop_and_home().build().unwrap();
    let (pop, router) = (&lab.site().pop, &lab.routers[0]);
    let second = LinkSpec::new(End::new(pop, "bb1", []), End::new(router, "rt_pop1", []));
    let _second = second.mtu(BACKBONE_MTU_BYTES).xdp_at_first().create().unwrap();
    // At the router a bridge takes both ports.
    router.ip("addr flush dev rt_pop0").unwrap();
    router.ip("link add bridge0 type bridge").unwrap();
    for port in ["rt_pop0", "rt_pop1"] {
        router.ip(&format!("link set {port} master bridge0")).unwrap();
    }
    address(router, "bridge0", 1);
    pop.ip("addr flush dev bb0").unwrap();
    pop.ip("link add bond0 type bond mode active-backup miimon 20").unwrap();
    for port in ["bb0", "bb1"] {
        pop.ip(&format!("link set {port} down")).unwrap();
        pop.ip(&format!("link set {port} master bond0")).unwrap();
    }
    pop.ip(&format!("link set bond0 mtu {BACKBONE_MTU_BYTES}")).unwrap();
    address(pop, "bond0", 2);
    routes(pop);
    let scene = Scene::new(lab, "bond0");
    scene.carries_real_traffic();

    scene.lab.routers[0].ip("link set rt_pop0 down").unwrap();
    wait_for("ping by the second port", Duration::from_secs(20), || {
        let report = ping(&scene.lab.site().client, USED[0].vip, 1, 56).unwrap();
        (report.received == 1).then_some(())
    })
    .unwrap();
    scene.carries_real_traffic();
}
