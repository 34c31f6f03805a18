//! `anycast-xdp probe` from a client: its figures, and the PoP that it finds.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{net::IpAddr, time::Duration};

use anycast_tests::{
    lab::{
        Lab, Topology,
        client::{Curl, Probe, Probed},
        daemon::PopConfig,
        deployment::{Deployment, MIXES},
        server::{Identity, Nginx, Pace, SMALL_FILE, SlowHttp},
        topology::Family,
    },
    require_root,
};
use serde_json::Value;

/// Port of [`SlowHttp`].
const SLOW_PORT: u16 = 8080;
const BEFORE_HEAD: Duration = Duration::from_millis(80);
const BEFORE_END: Duration = Duration::from_millis(60);
/// Two processes that measure the same on a machine with other work.
const TOLERANCE_SECS: f64 = 0.015;
/// A VIP of which the PoP drops what a walk sends: it has no listener for it.
const WEB: &str = "192.0.2.60";

fn services(config: PopConfig, lab: &Lab) -> PopConfig {
    let config = MIXES.iter().fold(config, |config, mix| {
        config.pool(mix.name, &[lab.home_address(mix.outer)]).vip(mix.name, mix.vip, mix.name)
    });
    config.vip_with_listeners("web", WEB.parse().unwrap(), &["tcp/80"], "v4in4")
}

fn deployment() -> Deployment {
    Deployment::with_gateway(Topology::pop_and_home(), services, |gateway| gateway.vip("web", WEB.parse().unwrap()))
        .unwrap()
}

/// In both families: a VIP of each, and the address that the PoP answers from.
fn vips() -> [(IpAddr, &'static str); 2] {
    [(MIXES[0].vip, "10.2.0.2"), (MIXES[3].vip, "fd00:2::2")]
}

fn url(scheme: &str, address: IpAddr, port: u16) -> String {
    format!("{scheme}://{}/", std::net::SocketAddr::new(address, port))
}

fn slow(deployment: &Deployment, address: IpAddr, unavailable_every: u32) -> SlowHttp {
    let pace = Pace { before_head: BEFORE_HEAD, before_end: BEFORE_END, unavailable_every };
    SlowHttp::start(&deployment.lab.home, address, SLOW_PORT, pace).unwrap()
}

#[test]
fn figures_are_those_of_curl() {
    require_root!();
    let deployment = deployment();
    let client = &deployment.lab.site().client;
    let probe = Probe::new(client, &deployment.lab.scratch).unwrap();
    for (vip, _) in vips() {
        let _slow = slow(&deployment, vip, 0);
        let probed = probe.run(&format!("{} --count 5 --interval 0", url("http", vip, SLOW_PORT))).unwrap();
        assert_eq!(probed.code, 0, "{probed:?}");
        let by_curl: Vec<_> = (0..5).map(|_| Curl::new(client).get_from_port(vip, SLOW_PORT, "/").unwrap()).collect();
        let least =
            |of: fn(&anycast_tests::lab::client::Transfer) -> f64| by_curl.iter().map(of).fold(f64::INFINITY, f64::min);
        for (time, curl_secs, at_least) in [
            ("time_connect", least(|one| one.time_connect), Duration::ZERO),
            ("time_starttransfer", least(|one| one.time_starttransfer), BEFORE_HEAD),
            ("time_total", least(|one| one.time_total), BEFORE_HEAD + BEFORE_END),
        ] {
            let secs = probed.secs(time, "min_secs").unwrap();
            println!("{vip} {time}: {secs:.6} s, curl {curl_secs:.6} s");
            assert!((secs - curl_secs).abs() < TOLERANCE_SECS, "{vip} {time}: {secs} s, curl {curl_secs} s");
            assert!(secs >= at_least.as_secs_f64(), "{vip} {time}: {secs} s");
        }
        let attempts = probed.report["targets"][0]["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 5);
        for attempt in attempts {
            assert_eq!(attempt["status"], by_curl[0].http_code);
            assert_eq!(attempt["size_download_bytes"], by_curl[0].size_download);
            assert_eq!(attempt["address"], vip.to_string());
            assert_eq!(attempt["time_appconnect"], Value::Null);
            let times = ["time_namelookup", "time_connect", "time_starttransfer", "time_total"];
            let secs = times.map(|time| attempt[time].as_f64().unwrap());
            assert!(secs.is_sorted(), "{attempt}");
        }
    }
}

#[test]
fn pop_is_the_router_before_the_vip_and_has_the_name_that_is_given() {
    require_root!();
    let deployment = deployment();
    let lab = &deployment.lab;
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &Deployment::vips()).unwrap();
    let probe = Probe::new(&lab.site().client, &lab.scratch).unwrap();
    for mix in MIXES {
        let pop = if mix.vip.is_ipv4() { "10.2.0.2" } else { "fd00:2::2" };
        let url = url("tcp", mix.vip, 80);
        let probed = probe.run(&format!("{url} --count 1")).unwrap();
        assert_eq!(probed.code, 0, "{probed:?}");
        let path = &probed.report["path"];
        assert_eq!(path["entry"]["address"], pop, "{mix:?}: {path}");
        assert_eq!(path["entry"]["hop"], 2, "{mix:?}: {path}");
        assert_eq!(path["entry"]["certainty"], "last_router", "{mix:?}: {path}");
        assert_eq!(path["before"]["end"], "reached", "{mix:?}: {path}");
        assert_eq!(path["before"]["hops"][2]["address"], mix.vip.to_string(), "{mix:?}: {path}");
        assert_eq!(path["entry_changed"], false, "{mix:?}: {path}");
    }
    let file = lab.scratch.write("pops", "# of the lab\nhongkong=10.2.0.2\nhongkong=fd00:2::2\n").unwrap();
    for (vip, pop) in vips() {
        let list = format!("{} --count 1 --pops {} --pop paris=10.9.9.9", url("tcp", vip, 80), file.display());
        let entry = probe.run(&list).unwrap().report["path"]["entry"].clone();
        assert_eq!((&entry["name"], &entry["certainty"]), (&"hongkong".into(), &"listed".into()), "{entry}");
        assert_eq!(entry["address"], pop);
        let others = format!("{} --count 1 --pop paris=10.9.9.9", url("tcp", vip, 80));
        assert_eq!(probe.run(&others).unwrap().report["path"]["entry"]["certainty"], "not_listed");
    }
    assert!(deployment.pop().stats().unwrap().outcome_packets("ttl_answered") >= 16);
}

#[test]
fn listeners_and_a_silent_home_do_not_hide_the_pop() {
    require_root!();
    let deployment = deployment();
    let lab = &deployment.lab;
    let web: IpAddr = WEB.parse().unwrap();
    lab.home.add_loopback_address(web).unwrap();
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &[web]).unwrap();
    let probe = Probe::new(&lab.site().client, &lab.scratch).unwrap();
    let probed = probe.run(&format!("{} --count 2", url("http", web, 80))).unwrap();
    assert_eq!(probed.code, 0, "{probed:?}");
    assert_eq!(probed.report["targets"][0]["attempts"][0]["size_download_bytes"], SMALL_FILE.len());
    let path = &probed.report["path"];
    assert_eq!((&path["entry"]["address"], &path["before"]["end"]), (&"10.2.0.2".into(), &"silent".into()), "{path}");

    lab.home.ip("link set lb0 down").unwrap();
    for (vip, pop) in vips() {
        let words = format!("{} --count 2 --interval 0 --timeout 300ms", url("http", vip, 80));
        let probed = probe.run(&words).unwrap();
        assert_eq!(probed.code, 10, "{probed:?}");
        let target = &probed.report["targets"][0];
        assert_eq!(target["failed"], 2, "{target}");
        assert_eq!(target["summary"], serde_json::json!({}), "{target}");
        for attempt in target["attempts"].as_array().unwrap() {
            assert_eq!(attempt["failure"]["step"], "connect", "{attempt}");
            assert_eq!(attempt["failure"]["reason"], "nothing within 0.3 s", "{attempt}");
        }
        assert_eq!(probed.report["path"]["entry"]["address"], pop, "{vip}: {}", probed.report["path"]);
    }
}

#[test]
fn refused_attempts_are_failures_and_some_are_not_all() {
    require_root!();
    let deployment = deployment();
    let vip = MIXES[0].vip;
    let _slow = slow(&deployment, vip, 2);
    let probe = Probe::new(&deployment.lab.site().client, &deployment.lab.scratch).unwrap();
    let probed = probe.run(&format!("{} --count 4 --interval 0", url("http", vip, SLOW_PORT))).unwrap();
    assert_eq!(probed.code, 9, "{probed:?}");
    let target = &probed.report["targets"][0];
    assert_eq!((&target["failed"], &target["summary"]["time_total"]["count"]), (&2.into(), &2.into()), "{target}");
    assert_eq!(target["attempts"][1]["failure"]["reason"], "status 503");
    assert_eq!(target["attempts"][1]["status"], 503);

    let closed = probe.run(&format!("{} --count 2 --interval 0", url("tcp", vip, 81))).unwrap();
    assert_eq!(closed.code, 10, "{closed:?}");
    let reason = closed.report["targets"][0]["attempts"][0]["failure"]["reason"].as_str().unwrap();
    assert!(reason.contains("refused"), "{reason}");
}

#[test]
fn direct_way_is_compared() {
    require_root!();
    let deployment = deployment();
    let lab = &deployment.lab;
    let home = lab.home_address(Family::V4);
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &[MIXES[0].vip, home]).unwrap();
    let _slow = slow(&deployment, home, 0);
    let probe = Probe::new(&lab.site().client, &lab.scratch).unwrap();

    let same = format!("{} --compare {} --count 8 --interval 0", url("http", MIXES[0].vip, 80), url("http", home, 80));
    let probed = probe.run(&same).unwrap();
    assert_eq!(probed.code, 0, "{probed:?}");
    let [vip, direct] = [0, 1].map(|index| &probed.report["targets"][index]);
    assert_eq!(vip["attempts"][7]["address"], MIXES[0].vip.to_string());
    assert_eq!(direct["attempts"][7]["address"], home.to_string());
    let total = &probed.report["differences"]["time_total"];
    assert_eq!(total["pairs"], 8, "{total}");
    let bounds = [0, 1].map(|index| total["interval_secs"][index].as_f64().unwrap());
    let median_secs = total["median_secs"].as_f64().unwrap();
    assert!(bounds[0] <= median_secs && median_secs <= bounds[1], "{total}");

    let slow = url("http", home, SLOW_PORT);
    let probed =
        probe.run(&format!("{} --compare {slow} --count 6 --interval 0", url("http", MIXES[0].vip, 80))).unwrap();
    let [connect, total] = ["time_connect", "time_total"].map(|time| &probed.report["differences"][time]);
    assert_eq!(total["verdict"], "faster", "{total}");
    let lost_secs = -total["median_secs"].as_f64().unwrap();
    assert!((lost_secs - (BEFORE_HEAD + BEFORE_END).as_secs_f64()).abs() < 2.0 * TOLERANCE_SECS, "{total}");
    assert!(connect["median_secs"].as_f64().unwrap().abs() < TOLERANCE_SECS, "{connect}");
}

#[test]
fn tls_is_measured_and_certificates_are_checked() {
    require_root!();
    let deployment = deployment();
    let lab = &deployment.lab;
    let identity = rcgen::generate_simple_self_signed(["www.example.com".to_owned()]).unwrap();
    let certificate = lab.scratch.write("certificate.pem", identity.cert.pem()).unwrap();
    let key = lab.scratch.write("key.pem", identity.signing_key.serialize_pem()).unwrap();
    let pem = Identity { certificate: &certificate, key: &key };
    let _nginx = Nginx::start_with_tls(&lab.home, lab.scratch.path(), &[MIXES[0].vip, MIXES[3].vip], &pem).unwrap();
    let client = &lab.site().client;
    let probe = Probe::new(client, &lab.scratch).unwrap();
    let trusting = Probe::new(client, &lab.scratch).unwrap().environment("SSL_CERT_FILE", certificate.clone());
    for (vip, _) in vips() {
        let words = format!("https://www.example.com/ --resolve www.example.com:{vip} --count 2 --interval 0");
        let refused = probe.run(&words).unwrap();
        assert_eq!(refused.code, 10, "{refused:?}");
        let failure = &refused.report["targets"][0]["attempts"][0]["failure"];
        assert_eq!(failure["step"], "tls");
        let reason = failure["reason"].as_str().unwrap();
        assert!(reason.contains("UnknownIssuer") && reason.contains("--insecure"), "{reason}");

        for taken in [probe.run(&format!("{words} --insecure")).unwrap(), trusting.run(&words).unwrap()] {
            assert_eq!(taken.code, 0, "{taken:?}");
            let attempt = &taken.report["targets"][0]["attempts"][1];
            assert_eq!((&attempt["status"], &attempt["address"]), (&200.into(), &vip.to_string().into()));
            let times = ["time_connect", "time_appconnect", "time_starttransfer", "time_total"];
            let secs = times.map(|time| attempt[time].as_f64().unwrap());
            assert!(secs.is_sorted() && secs[1] > secs[0], "{attempt}");
        }
        let other = words.replace("www.example.com", "other.example.com");
        assert_eq!(trusting.run(&other).unwrap().code, 10, "a certificate of another name");
    }
}

#[test]
fn way_that_changes_meanwhile_is_told() {
    require_root!();
    let deployment = deployment();
    let lab = &deployment.lab;
    let vip = MIXES[0].vip;
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &[vip]).unwrap();
    let probe = Probe::new(&lab.site().client, &lab.scratch).unwrap();
    lab.routers[0].ip(&format!("route add {vip}/32 via {}", lab.home_address(Family::V4))).unwrap();
    let words = format!("{} --count 20 --interval 100ms", url("tcp", vip, 80));
    let probed: Probed = std::thread::scope(|scope| {
        let running = scope.spawn(|| probe.run(&words).unwrap());
        // The walk before takes as long as three answers do in this lab.
        std::thread::sleep(Duration::from_secs(1));
        // Past the PoP, as if BGP had moved the prefix.
        lab.site().transit.ip(&format!("route add {vip}/32 via 10.5.0.2")).unwrap();
        running.join().unwrap()
    });
    assert_eq!(probed.code, 0, "{probed:?}");
    let path = &probed.report["path"];
    assert_eq!(path["entry"]["address"], "10.2.0.2", "{path}");
    assert_eq!(path["entry_after"]["address"], "10.5.0.2", "{path}");
    assert_eq!(path["entry_changed"], true, "{path}");
}
