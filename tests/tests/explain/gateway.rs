//! On a gateway: what comes in tunnels.

use anycast_tests::{
    lab::{
        Topology,
        deployment::{Deployment, MIXES},
        topology::Family,
    },
    packet::Packet,
    require_root,
};
use anycast_xdp::explain::headers::hex;
use serde_json::Value;

use crate::{captured, explain};

#[test]
fn gateway_tells_what_it_takes_off_and_what_is_left() {
    require_root!();
    let deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let (lab, gateway) = (&deployment.lab, &deployment.gateway);
    let before = gateway.stats().unwrap().0;
    let mut frames = Vec::new();
    let mut explained = Vec::new();
    for mix in MIXES {
        let (source, home) = (lab.site().tunnel_source(mix.outer), lab.home_address(mix.outer));
        let client = lab.site().client_address(if mix.vip.is_ipv4() { Family::V4 } else { Family::V6 });
        let inner = Packet::between(client, mix.vip).udp(4321, 5000).payload_len(20).build_ip();
        let frame = Packet::between(source, home).as_outer().encapsulating(&inner).build();
        let told = explain(gateway, &["--hex", &hex(&frame)]);
        assert_eq!((&told["outcome"], &told["action"]), (&"decapsulated".into(), &"XDP_PASS".into()), "{told}");
        assert_eq!(told["vip"]["name"], mix.name, "{told}");
        let headers = told["headers"].as_array().unwrap();
        let outer: String = headers.iter().map(|field| field["bytes"].as_str().unwrap()).collect();
        assert_eq!(outer + &hex(&inner), hex(&frame), "{told}");
        assert_eq!(told["changes"], Value::Array(Vec::new()), "{told}");
        frames.push(frame);
        explained.push(told["frame"].as_str().unwrap().to_owned());
    }
    let stranger = ["--outer-source", "10.99.0.1", "--outer-destination", "10.4.0.2"];
    let flow = ["tcp", "203.0.113.7:4321", "192.0.2.44:443"];
    let told = explain(gateway, &[flow.as_slice(), stranger.as_slice()].concat());
    assert_eq!((&told["outcome"], &told["action"]), (&"source_not_allowed".into(), &"XDP_DROP".into()), "{told}");
    assert_eq!(explain(gateway, &flow)["outcome"], "not_tunnel");
    assert_eq!(gateway.stats().unwrap().0["vips"], before["vips"], "explaining moved a counter");
    let seen = captured(lab, (&lab.routers[0], "rt_home"), (&lab.home, "lb0"), &frames);
    for (number, frame) in explained.iter().enumerate() {
        assert!(seen.contains(frame), "packet {number}: {frame} is not among {seen:#?}");
    }
}
