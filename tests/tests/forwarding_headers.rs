//! What is on the wire in front of the home host, in the eyes of tshark.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::net::SocketAddr;

use anycast_tests::{
    lab::{
        Topology,
        capture::Capture,
        client::{download, ping, udp_round_trip, upload},
        deployment::{Deployment, MIXES, Mix},
        server::{Nginx, UdpEcho},
        topology::Family,
    },
    require_root,
};

#[test]
fn outer_and_inner_checksums_are_right_behind_xdp_redirect() {
    require_root!();
    checksums_are_right(Topology::pop_and_home());
}

#[test]
fn outer_and_inner_checksums_are_right_behind_xdp_tx() {
    require_root!();
    checksums_are_right(Topology::pop_and_home().one_armed());
}

fn checksums_are_right(topology: Topology) {
    let deployment = Deployment::new(topology).unwrap();
    let lab = &deployment.lab;
    // The backbone router, and before it the transit router of a PoP with one arm.
    let ttl = if lab.is_one_armed() { 62 } else { 63 };
    let client = &lab.site().client;
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &Deployment::vips()).unwrap();
    let file = lab.scratch.write("upload", vec![b'u'; 300_000]).unwrap();
    for mix in MIXES {
        let _echo = UdpEcho::start(&lab.home, mix.vip, 5000).unwrap();
        // The home host's wire: its own XDP program takes the frames before anything could capture them there.
        let path = lab.scratch.path().join(format!("{}.pcap", mix.name));
        let capture = Capture::start(&lab.routers[0], "rt_home", &path).unwrap();
        download(client, mix.vip, "/").unwrap();
        upload(client, &file, mix.vip, &format!("/upload/{}", mix.name)).unwrap();
        ping(client, mix.vip, 3, 1000).unwrap();
        udp_round_trip(client, SocketAddr::new(mix.vip, 5000), &[0xa5; 1200]).unwrap();
        let captured = capture.stop().unwrap();

        let tunnel = tunnel_filter(mix);
        assert_eq!(captured.bad_checksums(&tunnel).unwrap(), Vec::<String>::new(), "{mix:?}");
        // 300,000 bytes are 208 segments of at most 1448.
        for (protocol, at_least) in [("tcp", 208), ("udp", 1), (icmp(mix), 3)] {
            let right = captured.count(&format!("{tunnel} && {protocol}.checksum.status == \"Good\"")).unwrap();
            assert!(right >= at_least, "{mix:?}: {right} packets with a right {protocol} checksum");
        }
        let all = captured.count(&tunnel).unwrap();
        assert_eq!(captured.count(&format!("{tunnel} && {}", outer_fields(mix.outer, ttl))).unwrap(), all, "{mix:?}");
    }
}

/// Frames to the VIP inside a tunnel.
fn tunnel_filter(Mix { vip, outer, .. }: Mix) -> String {
    let inner = if vip.is_ipv4() { format!("ip.dst == {vip}") } else { format!("ipv6.dst == {vip}") };
    match outer {
        Family::V4 => format!("({inner} && ip.dst == 10.4.0.2)"),
        Family::V6 => format!("({inner} && ipv6.dst == fd00:4::2)"),
    }
}

/// What every outer header has; `#1` is the outermost layer. Its TTL left the PoP as 64.
fn outer_fields(outer: Family, ttl: u8) -> String {
    match outer {
        Family::V4 => {
            format!("(ip.flags.df#1 == 1 && ip.id#1 == 0 && ip.ttl#1 == {ttl} && ip.checksum.status#1 == \"Good\")")
        }
        Family::V6 => format!("(ipv6.hlim#1 == {ttl} && ipv6.flow#1 != 0)"),
    }
}

fn icmp(mix: Mix) -> &'static str {
    if mix.vip.is_ipv4() { "icmp" } else { "icmpv6" }
}
