//! Daemon and watchdog with the rights that their units give them, and no others.

use std::{sync::Arc, time::Duration};

use anycast_tests::{
    lab::{
        Topology,
        sandbox::{Machine, SandboxedDaemon},
        topology::Family,
        wait::wait_for,
    },
    require_root,
};

use super::world::{ALL, PUBLISH, SOON, config, routes, set};

#[test]
fn units_give_what_publishing_drains_and_the_watchdog_need() {
    require_root!();
    let lab = Topology::pop_and_home().build().unwrap();
    let host = &lab.site().pop;
    let home = host.ip(&format!("route get {}", lab.home_address(Family::V4))).unwrap();
    let way = home.split_whitespace().skip_while(|word| *word != "via").take(4).collect::<Vec<_>>().join(" ");
    host.ip(&format!("route add 10.99.0.2/32 {way}")).unwrap();
    let machine = Arc::new(Machine::new(&lab.scratch).unwrap());
    let config = config(&lab).and(PUBLISH).and("withdraw_without_daemon = \"10m\"\n");
    machine.prepare(config.instance()).unwrap();
    let mut pop = SandboxedDaemon::start(&machine, host, &lab.scratch, config.instance(), config.text()).unwrap();
    let become_set = |what: &str, wanted: &[&str]| {
        wait_for(what, SOON, || (routes(host) == set(wanted)).then_some(()))
            .unwrap_or_else(|error| panic!("{error}: {:?}", routes(host)));
    };
    become_set("routes", &ALL);
    // Its file is in the directory of the store.
    pop.run_cli(&["drain"]).unwrap();
    become_set("no routes", &[]);
    pop.kill().unwrap();
    pop.resume(&[]).unwrap();
    assert_eq!(routes(host), set(&[]));
    pop.run_cli(&["undrain"]).unwrap();
    become_set("routes after the drain", &ALL);

    let watchdog = pop.watchdog().unwrap();
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(routes(host), set(&ALL), "{}", watchdog.log());
    pop.kill().unwrap();
    let pins = "find /run/anycast-xdp/.bpf -name in0 -exec rm {} +";
    assert!(machine.root(host).args(["sh", "-c", pins]).status().unwrap().success());
    become_set("withdrawal", &[]);
    pop.resume(&[]).unwrap();
    become_set("routes after all", &ALL);
    let log = watchdog.log();
    assert_eq!(log.matches("no program of this instance runs on in0").count(), 1, "{log}");
    assert!(!log.contains("cannot be set"), "{log}");
}
