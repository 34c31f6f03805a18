//! Answers follow their client from PoP to PoP, with everything that runs.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{convert::identity, net::SocketAddr, time::Duration};

use anycast_tests::{
    lab::{
        Topology,
        client::{Connections, Iperf3},
        deployment::{Deployment, MIXES},
        returns::GUE,
        server::{Iperf3Server, TcpEcho},
    },
    require_root,
};

const CONNECTIONS: usize = 500;
const PORT: u16 = 7000;

/// The second site is a way for the first site's client: transit and router know it.
fn know_the_second_pop(deployment: &Deployment) {
    let lab = &deployment.lab;
    lab.sites[1].transit.ip("route add 10.1.0.0/24 via 10.5.10.2").unwrap();
    lab.routers[0].ip("route add 192.0.2.0/24 via 10.5.10.1").unwrap();
}

fn returned(deployment: &Deployment, pop: usize) -> u64 {
    deployment.pops[pop].stats().unwrap().vip_returned_packets("v4in4")
}

/// A client that BGP moves to another PoP is answered through that one from its next packet on.
#[test]
fn download_goes_on_when_its_client_moves_to_another_pop() {
    require_root!();
    let deployment = Deployment::returning(Topology::two_pops_and_home(), "", identity, identity).unwrap();
    let lab = &deployment.lab;
    let site = &lab.sites[0];
    know_the_second_pop(&deployment);
    let returned = |pop| returned(&deployment, pop);
    let vip = MIXES[0].vip;
    let _server = Iperf3Server::start(&lab.home, lab.scratch.path(), vip).unwrap();
    let download = std::thread::scope(|scope| {
        let download = scope.spawn(|| Iperf3::new(&site.client, vip).rate("20M").reverse().secs(6).run().unwrap());
        std::thread::sleep(Duration::from_millis(1500));
        assert!(returned(0) > 100 && returned(1) == 0, "{} {}", returned(0), returned(1));
        site.transit.ip("route replace 192.0.2.0/24 via 10.5.0.2").unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let (old, new) = (returned(0), returned(1));
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(returned(0), old, "the first PoP returns still");
        assert!(returned(1) > new + 100, "{new} {}", returned(1));
        download.join().unwrap()
    });
    assert!(download.rate_bits_per_sec > 18e6, "{download:?}");
    let strays = deployment.gateway.stats().unwrap().vip_return_outcome("v4in4", "no_pop_direct");
    assert_eq!(strays, 0, "no answer went past both PoPs");
}

/// 500 connections live through it.
#[test]
fn connections_that_move_to_another_pop_are_answered_through_it() {
    require_root!();
    let deployment = Deployment::returning(Topology::two_pops_and_home(), "", identity, identity).unwrap();
    let (lab, vip) = (&deployment.lab, MIXES[0].vip);
    know_the_second_pop(&deployment);
    let _server = TcpEcho::start(&lab.home, vip, PORT, 0).unwrap();
    let connections = Connections::open(&lab.sites[0].client, SocketAddr::new(vip, PORT), CONNECTIONS).unwrap();
    connections.use_for(3).unwrap();
    assert_eq!(returned(&deployment, 1), 0);

    lab.sites[0].transit.ip("route replace 192.0.2.0/24 via 10.5.0.2").unwrap();
    connections.use_for(10).unwrap();
    let before = returned(&deployment, 0);
    connections.use_for(5).unwrap();
    assert_eq!(returned(&deployment, 0), before, "the first PoP returns still");
    assert!(returned(&deployment, 1) >= 10 * CONNECTIONS as u64, "{}", returned(&deployment, 1));
    let report = connections.stop().unwrap();
    println!("of {CONNECTIONS} connections {} broke, in {} rounds", report.broken.len(), report.rounds);
    assert_eq!(report.broken, []);
}

/// Two PoP hosts behind one router that spreads flows: each answer leaves through the host that a packet of its client came by
/// last, and either will do.
#[test]
fn two_hosts_behind_one_router_carry_ipip() {
    require_root!();
    spreads("");
}

#[test]
fn two_hosts_behind_one_router_carry_gue() {
    require_root!();
    spreads(GUE);
}

fn spreads(backend_lines: &str) {
    let deployment = Deployment::returning(Topology::two_pops_and_home(), backend_lines, identity, identity).unwrap();
    let (lab, vip) = (&deployment.lab, MIXES[0].vip);
    know_the_second_pop(&deployment);
    let site = &lab.sites[0];
    site.transit.run("sysctl -q net.ipv4.fib_multipath_hash_policy=1").unwrap();
    site.transit.ip("route replace 192.0.2.0/24 nexthop via 10.2.0.2 nexthop via 10.5.0.2").unwrap();
    let _server = Iperf3Server::start(&lab.home, lab.scratch.path(), vip).unwrap();
    for reverse in [false, true] {
        let iperf3 = Iperf3::new(&site.client, vip).rate("5M").parallel(8).secs(3);
        let run = if reverse { iperf3.reverse() } else { iperf3 }.run().unwrap();
        assert!(run.rate_bits_per_sec > 36e6, "{run:?}");
    }
    for pop in 0..2 {
        let stats = deployment.pops[pop].stats().unwrap();
        stats.assert_law();
        let (forwarded, returned) = (stats.vip_packets("v4in4", "forwarded"), stats.vip_returned_packets("v4in4"));
        assert!(forwarded > 500 && returned > 500, "host {pop}: {forwarded} there, {returned} back");
        for reason in ["not_returner", "return_not_vip", "no_return_route"] {
            assert_eq!(stats.outcome_packets(reason), 0, "{reason}");
        }
    }
}
