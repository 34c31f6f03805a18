//! Answers leave through the PoP that the client came in by: real traffic, every mix and encap, with no other way.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{convert::identity, net::SocketAddr, time::Duration};

use anycast_tests::{
    lab::{
        Topology,
        capture::Capture,
        client::{Curl, Iperf3, PingReport, download, ping, udp_round_trip, upload},
        counters::KernelCounters,
        daemon::{Daemon, GatewayConfig, PopConfig},
        deployment::{Deployment, MIXES, Mix},
        returns::{GRE, GRE_KEYED, GUE, THROUGH_POP},
        server::{Iperf3Server, LARGE_FILE_BYTES, Nginx, UdpEcho},
        topology::Family,
    },
    require_root,
};

#[test]
fn ipip_answers_return_through_the_pop() {
    require_root!();
    carries_real_traffic(&Deployment::returning(Topology::pop_and_home(), "", identity, identity).unwrap());
}

#[test]
fn gre_answers_return_through_the_pop() {
    require_root!();
    carries_real_traffic(&Deployment::returning(Topology::pop_and_home(), GRE, identity, identity).unwrap());
}

#[test]
fn gre_answers_with_a_key_return_through_the_pop() {
    require_root!();
    let keys = |config: GatewayConfig| config.gateway_lines("gre_keys = [7, 305419896]\n");
    carries_real_traffic(&Deployment::returning(Topology::pop_and_home(), GRE_KEYED, identity, keys).unwrap());
}

#[test]
fn gue_answers_return_through_the_pop() {
    require_root!();
    carries_real_traffic(&Deployment::returning(Topology::pop_and_home(), GUE, identity, identity).unwrap());
}

#[test]
fn answers_return_to_the_sources_that_flows_came_from() {
    require_root!();
    let (deployment, _) = Deployment::returning_to_many_sources(identity).unwrap();
    carries_real_traffic(&deployment);
}

#[test]
fn answers_return_through_an_interface_that_is_access_and_backbone() {
    require_root!();
    carries_real_traffic(&Deployment::returning(Topology::pop_and_home().one_armed(), "", identity, identity).unwrap());
}

#[test]
fn answers_return_over_two_routers_and_two_access_nics() {
    require_root!();
    let topology = Topology::pop_and_home().routers(2).access_nics(2);
    carries_real_traffic(&Deployment::returning(topology, "", identity, identity).unwrap());
}

fn carries_real_traffic(deployment: &Deployment) {
    let lab = &deployment.lab;
    if !lab.is_one_armed() {
        lab.cut_direct_way().unwrap();
    }
    let client = &lab.site().client;
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &Deployment::vips()).unwrap();
    let file = lab.scratch.write("upload", vec![b'u'; 2_000_000]).unwrap();
    let before = [client, &lab.home].map(|host| KernelCounters::read(host).unwrap());
    for mix in MIXES {
        // The first answer may be given to the PoP's stack, which finds the neighbour.
        assert_eq!(ping(client, mix.vip, 3, 56).unwrap(), PingReport { sent: 3, received: 3 }, "{mix:?}");
        let path = lab.scratch.path().join(format!("{}.pcap", mix.name));
        let capture = Capture::start(&lab.routers[0], "rt_home", &path).unwrap();
        let large = download(client, mix.vip, "/large").unwrap();
        assert_eq!((large.http_code, large.size_download), (200, LARGE_FILE_BYTES as u64), "{mix:?}");
        let put = upload(client, &file, mix.vip, &format!("/upload/{}", mix.name)).unwrap();
        assert_eq!((put.http_code, put.size_upload), (201, 2_000_000), "{mix:?}");
        let captured = capture.stop().unwrap();
        assert_eq!(captured.bad_checksums("ip || ipv6").unwrap(), Vec::<String>::new(), "{mix:?}");
        let full = if mix.vip.is_ipv4() { 1472 } else { 1452 };
        assert_eq!(ping(client, mix.vip, 3, full).unwrap(), PingReport { sent: 3, received: 3 }, "{mix:?}");
        let _echo = UdpEcho::start(&lab.home, mix.vip, 5000).unwrap();
        for payload_bytes in [0, 1, 1400, 4000] {
            udp_round_trip(client, SocketAddr::new(mix.vip, 5000), &vec![0xa5; payload_bytes]).unwrap();
        }
        iperf3(deployment, mix);
    }
    let after = [client, &lab.home].map(|host| KernelCounters::read(host).unwrap());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(after.checksum_errors() - before.checksum_errors(), 0);
    }
    accounts_for_everything(deployment);
}

fn iperf3(deployment: &Deployment, mix: Mix) {
    let lab = &deployment.lab;
    let client = &lab.site().client;
    let _server = Iperf3Server::start(&lab.home, lab.scratch.path(), mix.vip).unwrap();
    let up = Iperf3::new(client, mix.vip).rate("50M").bytes(6_000_000).run().unwrap();
    assert!(up.bytes > 5_000_000, "{mix:?}: {up:?}");
    let down = Iperf3::new(client, mix.vip).rate("50M").reverse().bytes(6_000_000).run().unwrap();
    assert!(down.bytes > 5_000_000, "{mix:?}: {down:?}");
}

/// What the gateway wrapped is what the PoP took and sent on.
fn accounts_for_everything(deployment: &Deployment) {
    let (pop, gateway) = (deployment.pop().stats().unwrap(), deployment.gateway.stats().unwrap());
    pop.assert_law();
    gateway.assert_law();
    for mix in MIXES {
        let wrapped = gateway.vip_returned_packets(mix.name);
        let by_host = pop.vip_return_outcome(mix.name, "returned_by_host");
        assert!(wrapped > 1000, "{mix:?}: {wrapped}");
        assert!(by_host <= 10, "{mix:?}: {by_host} answers through the PoP's stack");
        assert_eq!(pop.vip_returned_packets(mix.name) + by_host, wrapped, "{mix:?}");
        for reason in ["no_pop_direct", "no_pop", "return_direct", "next_hop_unresolved", "too_big"] {
            assert_eq!(gateway.vip_return_outcome(mix.name, reason), 0, "{mix:?}: {reason}");
        }
    }
    for reason in ["not_returner", "return_not_vip", "no_return_route"] {
        assert_eq!(pop.outcome_packets(reason), 0, "{reason}");
    }
}

/// The lab is honest: without the direct way, what goes directly stops.
#[test]
fn answers_that_go_directly_stop_with_the_direct_way() {
    require_root!();
    let deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let lab = &deployment.lab;
    for mix in MIXES {
        assert_eq!(ping(&lab.site().client, mix.vip, 2, 56).unwrap().received, 2, "{mix:?}");
    }
    lab.cut_direct_way().unwrap();
    for mix in MIXES {
        assert_eq!(ping(&lab.site().client, mix.vip, 2, 56).unwrap().received, 0, "{mix:?}");
    }
    let gateway = deployment.gateway.stats().unwrap();
    assert!(gateway.vip_return_outcome("v4in4", "return_direct") >= 4, "{}", gateway.vip("v4in4"));
}

/// A backbone that is too narrow and tells nobody: both ends send segments that fit, because their SYNs were told to.
#[test]
fn transfers_complete_over_a_narrow_backbone_that_says_nothing() {
    require_root!();
    let narrow = |config: GatewayConfig| config.gateway_lines("return_mtu_bytes = 1400\n");
    let silent = |config: PopConfig| config.allow_small_mtu();
    let deployment = Deployment::returning(Topology::pop_and_home(), "", silent, narrow).unwrap();
    let lab = &deployment.lab;
    lab.cut_direct_way().unwrap();
    // The router between has room for 1400 bytes on both sides, and its own packets, errors among them, go nowhere.
    let router = &lab.routers[0];
    for interface in ["rt_home", "rt_pop0"] {
        router.ip(&format!("link set {interface} mtu 1400")).unwrap();
    }
    for family in ["-4", "-6"] {
        router.ip(&format!("{family} rule add iif lo blackhole")).unwrap();
    }
    let client = &lab.site().client;
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &Deployment::vips()).unwrap();
    let file = lab.scratch.write("upload", vec![b'u'; 2_000_000]).unwrap();
    for mix in MIXES {
        let curl = Curl::new(client).limit(Duration::from_secs(20));
        let large = curl.get(mix.vip, "/large").unwrap();
        assert_eq!((large.http_code, large.size_download), (200, LARGE_FILE_BYTES as u64), "{mix:?}");
        let put = curl.put(&file, mix.vip, &format!("/upload/{}", mix.name)).unwrap();
        assert_eq!((put.http_code, put.size_upload), (201, 2_000_000), "{mix:?}");
    }
}

/// The way from the PoP to the client is narrower than the tunnel: the home host is told, in the tunnel.
#[test]
fn home_host_is_told_what_is_too_big_for_the_way_to_the_client() {
    require_root!();
    let deployment = Deployment::returning(Topology::pop_and_home(), GUE, identity, identity).unwrap();
    let lab = &deployment.lab;
    lab.cut_direct_way().unwrap();
    lab.site().pop.ip("link set in0 mtu 1300").unwrap();
    let client = &lab.site().client;
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &Deployment::vips()).unwrap();
    for mix in MIXES {
        let curl = Curl::new(client).limit(Duration::from_secs(20));
        let large = curl.get(mix.vip, "/large").unwrap();
        assert_eq!((large.http_code, large.size_download), (200, LARGE_FILE_BYTES as u64), "{mix:?}");
        let told = deployment.pop().stats().unwrap().vip_return_outcome(mix.name, "too_big_answered");
        assert!(told >= 1, "{mix:?}: nobody was told");
        // It remembers what it was told of the way to the client.
        for family in ["-4", "-6"] {
            lab.home.ip(&format!("{family} route flush cache")).unwrap();
        }
    }
}

/// Without a PoP that is known, a VIP's answers go directly or not at all, as it says.
#[test]
fn answers_without_a_known_pop_go_as_the_vip_says() {
    require_root!();
    let topology = Topology::pop_and_home();
    let lab = topology.build().unwrap();
    let (direct, dropped) = (MIXES[0].vip, MIXES[1].vip);
    for vip in [direct, dropped] {
        lab.home.add_loopback_address(vip).unwrap();
    }
    let config = GatewayConfig::new(&lab)
        .vip("direct", direct)
        .and(THROUGH_POP)
        .vip("dropped", dropped)
        .and(THROUGH_POP)
        .and("return_without_pop = \"drop\"\n");
    let gateway = Daemon::start(&lab.home, &lab.scratch, config.instance(), config.text()).unwrap();
    let client = lab.site().client_address(Family::V4);
    for vip in [direct, dropped] {
        // The client's answer would go to the PoP, where nothing takes it: what counts is what leaves.
        lab.home.run(&format!("ping -q -c 1 -W 1 -I {vip} {client}")).unwrap_err();
    }
    let stats = gateway.stats().unwrap();
    assert!(stats.vip_return_outcome("direct", "no_pop_direct") >= 1, "{}", stats.vip("direct"));
    assert!(stats.vip_return_outcome("dropped", "no_pop") >= 1, "{}", stats.vip("dropped"));
}
