//! Frames of 9000 bytes, by the variants of the programs that take frames with fragments.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::net::SocketAddr;

use anycast_tests::{
    lab::{
        Lab, Topology,
        capture::Capture,
        client::{Iperf3, PingReport, download, ping, udp_round_trip, upload},
        counters::KernelCounters,
        daemon::{Daemon, PopConfig},
        deployment::{Deployment, MIXES, Mix},
        server::{Iperf3Server, LARGE_FILE_BYTES, Nginx, UdpEcho},
        stream::NumberedStream,
    },
    live::rate,
    require_root,
};

/// Interface, mode, and is it the variant that takes fragments?
fn attached(daemon: &Daemon) -> Vec<(String, String, bool)> {
    let status = daemon.status().unwrap();
    let rows = status["attachments"].as_array().unwrap();
    let text = |row: &serde_json::Value, field: &str| row[field].as_str().unwrap().to_owned();
    let xdp = rows.iter().filter(|row| row["hook"] == "xdp");
    xdp.map(|row| (text(row, "interface"), text(row, "mode"), row["frags"].as_bool().unwrap())).collect()
}

fn row(interface: &str, mode: &str, frags: bool) -> (String, String, bool) {
    (interface.to_owned(), mode.to_owned(), frags)
}

/// A VIP for every family mix, on backends with these lines of configuration.
fn deploy(topology: Topology, lines: &str) -> Deployment {
    let services = |config: PopConfig, lab: &Lab| {
        MIXES.iter().fold(config, |config, mix| {
            config.pool_with(mix.name, &[lab.home_address(mix.outer)], lines).vip(mix.name, mix.vip, mix.name)
        })
    };
    Deployment::with(topology.jumbo(), services).unwrap()
}

#[test]
fn jumbo_frames_are_forwarded_in_ipip_by_xdp_redirect() {
    require_root!();
    let deployment = deploy(Topology::pop_and_home(), "");
    assert_eq!(attached(deployment.pop()), [row("in0", "native", true), row("bb0", "native", true)]);
    carries_jumbo_frames(&deployment);
}

#[test]
fn jumbo_frames_are_forwarded_in_ipip_by_xdp_tx() {
    require_root!();
    let deployment = deploy(Topology::pop_and_home().one_armed(), "");
    assert_eq!(attached(deployment.pop()), [row("in0", "native", true)]);
    carries_jumbo_frames(&deployment);
}

#[test]
fn jumbo_frames_are_forwarded_in_gue() {
    require_root!();
    carries_jumbo_frames(&deploy(Topology::pop_and_home(), "encap = \"gue\"\n"));
}

/// A frame of several buffers has an explanation, by the variant that is attached.
fn is_explained(pop: &Daemon) {
    let words = ["explain", "udp", "203.0.113.7:1000", "192.0.2.44:53", "--length", "8000", "--output", "json"];
    let told: serde_json::Value = serde_json::from_str(&pop.run_cli(&words).unwrap()).unwrap();
    assert_eq!((&told["outcome"], &told["vip"]["name"]), (&"forwarded".into(), &"v4in4".into()), "{told}");
    assert_eq!(told["notes"], serde_json::json!([]), "{told}");
    let grown = told["frame"].as_str().unwrap().len() / 2 - 8014;
    let is_gue = told["backend"]["encap"].as_str().unwrap().starts_with("gue");
    assert_eq!(grown, if is_gue { 28 } else { 20 }, "{told}");
}

fn carries_jumbo_frames(deployment: &Deployment) {
    let lab = &deployment.lab;
    assert_eq!(attached(&deployment.gateway), [row("lb0", "native", true)]);
    assert!(deployment.pop().run_cli(&["status"]).unwrap().contains("native, frags"));

    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &Deployment::vips()).unwrap();
    is_explained(deployment.pop());
    let before = KernelCounters::read(&lab.home).unwrap();
    for mix in MIXES {
        ping_and_udp(lab, mix);
        tcp(lab, mix);
    }
    let after = KernelCounters::read(&lab.home).unwrap();
    assert_eq!(after.checksum_errors() - before.checksum_errors(), 0);
    let (pop, gateway) = (deployment.pop().stats().unwrap(), deployment.gateway.stats().unwrap());
    pop.assert_law();
    gateway.assert_law();
    assert_eq!(gateway.outcome_packets("decapsulated"), pop.outcome_packets("forwarded"));
    for interface in lab.access_interfaces().iter().chain(&lab.backbone_interfaces()) {
        assert_eq!(pop.xdp_losses(interface), 0, "{interface}");
    }
}

fn ping_and_udp(lab: &Lab, mix: Mix) {
    let client = &lab.site().client;
    // Within one buffer, beyond it, and as long as the MTU takes.
    let full = if mix.vip.is_ipv4() { 8972 } else { 8952 };
    for payload_bytes in [56, 3400, 3600, 8900, full] {
        let report = ping(client, mix.vip, 5, payload_bytes).unwrap();
        assert_eq!(report, PingReport { sent: 5, received: 5 }, "{mix:?}, {payload_bytes} bytes");
    }
    let _echo = UdpEcho::start(&lab.home, mix.vip, 5000).unwrap();
    // The last one goes in IP fragments of 9000 bytes.
    for payload_bytes in [1400, 8900, 30_000] {
        udp_round_trip(client, SocketAddr::new(mix.vip, 5000), &vec![0xa5; payload_bytes]).unwrap();
    }
}

fn tcp(lab: &Lab, mix: Mix) {
    let client = &lab.site().client;
    let path = lab.scratch.path().join(format!("{}.pcap", mix.name));
    let capture = Capture::start(&lab.routers[0], "rt_home", &path).unwrap();
    let file = lab.scratch.write("upload", vec![b'u'; 5_000_000]).unwrap();
    let put = upload(client, &file, mix.vip, &format!("/upload/{}", mix.name)).unwrap();
    assert_eq!((put.http_code, put.size_upload), (201, 5_000_000), "{mix:?}");
    let captured = capture.stop().unwrap();
    // The file is 559 full segments; what curl hands over at a time ends with a shorter one.
    let segments = captured.count("tcp.dstport == 80 && tcp.len > 8900").unwrap();
    assert!(segments > 400, "{mix:?}: {segments} segments of more than 8900 bytes in tunnels");
    assert_eq!(captured.bad_checksums("tcp.len > 8900").unwrap(), Vec::<String>::new(), "{mix:?}");
    assert_eq!(download(client, mix.vip, "/large").unwrap().size_download, LARGE_FILE_BYTES as u64, "{mix:?}");

    let _server = Iperf3Server::start(&lab.home, lab.scratch.path(), mix.vip).unwrap();
    let up = Iperf3::new(client, mix.vip).rate("200M").bytes(25_000_000).run().unwrap();
    assert!(up.bytes > 23_000_000, "{mix:?}: {up:?}");
    let down = Iperf3::new(client, mix.vip).rate("200M").reverse().bytes(25_000_000).run().unwrap();
    assert!(down.bytes > 23_000_000, "{mix:?}: {down:?}");
}

#[test]
fn variant_follows_the_mtu_at_the_next_start_and_nothing_is_lost() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let plain = [row("in0", "native", false), row("bb0", "native", false)];
    assert_eq!(attached(deployment.pop()), plain);
    let lab = &deployment.lab;
    let spec = rate::lossless(&lab.site().client, &lab.home, SocketAddr::new(MIXES[0].vip, 6000), 4).unwrap();
    let stream = NumberedStream::start(&lab.site().client, &lab.home, &spec).unwrap();
    for (mtus, expected) in [
        ([("in0", 9000), ("bb0", 9100)], [row("in0", "native", true), row("bb0", "native", true)]),
        ([("in0", 1500), ("bb0", 1600)], plain),
    ] {
        for (interface, mtu_bytes) in mtus {
            deployment.lab.site().pop.ip(&format!("link set {interface} mtu {mtu_bytes}")).unwrap();
        }
        deployment.pops[0].stop().unwrap();
        deployment.pops[0].resume().unwrap();
        assert_eq!(attached(deployment.pop()), expected);
    }
    let report = stream.stop().unwrap();
    assert!(rate::is_whole(&report), "{report:?}");
}

/// The driver of a veth counts the MTU of its peer, which the PoP may not see.
#[test]
fn refusal_of_the_variant_without_fragments_leads_to_the_other() {
    require_root!();
    let lab = Topology::pop_and_home().build().unwrap();
    lab.site().transit.ip("link set tr_pop0 mtu 9000").unwrap();
    let config = PopConfig::new(&lab, lab.site(), "pop0");
    let daemon = Daemon::start(&lab.site().pop, &lab.scratch, config.instance(), config.text()).unwrap();
    assert_eq!(attached(&daemon), [row("in0", "native", true), row("bb0", "native", false)]);
    assert!(daemon.log().contains("refuses the program without fragments"), "{}", daemon.log());
}

#[test]
fn generic_mode_forwards_jumbo_frames_without_fragments() {
    require_root!();
    let mut deployment = deploy(Topology::pop_and_home(), "");
    let config = PopConfig::new(&deployment.lab, deployment.lab.site(), "pop0");
    let mix = MIXES[0];
    let backend = [deployment.lab.home_address(mix.outer)];
    let config = config.pool(mix.name, &backend).vip(mix.name, mix.vip, mix.name);
    let pop = &mut deployment.pops[0];
    pop.write_config(&config.text().replace("attach = \"native\"", "attach = \"generic\"")).unwrap();
    pop.stop().unwrap();
    pop.resume().unwrap();
    assert_eq!(attached(pop), [row("in0", "generic", false), row("bb0", "generic", false)]);
    let report = ping(&deployment.lab.site().client, mix.vip, 5, 8972).unwrap();
    assert_eq!(report, PingReport { sent: 5, received: 5 });
}
