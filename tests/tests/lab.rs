//! The lab itself, with the kernel's own routing in the place of the programs that it is made to test.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{fs, net::SocketAddr, panic::AssertUnwindSafe, path::Path, time::Duration};

use anycast_tests::{
    lab::{
        Lab, Namespace, Topology,
        capture::Capture,
        client::{Iperf3, PingReport, download, ping, round_trip, udp_round_trip, upload},
        counters::KernelCounters,
        link::End,
        scratch::Scratch,
        server::{Iperf3Server, LARGE_FILE_BYTES, Nginx, SMALL_FILE, UdpEcho},
        stream::{NumberedStream, StreamSpec},
        topology::{FAMILIES, VIP_PREFIXES, VIP_V4, VIP_V6},
        wire::Wire,
    },
    require_root,
};
use ipnet::IpNet;

/// Routes VIP packets through the PoP's stack to the home host, without a tunnel.
fn route_plainly(lab: &Lab) {
    for (prefix, family) in VIP_PREFIXES.into_iter().zip(FAMILIES) {
        let router = if family == FAMILIES[0] { "10.3.0.1" } else { "fd00:3::1" };
        lab.site().pop.ip(&format!("route add {prefix} via {router}")).unwrap();
        lab.routers[0].ip(&format!("route add {prefix} via {}", lab.home_address(family))).unwrap();
    }
}

#[test]
fn a_wire_delays_every_frame_both_ways_and_loses_none() {
    require_root!();
    let [near, far] = ["near", "far"].map(|name| Namespace::new(name).unwrap());
    let ends = [("10.1.1.1/24", "fd00:1::1/64"), ("10.1.1.2/24", "fd00:1::2/64")]
        .map(|(v4, v6)| [v4, v6].map(|address| address.parse::<IpNet>().unwrap()));
    let [first, second] = [(&near, ends[0]), (&far, ends[1])].map(|(at, addresses)| End::new(at, "w", addresses));
    let delay = Duration::from_millis(8);
    let wire = Wire::new(first, second, 1500, delay).unwrap();
    for address in ends[1] {
        let time = round_trip(&near, address.addr()).unwrap().expect("an answer to every request");
        assert!(time >= delay * 2 && time < delay * 4, "{time:?} there and back");
    }
    let scratch = Scratch::new().unwrap();
    let _nginx = Nginx::start(&far, scratch.path(), &[ends[1][0].addr()]).unwrap();
    let large = download(&near, ends[1][0].addr(), "/large").unwrap();
    assert_eq!((large.http_code, large.size_download), (200, LARGE_FILE_BYTES as u64));
    assert_eq!(wire.lost(), 0);
}

#[test]
fn real_clients_reach_real_servers_in_both_families() {
    require_root!();
    let lab = Topology::pop_and_home().build().unwrap();
    route_plainly(&lab);
    let client = &lab.site().client;
    let file = lab.scratch.write("upload", vec![b'u'; 1_000_000]).unwrap();
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &[VIP_V4, VIP_V6]).unwrap();
    for vip in [VIP_V4, VIP_V6] {
        assert_eq!(ping(client, vip, 5, 1000).unwrap(), PingReport { sent: 5, received: 5 });

        let small = download(client, vip, "/").unwrap();
        assert_eq!((small.http_code, small.size_download), (200, SMALL_FILE.len() as u64));
        assert!(small.time_connect > 0.0 && small.time_total >= small.time_starttransfer, "{small:?}");
        assert_eq!(download(client, vip, "/large").unwrap().size_download, LARGE_FILE_BYTES as u64);
        let put = upload(client, &file, vip, &format!("/upload/{}", u8::from(vip.is_ipv6()))).unwrap();
        assert_eq!((put.http_code, put.size_upload), (201, 1_000_000));

        let _echo = UdpEcho::start(&lab.home, vip, 5000).unwrap();
        udp_round_trip(client, SocketAddr::new(vip, 5000), &[7; 1400]).unwrap();
        udp_round_trip(client, SocketAddr::new(vip, 5001), &[7; 14]).unwrap_err();

        let _iperf3 = Iperf3Server::start(&lab.home, lab.scratch.path(), vip).unwrap();
        let tcp = Iperf3::new(client, vip).run().unwrap();
        assert!(tcp.rate_bits_per_sec > 1e8, "{tcp:?}");
        let udp = Iperf3::new(client, vip).udp(1200).rate("20M").run().unwrap();
        assert!(udp.datagrams > 1000 && udp.lost_datagrams == 0, "{udp:?}");
    }
    assert_eq!(KernelCounters::read(&lab.home).unwrap().checksum_errors(), 0);
}

#[test]
fn every_topology_reaches_the_home_host_from_the_pop() {
    require_root!();
    for topology in [
        Topology::pop_and_home(),
        Topology::pop_and_home().one_armed(),
        Topology::pop_and_home().routers(2).access_nics(2),
        Topology::two_pops_and_home(),
    ] {
        let lab = topology.clone().build().unwrap();
        for site in &lab.sites {
            for family in FAMILIES {
                // 1400 bytes and the largest outer header: what a tunnel carries.
                let report = ping(&site.pop, lab.home_address(family), 4, 1440).unwrap();
                assert_eq!(report, PingReport { sent: 4, received: 4 }, "{topology:?}");
                let client = site.client_address(family);
                assert_eq!(ping(&lab.home, client, 2, 56).unwrap().received, 2, "{topology:?}");
            }
        }
    }
}

#[test]
fn a_capture_tells_right_checksums_from_wrong_ones() {
    require_root!();
    let lab = Topology::pop_and_home().build().unwrap();
    route_plainly(&lab);
    let client = &lab.site().client;
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &[VIP_V4, VIP_V6]).unwrap();
    let fetch = |namespace, interface, name: &str| {
        let capture = Capture::start(namespace, interface, &lab.scratch.path().join(name)).unwrap();
        for vip in [VIP_V4, VIP_V6] {
            download(client, vip, "/").unwrap();
        }
        capture.stop().unwrap()
    };
    // Towards the home host the router's end faces XDP, where checksums must be whole.
    let whole = fetch(&lab.routers[0], "rt_home", "whole.pcap");
    assert!(whole.count("tcp.dstport == 80").unwrap() >= 8);
    assert!(whole.good_checksums("tcp").unwrap() >= 8);
    assert_eq!(whole.bad_checksums("tcp.dstport == 80").unwrap(), Vec::<String>::new());
    // The client's end is an ordinary veth with checksum offload: what it sends is not finished.
    let begun = fetch(client, "cl0", "begun.pcap");
    assert_ne!(begun.bad_checksums("tcp.dstport == 80").unwrap(), Vec::<String>::new());
}

#[test]
fn a_numbered_stream_that_nothing_disturbs_loses_nothing() {
    require_root!();
    let lab = Topology::pop_and_home().build().unwrap();
    route_plainly(&lab);
    for vip in [VIP_V4, VIP_V6] {
        let spec = StreamSpec::new(SocketAddr::new(vip, 6000), 50_000).flows(4);
        let stream = NumberedStream::start(&lab.site().client, &lab.home, &spec).unwrap();
        std::thread::sleep(Duration::from_secs(2));
        let report = stream.stop().unwrap();
        println!("{report:?}");
        assert!(report.sent > 10_000, "{report:?}");
        assert_eq!((report.lost, report.duplicated, report.reordered), (0, 0, 0), "{report:?}");
        assert_eq!(report.received, report.sent);
    }
}

#[test]
fn a_numbered_stream_counts_what_a_broken_link_loses() {
    require_root!();
    let lab = Topology::pop_and_home().build().unwrap();
    route_plainly(&lab);
    let spec = StreamSpec::new(SocketAddr::new(VIP_V4, 6000), 5_000);
    let stream = NumberedStream::start(&lab.site().client, &lab.home, &spec).unwrap();
    lab.site().pop.ip("route replace blackhole 192.0.2.0/24").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    lab.site().pop.ip("route replace 192.0.2.0/24 via 10.3.0.1").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let report = stream.stop().unwrap();
    assert!(report.longest_gap.as_millis() >= 190, "{report:?}");
    assert!(report.lost > 100 && report.longest_loss_run == report.lost, "{report:?}");
    assert_eq!(report.received + report.lost, report.sent);
}

#[test]
fn nothing_is_left_of_a_lab_also_after_a_panic() {
    require_root!();
    let mut names = Vec::new();
    let mut files = Vec::new();
    let mut nginx_pid = 0;
    let panic = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let lab = Topology::pop_and_home().build().unwrap();
        let site = lab.site();
        names = [&site.client, &site.transit, &*site.pop, &*lab.home].map(|ns| ns.name().to_owned()).to_vec();
        files.push(lab.scratch.path().to_owned());
        let nginx = Nginx::start(&lab.home, lab.scratch.path(), &[VIP_V4]).unwrap();
        nginx_pid = nginx.pid();
        assert!(names.iter().all(|name| Path::new("/run/netns").join(name).exists()));
        panic!("as a failing test does");
    }));
    assert!(panic.is_err());
    assert!(names.iter().all(|name| !Path::new("/run/netns").join(name).exists()), "{names:?}");
    assert!(!files[0].exists());
    assert!(!Path::new(&format!("/proc/{nginx_pid}")).exists());
}

#[test]
fn interface_indexes_are_unique_over_namespaces() {
    require_root!();
    let lab = Topology::two_pops_and_home().build().unwrap();
    let mut indexes = Vec::new();
    for namespace in lab.namespaces() {
        let links: serde_json::Value = serde_json::from_str(&namespace.ip("-json link show").unwrap()).unwrap();
        let links = links.as_array().unwrap().iter().filter(|link| link["ifname"] != "lo");
        indexes.extend(links.map(|link| link["ifindex"].as_u64().unwrap()));
    }
    let count = indexes.len();
    indexes.sort_unstable();
    indexes.dedup();
    assert_eq!(indexes.len(), count);
    assert!(count >= 18, "{count}");
}

#[test]
fn settings_of_a_namespace_do_not_leak_to_the_machine() {
    require_root!();
    let forwarding = || fs::read_to_string("/proc/sys/net/ipv6/fib_multipath_hash_policy").unwrap();
    let before = forwarding();
    let lab = Topology::pop_and_home().build().unwrap();
    assert_eq!(lab.site().pop.enter(forwarding).unwrap(), "1\n");
    assert_eq!(forwarding(), before);
}
