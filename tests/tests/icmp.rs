//! What the PoP answers by itself, with real pings, traceroutes and transfers.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{net::SocketAddr, time::Duration};

use anycast_tests::{
    lab::{
        Topology,
        client::{Curl, PingReport, ping, udp_round_trip},
        daemon::PopConfig,
        deployment::{Deployment, MIXES, Mix},
        server::{Nginx, UdpEcho},
        topology::Family,
        wait::wait_for,
    },
    require_root,
};

/// A VIP of each of the mixes with this policy.
fn deployment(policy: &str, change: impl Fn(PopConfig) -> PopConfig) -> Deployment {
    let services = |config: PopConfig, lab: &_| {
        let config = MIXES.iter().fold(config, |config, mix: &Mix| {
            let lab: &anycast_tests::lab::Lab = lab;
            let config = config.pool(mix.name, &[lab.home_address(mix.outer)]);
            config.vip(mix.name, mix.vip, mix.name).icmp_echo(policy)
        });
        change(config)
    };
    Deployment::with(Topology::pop_and_home(), services).unwrap()
}

#[test]
fn ping_is_answered_by_the_pop_while_the_home_host_is_down() {
    require_root!();
    let deployment = deployment("answer", |config| config);
    let client = &deployment.lab.site().client;
    deployment.lab.home.ip("link set lb0 down").unwrap();
    for mix in MIXES {
        assert_eq!(ping(client, mix.vip, 5, 1000).unwrap(), PingReport { sent: 5, received: 5 }, "{mix:?}");
        assert_eq!(deployment.pop().stats().unwrap().vip_packets(mix.name, "answered"), 5, "{mix:?}");
    }
    let stats = deployment.pop().stats().unwrap();
    assert_eq!(stats.outcome_packets("echo_answered"), 20);
    stats.assert_law();
    assert!(deployment.pop().run_cli(&["vips"]).unwrap().contains("answer"));
}

#[test]
fn ping_is_forwarded_and_dropped_as_the_policy_says() {
    require_root!();
    for (policy, received) in [("forward", 5), ("drop", 0)] {
        let deployment = deployment(policy, |config| config);
        let client = &deployment.lab.site().client;
        for mix in MIXES {
            let report = ping(client, mix.vip, 5, 56).unwrap();
            assert_eq!(report, PingReport { sent: 5, received }, "{policy} {mix:?}");
        }
        let stats = deployment.pop().stats().unwrap();
        assert_eq!(stats.outcome_packets("echo_policy"), if policy == "drop" { 20 } else { 0 });
        stats.assert_law();
    }
}

#[test]
fn pings_over_the_rate_are_dropped_and_counted() {
    require_root!();
    let deployment = deployment("answer", |config| config.echo_rate_pps(10));
    let report = ping(&deployment.lab.site().client, MIXES[0].vip, 100, 56).unwrap();
    // 2 seconds at 10 a second, and a burst of 2; slower where the machine is.
    assert!((10..=60).contains(&report.received), "{report:?}");
    let stats = deployment.pop().stats().unwrap();
    assert_eq!(stats.outcome_packets("echo_answered"), u64::from(report.received));
    assert_eq!(stats.outcome_packets("echo_limited"), u64::from(100 - report.received));
    stats.assert_law();
    let status = deployment.pop().status().unwrap();
    assert_eq!(status["icmp"]["echo_rate_pps"], 10);
    assert_eq!(status["icmp"]["source_ipv4"], "10.2.0.2");
    assert_eq!(status["icmp"]["source_ipv6"], "fd00:2::2");
}

#[test]
fn traceroute_and_mtr_show_the_pop_and_reach_the_vip() {
    require_root!();
    let deployment = deployment("forward", |config| config);
    let lab = &deployment.lab;
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &Deployment::vips()).unwrap();
    for mix in MIXES {
        let pop = if mix.vip.is_ipv4() { "10.2.0.2" } else { "fd00:2::2" };
        let tools = [
            "traceroute -n -q 1 -w 1 -m 6",
            "traceroute -n -q 1 -w 1 -m 6 -I",
            "traceroute -n -q 1 -w 1 -m 6 -T -p 80",
            "mtr -n --report -c 1",
        ];
        for tool in tools {
            let text = lab.site().client.run(&format!("{tool} {}", mix.vip)).unwrap();
            let hops = hops(&text);
            assert_eq!(hops.get(1).map(String::as_str), Some(pop), "{tool}:\n{text}");
            assert_eq!(hops.get(2), Some(&mix.vip.to_string()), "{tool}:\n{text}");
        }
    }
    let stats = deployment.pop().stats().unwrap();
    assert!(stats.outcome_packets("ttl_answered") >= 16);
    stats.assert_law();
}

/// The address in each line that begins with a number: `2  10.2.0.2  0.1 ms`, `2.|-- 10.2.0.2  0.0%`.
fn hops(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("traceroute"));
    let lines = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_digit()));
    lines.filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect()
}

#[test]
fn uploads_and_datagrams_find_the_mtu_of_a_small_backbone() {
    require_root!();
    let deployment = deployment("forward", PopConfig::allow_small_mtu);
    let lab = &deployment.lab;
    let (client, pop) = (&lab.site().client, deployment.pop());
    lab.routers[0].ip("link set rt_pop0 mtu 1400").unwrap();
    lab.site().pop.ip("link set bb0 mtu 1400").unwrap();
    let follows = || {
        let status = pop.status().unwrap();
        status["backends"].as_array().unwrap().iter().all(|backend| backend["mtu_bytes"] == 1400).then_some(())
    };
    wait_for("MTU of 1400 in the tables", Duration::from_secs(5), follows).unwrap();
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &Deployment::vips()).unwrap();
    let file = lab.scratch.write("upload", vec![b'u'; 8_000_000]).unwrap();
    for mix in MIXES {
        let curl = Curl::new(client).limit(Duration::from_secs(10));
        let transfer = curl.put(&file, mix.vip, &format!("/upload/{}", mix.name)).unwrap();
        assert_eq!(transfer.size_upload, 8_000_000, "{mix:?}");
        let outer_bytes = if mix.outer == Family::V4 { 20 } else { 40 };
        let route = client.ip(&format!("route get {}", mix.vip)).unwrap();
        assert!(route.contains(&format!("mtu {}", 1400 - outer_bytes)), "{mix:?}: {route}");
        let _echo = UdpEcho::start(&lab.home, mix.vip, 5000).unwrap();
        udp_round_trip(client, SocketAddr::new(mix.vip, 5000), &[0x5a; 9000]).unwrap();
    }
    let stats = pop.stats().unwrap();
    assert!(stats.outcome_packets("too_big_answered") >= 4);
    stats.assert_law();
}

#[test]
fn large_pings_and_datagrams_are_reassembled_at_the_home_host() {
    require_root!();
    let deployment = deployment("forward", |config| config);
    let lab = &deployment.lab;
    for mix in MIXES {
        let text = lab.site().client.run(&format!("ping -n -q -c 3 -i 0.02 -W 1 -s 3000 {}", mix.vip)).unwrap();
        assert!(text.contains(" 3 received"), "{mix:?}: {text}");
        let _echo = UdpEcho::start(&lab.home, mix.vip, 5000).unwrap();
        udp_round_trip(&lab.site().client, SocketAddr::new(mix.vip, 5000), &[0x5a; 9000]).unwrap();
    }
    deployment.pop().stats().unwrap().assert_law();
}
