//! Long-lived connections while backends and pools come, go and drain, and while traffic moves between PoPs.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anycast_tests::{
    lab::{
        Lab, Topology,
        client::Connections,
        daemon::{Daemon, GatewayConfig, PopConfig},
        server::TcpEcho,
        topology::{Family, VIP_V4},
        wait::wait_for,
    },
    require_root,
};

const PORT: u16 = 7000;
const CONNECTIONS: usize = 500;
/// So many new connections reach every backend but with odds of 20 × 0.95^200: one in 1400.
const NEW_CONNECTIONS: usize = 200;
/// The daemon waits this long before flows go back to a better pool, and a little more.
const FAIL_BACK_LIMIT: Duration = Duration::from_secs(8);

/// PoPs, and home hosts that are gateways and echo servers, each with its number.
// Field order is drop order: daemons before the namespaces that they are in.
struct World {
    pops: Vec<Daemon>,
    _gateways: Vec<Daemon>,
    _servers: Vec<TcpEcho>,
    lab: Lab,
}

impl World {
    fn new(topology: Topology, services: impl Fn(PopConfig, &Lab) -> PopConfig) -> Self {
        let lab = topology.build().unwrap();
        let mut gateways = Vec::new();
        let mut servers = Vec::new();
        for (home, number) in lab.homes().zip(0..) {
            let config = GatewayConfig::of_home(&lab, number, home)
                .vip("echo", VIP_V4)
                .and("[limits]\nvips = 1\nslots = 2\ntransitions = 1\n");
            gateways.push(Daemon::start(home, &lab.scratch, config.instance(), config.text()).unwrap());
            servers.push(TcpEcho::start(home, VIP_V4, PORT, number).unwrap());
        }
        let mut pops = Vec::new();
        for (number, site) in lab.sites.iter().enumerate() {
            let config = services(pop(&lab, number), &lab);
            pops.push(Daemon::start(&site.pop, &lab.scratch, config.instance(), config.text()).unwrap());
        }
        Self { pops, _gateways: gateways, _servers: servers, lab }
    }

    fn open(&self, count: usize) -> Connections {
        Connections::open(&self.lab.sites[0].client, server(), count).unwrap()
    }

    /// The binding that the daemon of the first PoP shows.
    fn binding(&self) -> (String, String) {
        let status = self.pops[0].status().unwrap();
        let text = |key: &str| status["bindings"][0][key].as_str().unwrap_or_default().to_owned();
        (text("active"), text("reason"))
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

/// A VIP on one pool of `homes` backends, one of them in another state than up.
fn one_pool(config: PopConfig, lab: &Lab, homes: u8, odd: Option<(u8, &'static str)>) -> PopConfig {
    let state = |home| odd.filter(|(odd, _)| *odd == home).map_or("up", |(_, state)| state);
    let backends: Vec<_> = (0..homes).map(|home| (address(lab, home), state(home))).collect();
    config.pool_in_states("home", &backends).vip_with_listeners("echo", VIP_V4, &["tcp/7000"], "home")
}

#[test]
fn backend_that_goes_down_and_comes_back_breaks_no_connection_of_the_others() {
    const LOST: u8 = 7;
    require_root!();
    let world = World::new(Topology::pop_and_home().homes(20), |config, lab| one_pool(config, lab, 20, None));
    let old = world.open(CONNECTIONS);
    assert_eq!(old.servers.iter().collect::<BTreeSet<_>>().len(), 20, "every backend has some");
    old.use_for(3).unwrap();

    let down = one_pool(pop(&world.lab, 0), &world.lab, 20, Some((LOST, "down")));
    world.pops[0].reload(down.text()).unwrap();
    let new = world.open(NEW_CONNECTIONS);
    assert!(!new.servers.contains(&LOST));
    new.use_for(3).unwrap();

    let up = one_pool(pop(&world.lab, 0), &world.lab, 20, None);
    world.pops[0].reload(up.text()).unwrap();
    new.use_for(10).unwrap();
    let back = world.open(NEW_CONNECTIONS);
    assert!(back.servers.contains(&LOST));
    back.use_for(3).unwrap();

    let (old, new, back) = (old.stop().unwrap(), new.stop().unwrap(), back.stop().unwrap());
    let of_lost = (0..CONNECTIONS).filter(|at| old.servers[*at] == LOST).count();
    println!("of {CONNECTIONS} connections {} broke, {of_lost} of them were on the lost backend", old.broken.len());
    assert_eq!(old.broken_beside(&[LOST]), 0, "{:?}", old.broken);
    // Those that began while it was down, too, although their slots are its own again.
    assert_eq!((new.broken, back.broken), (vec![], vec![]));
}

#[test]
fn backend_that_drains_keeps_its_connections_and_gets_no_new_ones() {
    const DRAINED: u8 = 3;
    require_root!();
    let world = World::new(Topology::pop_and_home().homes(20), |config, lab| one_pool(config, lab, 20, None));
    let old = world.open(CONNECTIONS);
    assert!(old.servers.contains(&DRAINED));

    let drain = one_pool(pop(&world.lab, 0), &world.lab, 20, Some((DRAINED, "drain")));
    world.pops[0].reload(drain.text()).unwrap();
    let new = world.open(NEW_CONNECTIONS);
    assert!(!new.servers.contains(&DRAINED), "a draining backend gets nothing new");
    old.use_for(10).unwrap();
    new.use_for(10).unwrap();
    let transitions = world.pops[0].status().unwrap();
    assert_eq!(transitions["bindings"][0]["in_transition"], true, "{transitions}");

    // Taken back, with connections of both kinds there.
    let up = one_pool(pop(&world.lab, 0), &world.lab, 20, None);
    world.pops[0].reload(up.text()).unwrap();
    let back = world.open(NEW_CONNECTIONS);
    assert!(back.servers.contains(&DRAINED));
    for connections in [&old, &new, &back] {
        connections.use_for(10).unwrap();
    }
    for connections in [old, new, back] {
        assert_eq!(connections.stop().unwrap().broken, []);
    }
}

#[test]
fn transition_ends_after_its_time_and_leaves_nothing_behind() {
    require_root!();
    let grown = |config, lab: &Lab, homes| one_pool(config, lab, homes, None).and("[transition]\nsecs = 2\n");
    let world = World::new(Topology::pop_and_home().homes(3), |config, lab| grown(config, lab, 2));
    let old = world.open(100);
    world.pops[0].reload(grown(pop(&world.lab, 0), &world.lab, 3).text()).unwrap();
    let new = world.open(100);
    assert!(new.servers.contains(&2));
    old.use_for(5).unwrap();
    let used = |table: &str| {
        let status = world.pops[0].status().unwrap();
        let tables = status["tables"].as_array().unwrap();
        tables.iter().find(|row| row["name"] == table).unwrap()["used"].as_u64().unwrap()
    };
    assert!(used("transitions") > 0 && used("slots") == 2 * 2039);
    let is_over = || (used("transitions") == 0 && used("slots") == 2039).then_some(());
    wait_for("end of the transition", Duration::from_secs(6), is_over).unwrap();
    // Until then nothing broke; what was not where new flows go does now.
    let (old, new) = (old.stop().unwrap(), new.stop().unwrap());
    assert_eq!(new.broken, []);
    println!("of 100 connections that were there {} outlived the transition", 100 - old.broken.len());
}

#[test]
fn pool_whose_backends_lose_their_routes_is_replaced_and_comes_back() {
    require_root!();
    let world = World::new(Topology::pop_and_home().homes(4), |config, lab| {
        let backends = |homes: [u8; 2]| homes.map(|home| address(lab, home));
        let config = config.pool("near", &backends([1, 2])).pool("far", &backends([0, 3]));
        let listening = config.vip_with_listeners("echo", VIP_V4, &["tcp/7000"], "near");
        listening.and("fallback_pools = [\"far\"]\n")
    });
    let near = world.open(50);
    assert!(near.servers.iter().all(|server| [1, 2].contains(server)));
    near.use_for(1).unwrap();
    assert_eq!(near.stop().unwrap().broken, []);
    assert_eq!(world.binding(), ("near".to_owned(), String::new()));

    let pop = &world.lab.site().pop;
    for home in [1, 2] {
        pop.ip(&format!("route add unreachable 10.4.{}.0/24", 100 + home)).unwrap();
    }
    let on_far = || (world.binding().0 == "far").then_some(());
    wait_for("fall-back", Duration::from_secs(1), on_far).unwrap();
    assert_eq!(world.binding().1, "near has no backend with a way");
    let far = world.open(100);
    assert!(far.servers.iter().all(|server| [0, 3].contains(server)));

    for home in [1, 2] {
        pop.ip(&format!("route del unreachable 10.4.{}.0/24", 100 + home)).unwrap();
    }
    wait_for("reason", Duration::from_secs(1), || world.binding().1.contains("usable again").then_some(())).unwrap();
    let on_near = || (world.binding().0 == "near").then_some(());
    wait_for("return to the first pool", FAIL_BACK_LIMIT, on_near).unwrap();
    let near = world.open(50);
    assert!(near.servers.iter().all(|server| [1, 2].contains(server)));
    far.use_for(10).unwrap();
    near.use_for(3).unwrap();
    // What began on the fall-back stays there.
    assert_eq!((far.stop().unwrap().broken, near.stop().unwrap().broken), (vec![], vec![]));
}

#[test]
fn pool_that_drains_keeps_its_connections_beside_the_fall_back() {
    require_root!();
    let services = |config: PopConfig, lab: &Lab, state: &str| {
        let config = config.pool("near", &[address(lab, 0)]).and("");
        let config = config.pool("far", &[address(lab, 1)]);
        let listening = config.vip_with_listeners("echo", VIP_V4, &["tcp/7000"], "near");
        let text = listening.text().replace("name = \"near\"", &format!("name = \"near\"\nstate = \"{state}\""));
        (listening.and("fallback_pools = [\"far\"]\n"), text + "fallback_pools = [\"far\"]\n")
    };
    let world = World::new(Topology::pop_and_home().homes(2), |config, lab| services(config, lab, "up").0);
    let old = world.open(100);
    assert!(old.servers.iter().all(|server| *server == 0));
    world.pops[0].reload(&services(pop(&world.lab, 0), &world.lab, "drain").1).unwrap();
    let new = world.open(100);
    assert!(new.servers.iter().all(|server| *server == 1));
    old.use_for(10).unwrap();
    new.use_for(10).unwrap();
    assert_eq!(world.binding(), ("far".to_owned(), "near drains".to_owned()));
    assert_eq!((old.stop().unwrap().broken, new.stop().unwrap().broken), (vec![], vec![]));
}

#[test]
fn connections_that_move_to_another_pop_stay_with_their_backends() {
    require_root!();
    let world = World::new(Topology::two_pops_and_home().homes(5), |config, lab| one_pool(config, lab, 5, None));
    let connections = world.open(CONNECTIONS);
    connections.use_for(3).unwrap();
    let forwarded = |pop: usize| world.pops[pop].stats().unwrap().vip_packets("echo", "forwarded");
    assert_eq!(forwarded(1), 0);

    // The transit of the first site loses its PoP, and knows the way to the other one's.
    let (lab, router) = (&world.lab, &world.lab.routers[0]);
    router.ip("route add 192.0.2.0/24 via 10.5.10.1").unwrap();
    lab.sites[0].transit.ip("route replace 192.0.2.0/24 via 10.5.0.2").unwrap();
    connections.use_for(10).unwrap();
    let before = forwarded(0);
    connections.use_for(5).unwrap();
    assert_eq!(forwarded(0), before, "the first PoP forwards still");
    assert!(forwarded(1) >= 10 * CONNECTIONS as u64, "the second PoP forwarded {} packets only", forwarded(1));
    let report = connections.stop().unwrap();
    println!("of {CONNECTIONS} connections {} broke, in {} rounds", report.broken.len(), report.rounds);
    assert_eq!(report.broken, []);
}
