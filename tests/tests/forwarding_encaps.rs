//! Real traffic in GRE and GUE, from as many tunnel sources as a prefix holds, in the eyes of tshark.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{collections::BTreeSet, net::SocketAddr};

use anycast_tests::{
    lab::{
        Lab, Topology,
        capture::Capture,
        client::{PingReport, download, ping, udp_round_trip, upload},
        counters::KernelCounters,
        deployment::{Deployment, MIXES, Mix},
        server::{Nginx, UdpEcho},
        topology::Family,
    },
    require_root,
};
use ipnet::IpNet;

/// Lines of a backend's configuration, and what tshark must find behind the outer IP header.
#[derive(Clone, Copy, Debug)]
struct Encap {
    lines: &'static str,
    gre_keys: &'static [u32],
    dissected: &'static str,
}

const GRE: Encap =
    Encap { lines: "encap = \"gre\"\n", gre_keys: &[], dissected: "gre.flags_and_version == 0x0000 && !gre.key" };
const GRE_KEYED: Encap = Encap {
    lines: "encap = \"gre\"\ngre_key = 305419896\n",
    gre_keys: &[7, 0x1234_5678],
    dissected: "gre.flags_and_version == 0x2000 && gre.key == 0x12345678",
};
const GUE: Encap = Encap {
    lines: "encap = \"gue\"\n",
    gre_keys: &[],
    dissected: "udp.dstport#1 == 6080 && udp.srcport#1 >= 49152 && udp.checksum#1 == 0",
};

#[test]
fn gre_carries_real_traffic() {
    require_root!();
    carries_real_traffic(GRE);
}

#[test]
fn gre_with_a_key_carries_real_traffic() {
    require_root!();
    carries_real_traffic(GRE_KEYED);
}

#[test]
fn gue_carries_real_traffic() {
    require_root!();
    carries_real_traffic(GUE);
}

/// Prefixes of tunnel sources, routed to the PoP.
fn sources() -> [IpNet; 2] {
    ["10.3.64.0/24", "fd00:3:64::/112"].map(|prefix| prefix.parse().unwrap())
}

fn deploy(encap: Encap) -> Deployment {
    let services = |config: anycast_tests::lab::daemon::PopConfig, lab: &Lab| {
        MIXES.iter().fold(config.sources(sources()), |config, mix| {
            let backends = [lab.home_address(mix.outer)];
            config.pool_with(mix.name, &backends, encap.lines).vip(mix.name, mix.vip, mix.name)
        })
    };
    let change = |gateway: anycast_tests::lab::daemon::GatewayConfig| gateway.tunnels(&sources(), encap.gre_keys);
    Deployment::with_gateway(Topology::pop_and_home(), services, change).unwrap()
}

fn carries_real_traffic(encap: Encap) {
    let deployment = deploy(encap);
    let lab = &deployment.lab;
    let client = &lab.site().client;
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &Deployment::vips()).unwrap();
    let file = lab.scratch.write("upload", vec![b'u'; 2_000_000]).unwrap();
    let before = KernelCounters::read(&lab.home).unwrap();
    for mix in MIXES {
        let _echo = UdpEcho::start(&lab.home, mix.vip, 5000).unwrap();
        let path = lab.scratch.path().join(format!("{}.pcap", mix.name));
        let capture = Capture::start(&lab.routers[0], "rt_home", &path).unwrap();
        assert_eq!(download(client, mix.vip, "/large").unwrap().http_code, 200, "{mix:?}");
        let put = upload(client, &file, mix.vip, &format!("/upload/{}", mix.name)).unwrap();
        assert_eq!((put.http_code, put.size_upload), (201, 2_000_000), "{mix:?}");
        let full = if mix.vip.is_ipv4() { 1472 } else { 1452 };
        assert_eq!(ping(client, mix.vip, 5, full).unwrap(), PingReport { sent: 5, received: 5 }, "{mix:?}");
        for payload_bytes in [0, 1, 1400, 4000] {
            udp_round_trip(client, SocketAddr::new(mix.vip, 5000), &vec![0xa5; payload_bytes]).unwrap();
        }
        let captured = capture.stop().unwrap();

        let tunnel = tunnel_filter(mix);
        let all = captured.count(&tunnel).unwrap();
        assert!(all > 1400, "{mix:?}: {all} packets in tunnels");
        assert_eq!(captured.count(&format!("{tunnel} && {}", encap.dissected)).unwrap(), all, "{mix:?}");
        assert_eq!(captured.bad_checksums(&tunnel).unwrap(), Vec::<String>::new(), "{mix:?}");
        let right = captured.count(&format!("{tunnel} && tcp.checksum.status == \"Good\"")).unwrap();
        assert!(right > 1300, "{mix:?}: {right} segments with a right checksum");
    }
    let after = KernelCounters::read(&lab.home).unwrap();
    assert_eq!(after.checksum_errors() - before.checksum_errors(), 0);
    let (pop, gateway) = (deployment.pop().stats().unwrap(), deployment.gateway.stats().unwrap());
    pop.assert_law();
    gateway.assert_law();
    assert_eq!(gateway.outcome_packets("decapsulated"), pop.outcome_packets("forwarded"));
}

/// Frames inside a tunnel, whatever they carry.
fn tunnel_filter(mix: Mix) -> String {
    match mix.outer {
        Family::V4 => "(ip.src#1 == 10.3.64.0/24 && ip.dst#1 == 10.4.0.2)".to_owned(),
        Family::V6 => "(ipv6.src#1 == fd00:3:64::/112 && ipv6.dst#1 == fd00:4::2)".to_owned(),
    }
}

/// A NIC that hashes outer addresses sees as many flows as the prefix has sources for.
#[test]
fn flows_come_from_many_tunnel_sources() {
    require_root!();
    let deployment = deploy(Encap { lines: "", gre_keys: &[], dissected: "" });
    let lab = &deployment.lab;
    let client = &lab.site().client;
    let mix = MIXES[0];
    let _echo = UdpEcho::start(&lab.home, mix.vip, 5000).unwrap();
    let path = lab.scratch.path().join("sources.pcap");
    let capture = Capture::start(&lab.routers[0], "rt_home", &path).unwrap();
    for host in 1..=20 {
        client.ip(&format!("address add 10.1.0.{}/32 dev lo", 100 + host)).unwrap();
        lab.site().transit.ip(&format!("route add 10.1.0.{}/32 via 10.1.0.2", 100 + host)).unwrap();
        client.run(&format!("ping -q -c 1 -W 2 -I 10.1.0.{} {}", 100 + host, mix.vip)).unwrap();
    }
    let lines = capture.stop().unwrap().fields(&tunnel_filter(mix), "ip.src").unwrap();
    let sources: BTreeSet<&str> = lines.iter().filter_map(|line| line.split(',').next()).collect();
    assert!(sources.len() >= 15, "20 clients came from {sources:?}");
}
