//! Flows between pools: where a route is lost, where the operator says so, and by the dials of pools. And the same backend from
//! two PoPs that do not hold the same ones down.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    net::{IpAddr, SocketAddr},
    ops::Range,
    time::Duration,
};

use anycast_tests::{
    lab::{
        Lab, Topology,
        client::{Connections, udp_servers},
        daemon::{Daemon, GatewayConfig, PopConfig, daemon_binary, other_abi_binary},
        server::{TcpEcho, UdpEcho},
        topology::{Family, VIP_V4},
        wait::wait_for,
    },
    require_root,
};
use serde_json::Value;

const PORT: u16 = 7000;
/// Each is a flow.
const PORTS: Range<u16> = 20_000..21_500;
/// The daemon waits this long before flows go back to a better pool, and a little more.
const FAIL_BACK_LIMIT: Duration = Duration::from_secs(8);

/// PoPs, and home hosts that are gateways and servers, each with its number.
// Field order is drop order: daemons before the namespaces that they are in.
struct World {
    pops: Vec<Daemon>,
    _gateways: Vec<Daemon>,
    _tcp: Vec<TcpEcho>,
    _udp: Vec<UdpEcho>,
    lab: Lab,
}

impl World {
    fn new(topology: Topology, services: impl Fn(PopConfig, &Lab, usize) -> PopConfig) -> Self {
        let lab = topology.build().unwrap();
        let (mut gateways, mut tcp, mut udp) = (Vec::new(), Vec::new(), Vec::new());
        for (home, number) in lab.homes().zip(0..) {
            let config = GatewayConfig::of_home(&lab, number, home)
                .vip("echo", VIP_V4)
                .and("[limits]\nvips = 1\nslots = 2\ntransitions = 1\n");
            gateways.push(Daemon::start(home, &lab.scratch, config.instance(), config.text()).unwrap());
            tcp.push(TcpEcho::start(home, VIP_V4, PORT, number).unwrap());
            udp.push(UdpEcho::numbered(home, VIP_V4, PORT, number).unwrap());
        }
        let mut pops = Vec::new();
        for (number, site) in lab.sites.iter().enumerate() {
            let config = services(pop(&lab, number), &lab, number);
            pops.push(Daemon::start(&site.pop, &lab.scratch, config.instance(), config.text()).unwrap());
        }
        Self { pops, _gateways: gateways, _tcp: tcp, _udp: udp, lab }
    }

    /// The server of each flow.
    fn servers(&self) -> Vec<u8> {
        udp_servers(&self.lab.sites[0].client, server(), PORTS).unwrap()
    }

    fn binding(&self) -> Value {
        self.pops[0].status().unwrap()["bindings"][0].clone()
    }

    fn active(&self) -> String {
        self.binding()["active"].as_str().unwrap_or_default().to_owned()
    }

    fn reload(&self, config: &PopConfig) {
        self.pops[0].reload(config.text()).unwrap();
    }

    /// Whether the first PoP has routes to these homes.
    fn set_routes(&self, homes: &[u8], are_there: bool) {
        let verb = if are_there { "del" } else { "add" };
        for home in homes {
            self.lab.site().pop.ip(&format!("route {verb} unreachable 10.4.{}.0/24", 100 + home)).unwrap();
        }
    }

    fn wait_for_active(&self, pool: &str, limit: Duration) {
        wait_for(&format!("{pool} to be active"), limit, || (self.active() == pool).then_some(())).unwrap();
    }
}

fn server() -> SocketAddr {
    SocketAddr::new(VIP_V4, PORT)
}

fn pop(lab: &Lab, number: usize) -> PopConfig {
    PopConfig::new(lab, &lab.sites[number], &format!("pop{number}"))
}

fn address(lab: &Lab, home: u8) -> IpAddr {
    lab.address_of_home(home, Family::V4)
}

const NEAR: [u8; 2] = [1, 2];
const FAR: [u8; 2] = [0, 3];

/// A VIP on `near`, with `far` behind it; `lines` are of the VIP.
fn near_and_far(config: PopConfig, lab: &Lab, dial_percent: u8, lines: &str) -> PopConfig {
    let backends = |homes: [u8; 2]| homes.map(|home| address(lab, home));
    let config = config.pool("far", &backends(FAR)).pool("near", &[]).and(&format!("dial_percent = {dial_percent}\n"));
    let near = backends(NEAR).map(|address| format!("\n[[pool.backend]]\naddress = \"{address}\"\n")).concat();
    let vip = config.and(&near).vip_with_listeners("echo", VIP_V4, &["tcp/7000", "udp/7000"], "near");
    vip.and("fallback_pools = [\"far\"]\n").and(lines)
}

fn is_near(server: u8) -> bool {
    NEAR.contains(&server)
}

#[test]
fn lost_route_fails_over_and_flows_go_back_when_the_operator_says_so() {
    require_root!();
    let mut world = World::new(Topology::pop_and_home().homes(4), |config, lab, _| {
        near_and_far(config, lab, 100, "failback = \"manual\"\n")
    });
    assert!(world.servers().into_iter().all(is_near));
    world.set_routes(&NEAR, false);
    world.wait_for_active("far", Duration::from_secs(1));
    assert!(!world.servers().into_iter().any(is_near));
    let far = Connections::open(&world.lab.sites[0].client, server(), 100).unwrap();

    world.set_routes(&NEAR, true);
    let waits = || world.binding()["reason"].as_str().unwrap_or_default().contains("`anycast-xdp pool failback near`");
    wait_for("word of the way back", Duration::from_secs(2), || waits().then_some(())).unwrap();
    // Neither time nor another process takes them back, not even one whose maps are laid out in another way.
    std::thread::sleep(FAIL_BACK_LIMIT);
    for binary in [daemon_binary(), other_abi_binary()] {
        world.pops[0].kill().unwrap();
        world.pops[0].set_binary(binary);
        world.pops[0].resume().unwrap();
        assert_eq!(world.active(), "far");
        assert!(!world.servers().into_iter().any(is_near));
    }

    let told = world.pops[0].run_cli(&["pool", "failback", "near", "--output", "json"]).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["moved"][0]["pools"], serde_json::json!(["near", "far"]), "{told}");
    assert!(world.servers().into_iter().all(is_near));
    assert_eq!(world.active(), "near");
    far.use_for(5).unwrap();
    assert_eq!(far.stop().unwrap().broken, [], "TCP flows of the fall-back stay");
    let again = world.pops[0].run_cli(&["pool", "failback", "near"]).unwrap();
    assert!(again.starts_with("nothing moved"), "{again}");
    let refused = world.pops[0].run_cli(&["pool", "failback", "nowhere"]).unwrap_err();
    assert!(format!("{refused:#}").contains("no pool nowhere"), "{refused:#}");
}

#[test]
fn lost_route_moves_nothing_where_only_the_operator_may_and_the_state_of_the_pool_does() {
    require_root!();
    let by_hand = |config: PopConfig, lab: &Lab| near_and_far(config, lab, 100, "failover = \"manual\"\n");
    let world = World::new(Topology::pop_and_home().homes(4), |config, lab, _| by_hand(config, lab));
    world.set_routes(&NEAR, false);
    let is_told = || world.binding()["reason"].as_str().unwrap_or_default().contains("near has no backend with a way");
    wait_for("word of the lost route", Duration::from_secs(2), || is_told().then_some(())).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(world.active(), "near");
    let down = by_hand(pop(&world.lab, 0), &world.lab);
    let down = down.text().replace("name = \"near\"\n", "name = \"near\"\nstate = \"down\"\n");
    world.pops[0].reload(&down).unwrap();
    assert_eq!(world.active(), "far");
    assert!(!world.servers().into_iter().any(is_near));
}

#[test]
fn dial_moves_its_share_of_flows_and_no_other_and_breaks_no_connection() {
    require_root!();
    let dialled = |lab: &Lab, percent| near_and_far(pop(lab, 0), lab, percent, "");
    let world = World::new(Topology::pop_and_home().homes(4), |config, lab, _| near_and_far(config, lab, 0, ""));
    let open = || Connections::open(&world.lab.sites[0].client, server(), 100).unwrap();
    let (mut connections, mut before) = (vec![open()], world.servers());
    assert!(!before.iter().copied().any(is_near), "a dial of 0 leaves all to the next pool");
    for percent in [10, 50, 100, 50, 0] {
        world.reload(&dialled(&world.lab, percent));
        let after = world.servers();
        let share = after.iter().filter(|server| is_near(**server)).count() * 100 / after.len();
        let moved: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
        println!("dial {percent} %: {share} % of {} flows on it, {} moved", after.len(), moved.len());
        // 1500 flows, of which 4 sigma are 5 %.
        assert!(share.abs_diff(usize::from(percent)) <= 5, "{share} %");
        let grows = before.iter().filter(|server| is_near(**server)).count()
            < after.iter().filter(|server| is_near(**server)).count();
        assert!(
            moved.iter().all(|(before, after)| is_near(**after) == grows && is_near(**before) != grows),
            "only the share moves"
        );
        connections.push(open());
        before = after;
    }
    let shares = world.binding()["shares"].clone();
    assert_eq!(shares, serde_json::json!([{ "pool": "far", "percent": 100.0 }]));
    for connections in &connections {
        connections.use_for(5).unwrap();
    }
    for connections in connections {
        assert_eq!(connections.stop().unwrap().broken, []);
    }
}

#[test]
fn flows_whose_backend_both_pops_hold_up_reach_it_from_both() {
    require_root!();
    let services = |config: PopConfig, lab: &Lab, odd: Option<u8>| {
        let state = |home| if odd == Some(home) { "down" } else { "up" };
        let backends: Vec<_> = (0..5).map(|home| (address(lab, home), state(home))).collect();
        config.pool_in_states("home", &backends).vip_with_listeners("echo", VIP_V4, &["udp/7000"], "home")
    };
    // Each PoP holds another one down.
    let world = World::new(Topology::two_pops_and_home().homes(5), |config, lab, number| {
        services(config, lab, if number == 0 { None } else { Some(2) })
    });
    let configured = world.servers();
    world.reload(&services(pop(&world.lab, 0), &world.lab, Some(1)));
    let first = world.servers();

    // The transit of the first site loses its PoP, and knows the way to the other one's.
    let (lab, router) = (&world.lab, &world.lab.routers[0]);
    router.ip("route add 192.0.2.0/24 via 10.5.10.1").unwrap();
    lab.sites[0].transit.ip("route replace 192.0.2.0/24 via 10.5.0.2").unwrap();
    let second = world.servers();
    let forwarded = world.pops[1].stats().unwrap().vip_packets("echo", "forwarded");
    assert!(forwarded >= second.len() as u64, "the second PoP forwarded {forwarded} packets only");

    let mut agreed = 0;
    for ((configured, first), second) in configured.iter().zip(&first).zip(&second) {
        match configured {
            1 => assert!(*first != 1 && *second == 1),
            2 => assert!(*first == 2 && *second != 2),
            _ => {
                assert_eq!((first, second), (configured, configured));
                agreed += 1;
            }
        }
    }
    println!("{agreed} of {} flows are of backends that both hold up, and reach them from both", configured.len());
    assert!(agreed > configured.len() / 2);
}
