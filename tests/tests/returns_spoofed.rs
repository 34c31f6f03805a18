//! What is forged gets through in no direction, and is counted.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{net::IpAddr, time::Duration};

use anycast_tests::{
    lab::{
        Namespace, Topology,
        capture::Capture,
        client::ping,
        daemon::{Daemon, GatewayConfig, PopConfig, Stats},
        deployment::{Deployment, MIXES},
        returns::GRE_KEYED,
        topology::Family,
        wait::wait_for,
    },
    live::raw,
    packet::Packet,
    require_root,
};

/// A host on the client's side that nobody asked for anything.
const STRANGER: &str = "198.51.100.9";

fn deploy() -> Deployment {
    let keys = |config: GatewayConfig| config.gateway_lines("gre_keys = [7, 305419896]\n");
    Deployment::returning(Topology::pop_and_home(), GRE_KEYED, |config: PopConfig| config, keys).unwrap()
}

/// The GRE key of both ends.
const KEY: Option<u32> = Some(305_419_896);

/// A deployment in which a client was answered, so that everybody knows their neighbours; and who is where in it.
struct Scene {
    deployment: Deployment,
    client: IpAddr,
    pop: IpAddr,
    gateway: IpAddr,
    vip: IpAddr,
}

impl Scene {
    fn new() -> Self {
        let deployment = deploy();
        let (lab, site, vip) = (&deployment.lab, deployment.lab.site(), MIXES[0].vip);
        assert_eq!(ping(&site.client, vip, 2, 56).unwrap().received, 2);
        let (pop, gateway) = (site.tunnel_source(Family::V4), lab.home_address(Family::V4));
        Self { client: site.client_address(Family::V4), pop, gateway, vip, deployment }
    }
}

/// Waits until a counter of the daemon is one more than before `act`.
fn counts_once(daemon: &Daemon, what: &str, count: impl Fn(&Stats) -> u64, act: impl FnOnce()) {
    let before = count(&daemon.stats().unwrap());
    act();
    let limit = Duration::from_secs(2);
    wait_for(what, limit, || (count(&daemon.stats().unwrap()) == before + 1).then_some(())).unwrap();
}

/// Bytes of the MAC of an interface.
fn mac(namespace: &Namespace, interface: &str) -> [u8; 6] {
    let text = namespace.ip(&format!("-json link show {interface}")).unwrap();
    let link: serde_json::Value = serde_json::from_str(&text).unwrap();
    let text = link[0]["address"].as_str().unwrap().to_owned();
    let bytes: Vec<u8> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

/// An answer of `source` to the client, as its IP packet.
fn answer(source: impl Into<IpAddr>, client: IpAddr) -> Vec<u8> {
    Packet::between(source, client).udp(5000, 5000).payload(b"forged").build_ip()
}

/// GRE with a key, its header written by hand.
fn gre(from: IpAddr, to: IpAddr, key: Option<u32>, inner: &[u8]) -> Packet {
    let mut payload = match key {
        Some(key) => [&[0x20, 0, 8, 0][..], &key.to_be_bytes()].concat(),
        None => vec![0, 0, 8, 0],
    };
    payload.extend_from_slice(inner);
    Packet::between(from, to).protocol(47).payload(payload)
}

#[test]
fn forged_answers_do_not_reach_the_client() {
    require_root!();
    let Scene { deployment, client, pop, gateway, vip } = Scene::new();
    let (lab, site) = (&deployment.lab, deployment.lab.site());
    let router = &lab.routers[0];
    let to_pop = |packet: Packet| packet.ethernet(mac(&site.pop, "bb0"), mac(router, "rt_pop0")).build();
    let returned = |stats: &Stats| stats.vip_returned_packets("v4in4");

    // The genuine one does, or the rest would show nothing.
    let path = lab.scratch.path().join("client.pcap");
    let capture = Capture::start(&site.client, "cl0", &path).unwrap();
    counts_once(deployment.pop(), "the genuine answer", returned, || {
        raw::send(router, "rt_pop0", 0, &[to_pop(gre(gateway, pop, KEY, &answer(vip, client)))], 1).unwrap();
    });

    let stranger: IpAddr = STRANGER.parse().unwrap();
    let in_tunnel = gre(gateway, pop, KEY, &answer(vip, client)).build_ip();
    let rows = [
        (
            "an outer source that is no backend",
            gre("10.4.0.99".parse().unwrap(), pop, KEY, &answer(vip, client)),
            "not_returner",
        ),
        ("another key", gre(gateway, pop, Some(7), &answer(vip, client)), "not_returner"),
        ("no key", gre(gateway, pop, None, &answer(vip, client)), "not_returner"),
        (
            "another tunnel",
            Packet::between(gateway, pop).as_outer().encapsulating(&answer(vip, client)),
            "not_returner",
        ),
        ("a VIP of another pool's gateway", gre(gateway, pop, KEY, &answer(MIXES[1].vip, client)), "not_returner"),
        ("an inner source that is no VIP", gre(gateway, pop, KEY, &answer(stranger, client)), "return_not_vip"),
        ("a tunnel in a tunnel", gre(gateway, pop, KEY, &in_tunnel), "nested_tunnel"),
        ("an answer for the backbone", gre(gateway, pop, KEY, &answer(vip, gateway)), "no_return_route"),
    ];
    for (what, packet, label) in rows {
        let before = returned(&deployment.pop().stats().unwrap());
        counts_once(
            deployment.pop(),
            what,
            |stats| stats.outcome_packets(label),
            || {
                raw::send(router, "rt_pop0", 0, &[to_pop(packet)], 1).unwrap();
            },
        );
        assert_eq!(returned(&deployment.pop().stats().unwrap()), before, "{what}");
    }
    // From the public side nothing is an answer, whoever it says that it is from.
    let forged = gre(gateway, pop, KEY, &answer(vip, client));
    let forged = forged.ethernet(mac(&site.pop, "in0"), mac(&site.transit, "tr_pop0")).build();
    let before = deployment.pop().stats().unwrap();
    raw::send(&site.transit, "tr_pop0", 0, &[forged], 1).unwrap();
    wait_for("what comes from the public side", Duration::from_secs(2), || {
        let now = deployment.pop().stats().unwrap();
        (now.outcome_packets("not_vip") > before.outcome_packets("not_vip")).then_some(())
    })
    .unwrap();
    let captured = capture.stop().unwrap();
    // The client tells the VIP that nobody listens, and quotes it.
    assert_eq!(
        captured.count("!icmp && udp.port == 5000 && udp.payload contains \"forged\"").unwrap(),
        1,
        "the genuine one only"
    );
}

#[test]
fn forged_tunnels_do_not_reach_the_home_host() {
    require_root!();
    let Scene { deployment, client, pop, gateway, vip } = Scene::new();
    let (lab, site) = (&deployment.lab, deployment.lab.site());
    let router = &lab.routers[0];
    let question = |to: IpAddr| Packet::between(client, to).udp(5000, 5000).payload(b"forged").build_ip();
    let in_tunnel = gre(pop, gateway, KEY, &question(vip)).build_ip();
    let rows = [
        (
            "an outer source that is no PoP",
            gre(STRANGER.parse().unwrap(), gateway, KEY, &question(vip)),
            "source_not_allowed",
        ),
        ("an unknown key", gre(pop, gateway, Some(8), &question(vip)), "tunnel_key"),
        ("no key", gre(pop, gateway, None, &question(vip)), "tunnel_key"),
        (
            "an inner destination that is no VIP",
            gre(pop, gateway, KEY, &question(STRANGER.parse().unwrap())),
            "inner_not_vip",
        ),
        ("a tunnel in a tunnel", gre(pop, gateway, KEY, &in_tunnel), "nested_tunnel"),
    ];
    let decapsulated = || deployment.gateway.stats().unwrap().outcome_packets("decapsulated");
    let before_all = decapsulated();
    for (what, packet, label) in rows {
        let frame = packet.ethernet(mac(&lab.home, "lb0"), mac(router, "rt_home")).build();
        counts_once(
            &deployment.gateway,
            what,
            |stats| stats.outcome_packets(label),
            || {
                raw::send(router, "rt_home", 0, &[frame], 1).unwrap();
            },
        );
    }
    assert_eq!(decapsulated(), before_all);
    // Nor did the forged ones change where answers go.
    assert_eq!(ping(&site.client, vip, 2, 56).unwrap().received, 2);
}
