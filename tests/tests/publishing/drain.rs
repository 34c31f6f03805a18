//! A drain tells routers first, lasts through whatever happens to the daemon, and tells what still arrives.

use std::{
    net::SocketAddr,
    thread::sleep,
    time::{Duration, Instant},
};

use anycast_tests::{
    lab::{
        Topology,
        controlled::{Controlled, ServicesFile},
        daemon::daemon_binary,
        stream::{NumberedStream, StreamSpec},
        topology::{Family, VIP_V4},
        wait::wait_for,
    },
    require_root,
};

use super::world::{ALL, PUBLISH, SOON, World, routes, set};

#[test]
fn drain_signals_withdraws_survives_kill_and_ends_at_once() {
    require_root!();
    let mut world = World::new();
    let monitor = world.monitor();
    let began = Instant::now();
    let text = world.pop.run_cli(&["drain"]).unwrap();
    assert!(text.contains("of this host"), "{text}");
    world.wait_for("withdrawal", &set(&[]));
    println!("withdrawn {:?} after the drain began, drain_signal is 1 s", began.elapsed());
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(world.vip("four"), ("withdrawn".to_owned(), "drain".to_owned()));
    // Each changed its metric without ever being away: the new route first.
    let (come, gone) = monitor.changes();
    assert_eq!((come.len(), gone.len()), (ALL.len(), 2 * ALL.len()), "{come:?} {gone:?}");
    assert!(come.iter().all(|route| route.contains("metric 200")), "{come:?}");

    world.pop.kill().unwrap();
    world.pop.resume().unwrap();
    sleep(Duration::from_millis(500));
    assert_eq!(world.routes(), set(&[]), "a restart announces nothing");
    assert_eq!(monitor.changes().0.len(), ALL.len(), "not even for a moment");
    assert_eq!(world.publishing()["drain"]["phase"], "withdrawn");
    world.pop.run_cli(&["undrain"]).unwrap();
    let took = world.wait_for("routes", &set(&ALL));
    println!("published again {took:?} after undrain");
    world.pop.kill().unwrap();
    world.pop.resume().unwrap();
    assert_eq!(world.publishing()["drain"]["host"], false);
}

#[test]
fn drain_waits_until_nothing_arrives_and_tells_what_does() {
    require_root!();
    let world = World::new();
    let lab = &world.lab;
    // No home host decapsulates: what is sent is counted all the same.
    let spec = StreamSpec::new(SocketAddr::new(VIP_V4, 7000), 500);
    let stream = NumberedStream::start_unchecked(&lab.site().client, &lab.home, &spec).unwrap();
    let drain = |wait: &str| {
        let mut command = lab.site().pop.command(daemon_binary());
        command.args(["drain", wait, "--output", "json", "--instance", world.pop.instance()]);
        command.output().unwrap()
    };
    let busy = drain("--wait=100/3s");
    assert_eq!(busy.status.code(), Some(11), "{}", String::from_utf8_lossy(&busy.stderr));
    let report: serde_json::Value = serde_json::from_slice(&busy.stdout).unwrap();
    println!("busy: {report}");
    assert_eq!((&report["drained"], &report["phase"]), (&false.into(), &"withdrawn".into()));
    assert_eq!(report["arriving"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(report["arriving"][0]["address"], VIP_V4.to_string());
    let rate_pps = report["arriving"][0]["rate_pps"].as_f64().unwrap();
    assert!((250.0..750.0).contains(&rate_pps), "{report}");
    stream.stop().unwrap();
    let quiet = drain("--wait");
    assert_eq!(quiet.status.code(), Some(0), "{}", String::from_utf8_lossy(&quiet.stderr));
    let report: serde_json::Value = serde_json::from_slice(&quiet.stdout).unwrap();
    println!("quiet: {report}");
    assert_eq!((&report["drained"], &report["arriving"]), (&true.into(), &serde_json::json!([])));
}

#[test]
fn pop_drains_by_its_object_and_keeps_that_in_the_store() {
    require_root!();
    let mut lab = Controlled::new(Topology::pop_and_home(), &[]).unwrap();
    lab.pop.reload(Controlled::host(&lab.lab).and(PUBLISH).text()).unwrap();
    let services = ServicesFile::default().pool("home", &[(lab.lab.home_address(Family::V4), 1)]);
    lab.api.apply(services.vip("web", VIP_V4, "home", "").text()).unwrap();
    let is = |wanted: &[&str]| {
        let namespace = &lab.lab.site().pop;
        wait_for("routes", SOON, || (routes(namespace) == set(wanted)).then_some(()))
            .unwrap_or_else(|error| panic!("{error}: {:?}, not {wanted:?}", routes(namespace)));
    };
    let (well, drained) = (["192.0.2.0/24 100", "192.0.2.80 100"], ["192.0.2.0/24 200", "192.0.2.80 200"]);
    is(&well);
    lab.pop.run_cli(&["drain", "--pop"]).unwrap();
    is(&drained);
    is(&[]);
    assert!(lab.pop.run_cli(&["get", "pop", "pop0"]).unwrap().contains("drain"));
    assert!(lab.pop.run_cli(&["history"]).unwrap().contains("drain --pop pop0"));
    lab.pop.kill().unwrap();
    lab.pop.resume().unwrap();
    assert_eq!(routes(&lab.lab.site().pop), set(&[]));
    lab.pop.run_cli(&["undrain", "--pop"]).unwrap();
    wait_for("routes", SOON, || (routes(&lab.lab.site().pop) == set(&well)).then_some(())).unwrap();
}
