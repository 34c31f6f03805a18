//! Real clients, real servers, every family mix, by redirect and by transmit.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::net::SocketAddr;

use anycast_tests::{
    lab::{
        Lab, Topology,
        client::{Iperf3, PingReport, download, ping, udp_round_trip, upload},
        counters::KernelCounters,
        deployment::{Deployment, MIXES, Mix},
        server::{Iperf3Server, LARGE_FILE_BYTES, Nginx, SMALL_FILE, UdpEcho},
        topology::FAMILIES,
    },
    require_root,
};

#[test]
fn every_mix_carries_real_traffic_by_xdp_redirect() {
    require_root!();
    carries_real_traffic(Topology::pop_and_home());
}

#[test]
fn every_mix_carries_real_traffic_by_xdp_tx() {
    require_root!();
    carries_real_traffic(Topology::pop_and_home().one_armed());
}

#[test]
fn every_mix_carries_real_traffic_over_two_routers_and_two_access_nics() {
    require_root!();
    carries_real_traffic(Topology::pop_and_home().routers(2).access_nics(2));
}

#[test]
fn two_pops_serve_their_clients_from_one_home_region() {
    require_root!();
    let deployment = Deployment::new(Topology::two_pops_and_home()).unwrap();
    let lab = &deployment.lab;
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &Deployment::vips()).unwrap();
    for (site, pop) in lab.sites.iter().zip(&deployment.pops) {
        for mix in MIXES {
            assert_eq!(download(&site.client, mix.vip, "/").unwrap().http_code, 200, "{mix:?}");
            assert!(pop.stats().unwrap().vip_packets(mix.name, "forwarded") >= 5, "{mix:?}");
        }
    }
}

#[test]
fn traffic_for_no_vip_passes_the_pop() {
    require_root!();
    let deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let site = deployment.lab.site();
    let _echo = UdpEcho::start(&site.pop, "10.2.0.2".parse().unwrap(), 7).unwrap();
    udp_round_trip(&site.client, "10.2.0.2:7".parse().unwrap(), b"to the host itself").unwrap();
    for address in ["10.2.0.2", "fd00:2::2", "10.4.0.2", "fd00:4::2"] {
        let report = ping(&site.client, address.parse().unwrap(), 3, 56).unwrap();
        assert_eq!(report, PingReport { sent: 3, received: 3 }, "{address}");
    }
    for mix in MIXES {
        assert_eq!(deployment.pop().stats().unwrap().vip_packets(mix.name, "received"), 0);
    }
}

fn carries_real_traffic(topology: Topology) {
    let deployment = Deployment::new(topology).unwrap();
    let lab = &deployment.lab;
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &Deployment::vips()).unwrap();
    let hosts = [&lab.site().client, &*lab.home];
    let before = hosts.map(|host| KernelCounters::read(host).unwrap());
    for mix in MIXES {
        http_ping_and_udp(&deployment, mix);
        iperf3(&deployment, mix);
    }
    let after = hosts.map(|host| KernelCounters::read(host).unwrap());
    account_for_everything(&deployment);
    // What was decapsulated came to the host's stack, all of it, and nothing was wrong with it. Segments that are sent again would
    // tell less: a busy machine acknowledges late and reorders, and TCP sends again what was never lost.
    let decapsulated = deployment.gateway.stats().unwrap().outcome_packets("decapsulated");
    let arrived = after[1].ip_packets_since(&before[1]);
    assert!(arrived >= decapsulated, "{arrived} packets came to the stack of {decapsulated} that were decapsulated");
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(after.checksum_errors(), 0);
        assert_eq!(after.refused_packets_since(before), 0);
    }
}

/// Frames that interfaces of the lab dropped for want of room.
fn interface_drops(lab: &Lab) -> u64 {
    let sites = lab.sites.iter().flat_map(|site| [&site.client, &site.transit, &*site.pop]);
    let all = sites.chain(&lab.routers).chain([&*lab.home]);
    all.map(|namespace| KernelCounters::interface_drops(namespace).unwrap()).sum()
}

fn http_ping_and_udp(deployment: &Deployment, mix: Mix) {
    let lab = &deployment.lab;
    let client = &lab.site().client;
    // 1472 and 1452 fill a packet of 1500 bytes.
    for payload_bytes in [56, if mix.vip.is_ipv4() { 1472 } else { 1452 }] {
        let report = ping(client, mix.vip, 5, payload_bytes).unwrap();
        assert_eq!(report, PingReport { sent: 5, received: 5 }, "{mix:?}");
    }
    let small = download(client, mix.vip, "/").unwrap();
    assert_eq!((small.http_code, small.size_download), (200, SMALL_FILE.len() as u64), "{mix:?}");
    assert_eq!(download(client, mix.vip, "/large").unwrap().size_download, LARGE_FILE_BYTES as u64, "{mix:?}");
    let file = lab.scratch.write("upload", vec![b'u'; 5_000_000]).unwrap();
    let put = upload(client, &file, mix.vip, &format!("/upload/{}", mix.name)).unwrap();
    assert_eq!((put.http_code, put.size_upload), (201, 5_000_000), "{mix:?}");

    let _echo = UdpEcho::start(&lab.home, mix.vip, 5000).unwrap();
    // The last one goes in fragments, both ways.
    for payload_bytes in [0, 1, 1400, 4000] {
        udp_round_trip(client, SocketAddr::new(mix.vip, 5000), &vec![0xa5; payload_bytes]).unwrap();
    }
}

/// Below the rate at which veth queues overflow by themselves, so that every loss is the forwarder's.
fn iperf3(deployment: &Deployment, mix: Mix) {
    let lab = &deployment.lab;
    let client = &lab.site().client;
    let _server = Iperf3Server::start(&lab.home, lab.scratch.path(), mix.vip).unwrap();
    let tcp = Iperf3::new(client, mix.vip).rate("100M").parallel(2).bytes(20_000_000).run().unwrap();
    assert!(tcp.bytes > 18_000_000, "{mix:?}: {tcp:?}");
    let back = Iperf3::new(client, mix.vip).rate("100M").reverse().bytes(10_000_000).run().unwrap();
    assert!(back.bytes > 9_000_000, "{mix:?}: {back:?}");
    let before = KernelCounters::read(&lab.home).unwrap();
    let udp = Iperf3::new(client, mix.vip).udp(1400).rate("50M").bytes(6_000_000).run().unwrap();
    // What arrived while a busy machine let the server wait is not lost on the way.
    let overflows = KernelCounters::read(&lab.home).unwrap().socket_overflows() - before.socket_overflows();
    let overflows = overflows + interface_drops(lab);
    assert!(udp.datagrams > 4000 && udp.lost_datagrams <= overflows, "{mix:?}: {udp:?}, {overflows} overflows");
}

/// What the PoP forwarded arrived at the home host and was decapsulated there; nothing was lost after the verdict.
fn account_for_everything(deployment: &Deployment) {
    let (pop, gateway) = (deployment.pop().stats().unwrap(), deployment.gateway.stats().unwrap());
    pop.assert_law();
    gateway.assert_law();
    let mut forwarded = 0;
    for mix in MIXES {
        let of_vip = pop.vip_packets(mix.name, "forwarded");
        assert!(of_vip > 1000, "{mix:?}: {of_vip}");
        assert_eq!(pop.vip_packets(mix.name, "received"), of_vip, "{}", pop.vip(mix.name));
        forwarded += of_vip;
    }
    let lab = &deployment.lab;
    let to_backends: u64 = FAMILIES.iter().map(|&family| pop.backend_packets(lab.home_address(family))).sum();
    assert_eq!(to_backends, forwarded);
    assert_eq!(pop.outcome_packets("forwarded"), forwarded);
    assert_eq!(gateway.outcome_packets("decapsulated"), forwarded);
    for interface in lab.access_interfaces().iter().chain(&lab.backbone_interfaces()) {
        assert_eq!(pop.xdp_losses(interface), 0, "{interface}");
    }
}
