//! On a PoP: what clients send, and what comes in by the backbone.

use std::{net::IpAddr, time::Duration};

use anycast_common::{
    flow::{self, FlowKey, Transport},
    map::PoolDescriptor,
};
use anycast_tests::{
    lab::{
        Lab, Topology,
        daemon::PopConfig,
        deployment::{Deployment, MIXES},
        topology::Family,
    },
    live::raw,
    packet::Packet,
    require_root,
};
use anycast_xdp::explain::{headers::hex, hex::parse};
use serde_json::Value;

use crate::{captured, explain, ip};

const WEB: &str = "192.0.2.60";
const NARROW: &str = "192.0.2.61";
const UNRESOLVED: &str = "192.0.2.62";

/// The VIPs of all mixes, one with listeners, one with a path of 600 bytes, and one whose router is not there.
fn services(config: PopConfig, lab: &Lab) -> PopConfig {
    lab.site().pop.ip("route add 10.4.200.1 via 10.3.0.1 mtu 600").unwrap();
    lab.site().pop.ip("route add 10.4.201.1 via 10.3.0.99").unwrap();
    let config = MIXES.iter().fold(config, |config, mix| {
        config.pool(mix.name, &[lab.home_address(mix.outer)]).vip(mix.name, mix.vip, mix.name)
    });
    config
        .vip_with_listeners("web", ip(WEB), &["tcp/443", "udp/5000-5100"], "v4in4")
        .pool("narrow", &[ip("10.4.200.1")])
        .vip("narrow", ip(NARROW), "narrow")
        .pool("unresolved", &[ip("10.4.201.1")])
        .vip("unresolved", ip(UNRESOLVED), "unresolved")
}

/// Packets of every kind to a VIP.
fn packets(client: IpAddr, vip: IpAddr) -> Vec<Packet> {
    let packet = || Packet::between(client, vip);
    vec![
        packet().tcp(4321, 443),
        packet().udp(4321, 5000).payload_len(300).ttl(9).dscp_ecn(0xb8),
        packet().icmp_echo(7, 1).payload_len(56),
        packet().tcp(4322, 443).vlan(100).payload_len(40),
    ]
}

#[test]
fn explained_frame_is_the_one_that_the_router_then_gets() {
    require_root!();
    let deployment = Deployment::with(Topology::pop_and_home(), services).unwrap();
    let (lab, pop) = (&deployment.lab, deployment.pop());
    let before = pop.stats().unwrap().0;
    let mut frames = Vec::new();
    let mut explained = Vec::new();
    for mix in MIXES {
        let client = lab.site().client_address(if mix.vip.is_ipv4() { Family::V4 } else { Family::V6 });
        for packet in packets(client, mix.vip) {
            let frame = packet.build();
            let told = explain(pop, &["--hex", &hex(&frame)]);
            assert_eq!(told["vip"]["name"], mix.name, "{told}");
            assert_eq!(told["pool"]["name"], mix.name, "{told}");
            assert_eq!(told["backend"]["address"], lab.home_address(mix.outer).to_string(), "{told}");
            assert_eq!((&told["action"], &told["egress"]), (&"XDP_REDIRECT".into(), &"bb0".into()), "{told}");
            assert_eq!((&told["outcome"], &told["listener"]), (&"forwarded".into(), &Value::Null), "{told}");
            assert_eq!(told["flow"]["client"], client.to_string(), "{told}");
            assert_eq!(told["notes"], Value::Array(Vec::new()), "{told}");
            let router: IpAddr = ip(if mix.outer == Family::V4 { "10.3.0.1" } else { "fd00:3::1" });
            assert_eq!(told["next_hop"]["addresses"][0], router.to_string(), "{told}");
            assert_eq!(told["next_hop"]["sixteenths"], 16, "{told}");
            // Headers and inner packet are all of the frame.
            let headers = told["headers"].as_array().unwrap();
            let outer: String = headers.iter().map(|field| field["bytes"].as_str().unwrap()).collect();
            assert!(told["frame"].as_str().unwrap().starts_with(&outer), "{told}");
            assert_eq!(told["changes"][0]["field"], if mix.vip.is_ipv4() { "TTL" } else { "hop limit" }, "{told}");
            frames.push(frame);
            explained.push(told["frame"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(pop.stats().unwrap().0["vips"], before["vips"], "explaining moved a counter");
    assert_eq!(pop.stats().unwrap().0["backends"], before["backends"], "explaining moved a counter");
    let transit = &lab.site().transit;
    let seen = captured(lab, (transit, "tr_pop0"), (&lab.routers[0], "rt_pop0"), &frames);
    for (number, frame) in explained.iter().enumerate() {
        assert!(seen.contains(frame), "packet {number}: {frame} is not among {seen:#?}");
    }

    // The capture shows the home region what it got.
    let file = lab.scratch.path().join("rt_pop0.pcap");
    let file = file.to_str().unwrap();
    let text = deployment.gateway.run_cli(&["explain", "--pcap", file, "--output", "json"]).unwrap();
    let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.len(), seen.len());
    let decapsulated: Vec<_> = told.iter().filter(|told| told["outcome"] == "decapsulated").collect();
    assert_eq!(decapsulated.len(), explained.len(), "{text}");
    let last = decapsulated[explained.len() - 1];
    let number = last["packet"].to_string();
    assert_eq!(explain(&deployment.gateway, &["--pcap", file, "--packet", &number]), *last);
}

#[test]
fn explained_hash_and_slot_are_those_of_the_contract() {
    require_root!();
    let deployment = Deployment::with(Topology::pop_and_home(), services).unwrap();
    let key = FlowKey::from_seed(&std::array::from_fn(|at| at as u8));
    for port in [1000_u16, 2000, 3000] {
        let told = explain(deployment.pop(), &["udp", &format!("203.0.113.7:{port}"), "192.0.2.60:5050"]);
        let [a, b] = port.to_be_bytes();
        let transport = Transport { ports: [a, b, 0x13, 0xba], protocol: 17 };
        let hash = flow::hash_v4(&key, [203, 0, 113, 7], [192, 0, 2, 60], transport);
        assert_eq!(told["flow"]["hash"], format!("0x{hash:016x}"), "{told}");
        let size = told["pool"]["slots"].as_u64().unwrap() as u32;
        assert_eq!(told["pool"]["slot"], PoolDescriptor { offset: 0, size, flags: 0 }.slot(hash), "{told}");
    }
}

#[test]
fn explained_drop_or_pass_is_the_one_that_is_then_counted() {
    require_root!();
    let mut deployment =
        Deployment::with(Topology::pop_and_home(), |config, lab| services(config, lab).no_icmp_errors()).unwrap();
    let rows: [(&str, &[&str]); 6] = [
        ("no_listener", &["tcp", "203.0.113.7:4321", "192.0.2.60:80"]),
        ("no_listener", &["icmp", "203.0.113.7", WEB]),
        ("next_hop_unresolved", &["udp", "203.0.113.7:1", "192.0.2.62:1"]),
        ("ttl_expired", &["udp", "203.0.113.7:1", "192.0.2.60:5000", "--ttl", "1"]),
        ("too_big", &["udp", "203.0.113.7:1", "192.0.2.61:5100", "--length", "581"]),
        ("not_vip", &["tcp", "203.0.113.7:4321", "192.0.2.200:80"]),
    ];
    let before = deployment.pop().stats().unwrap().0;
    let mut told = Vec::new();
    for (outcome, words) in rows {
        let explained = explain(deployment.pop(), words);
        assert_eq!(explained["outcome"], outcome, "{explained}");
        assert!(explained["help"].is_string(), "{explained}");
        let is_drop = outcome != "not_vip";
        assert_eq!(explained["action"], if is_drop { "XDP_DROP" } else { "XDP_PASS" }, "{explained}");
        assert_eq!(explained["headers"], Value::Array(Vec::new()), "{explained}");
        // What comes out of a program that changes nothing is what went in: the packet that was made.
        told.push(parse(explained["frame"].as_str().unwrap()).unwrap());
        let counted = explained["counted"].as_array().unwrap();
        assert_eq!(counted.len(), if is_drop { 3 } else { 1 }, "{explained}");
    }
    let web = explain(deployment.pop(), rows[0].1);
    assert_eq!(web["listener"]["port"], 80, "{web}");
    assert_eq!(web["listener"]["taken_by"], Value::Null, "{web}");
    assert_eq!(deployment.pop().stats().unwrap().0["vips"], before["vips"], "explaining moved a counter");

    raw::send(&deployment.lab.site().transit, "tr_pop0", 0, &told, 1).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let after = deployment.pop().stats().unwrap();
    for (outcome, packets) in [("no_listener", 2), ("next_hop_unresolved", 1), ("ttl_expired", 1), ("too_big", 1)] {
        assert_eq!(after.outcome_packets(outcome), packets, "{outcome}");
    }

    // Everything is in what is pinned.
    deployment.pops[0].kill().unwrap();
    let flow = ["tcp", "203.0.113.7:4321", "192.0.2.60:443", "--syn", "--df"];
    let explained = explain(deployment.pop(), &flow);
    assert_eq!((&explained["outcome"], &explained["vip"]["name"]), (&"forwarded".into(), &"web".into()), "{explained}");
    assert_eq!(explained["listener"]["taken_by"], "tcp/443", "{explained}");
    assert_eq!(explained["flow"]["hashed_ports"], serde_json::json!([4321, 443]), "{explained}");
    let text = deployment.pop().run_cli(&[&["explain"], flow.as_slice()].concat()).unwrap();
    println!("{text}");
    for line in [
        "VIP       web (192.0.2.60)\n",
        "listener  tcp/443\n",
        "backend   10.4.0.2, weight 100, ipip from 10.3.0.2, path MTU 1600\n",
        "next hop  10.3.0.1 ",
        " on bb0, share 16/16\n",
        "action    XDP_REDIRECT to bb0\n",
        "counted   vip web forwarded: 1 packet, 40 bytes\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn backbone_and_one_armed_interfaces_are_explained_as_they_are() {
    require_root!();
    let deployment = Deployment::new(Topology::pop_and_home().one_armed()).unwrap();
    let flow = ["tcp", "203.0.113.7:4321", "192.0.2.44:443"];
    let told = explain(deployment.pop(), &flow);
    assert_eq!((&told["action"], &told["egress"]), (&"XDP_TX".into(), &"in0".into()), "{told}");
    let told = explain(deployment.pop(), &[flow.as_slice(), &["--from", "backbone"]].concat());
    assert_eq!((&told["program"], &told["interface"]), (&"one_arm".into(), &"in0".into()), "{told}");
    drop(deployment);

    let deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let told = explain(deployment.pop(), &[flow.as_slice(), &["--from", "backbone"]].concat());
    assert_eq!((&told["program"], &told["interface"]), (&"backbone".into(), &"bb0".into()), "{told}");
    assert_eq!((&told["action"], &told["vip"]), (&"XDP_PASS".into(), &Value::Null), "{told}");
    let error = deployment.pop().run_cli(&[&["explain"], flow.as_slice(), &["--interface", "eth9"]].concat());
    let error = format!("{:#}", error.unwrap_err());
    assert!(error.contains("the instance has no interface eth9; its interfaces are in0, bb0"), "{error}");
    let error = deployment.pop().run_cli(&[&["explain"], flow.as_slice(), &["--length", "9000"]].concat());
    let error = format!("{:#}", error.unwrap_err());
    assert!(error.contains("the 9014 bytes of packet 1 are more than in0 gives its program, which is attached without fragments: at most 3520"), "{error}");
}
