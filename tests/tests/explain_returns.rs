//! `explain` tells the way of an answer that is on it, on the gateway and on the PoP.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use anycast_tests::{
    lab::{
        Topology,
        client::{PingReport, ping},
        daemon::Daemon,
        deployment::{Deployment, MIXES},
        returns::GUE,
        topology::Family,
    },
    require_root,
};
use serde_json::Value;

fn explain(daemon: &Daemon, words: &[&str]) -> Value {
    let text = daemon.run_cli(&[&["explain"], words, &["--output", "json"]].concat()).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn answer_is_explained_from_the_stack_of_the_home_host_to_the_client() {
    require_root!();
    let deployment = Deployment::returning(Topology::pop_and_home(), GUE, |pop| pop, |gateway| gateway).unwrap();
    let site = deployment.lab.site();
    for mix in MIXES {
        assert_eq!(ping(&site.client, mix.vip, 2, 56).unwrap(), PingReport { sent: 2, received: 2 });
        let before = [&deployment.gateway, deployment.pop()].map(|daemon| daemon.stats().unwrap().0["vips"].clone());
        let (port, client) = match mix.vip {
            std::net::IpAddr::V4(vip) => (format!("{vip}:443"), format!("{}:4321", site.client_address(Family::V4))),
            std::net::IpAddr::V6(vip) => {
                (format!("[{vip}]:443"), format!("[{}]:4321", site.client_address(Family::V6)))
            }
        };
        let told = explain(&deployment.gateway, &["tcp", &port, &client]);
        assert_eq!((&told["program"], &told["outcome"]), (&"gateway_return".into(), &"returned".into()), "{told}");
        assert_eq!(told["pop"]["address"], site.tunnel_source(mix.outer).to_string(), "{told}");
        assert_eq!(told["pop"]["encap"], "gue port 6080", "{told}");
        assert_eq!((&told["vip"]["name"], &told["egress"]), (&mix.name.into(), &"lb0".into()), "{told}");

        // What leaves there is what comes in here.
        let frame = told["frame"].as_str().unwrap().to_owned();
        let told = explain(deployment.pop(), &["--hex", &frame, "--from", "backbone"]);
        assert_eq!((&told["program"], &told["outcome"]), (&"backbone".into(), &"returned".into()), "{told}");
        assert_eq!((&told["vip"]["name"], &told["action"]), (&mix.name.into(), &"XDP_REDIRECT".into()), "{told}");
        assert_eq!(told["egress"], "in0", "{told}");
        let after = [&deployment.gateway, deployment.pop()].map(|daemon| daemon.stats().unwrap().0["vips"].clone());
        assert_eq!(after, before, "explaining moved a counter");
    }
}
