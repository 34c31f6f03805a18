//! The program of a daemon, through whose gateway packets go.

use std::{sync::Arc, time::Duration};

use anycast_tests::{
    lab::{
        Topology,
        daemon::{Daemon, daemon_binary},
        deployment::Deployment,
        wait::wait_for,
    },
    require_root,
};
use anycast_xdp::dataplane::{
    egress::{self, EgressHook},
    pins::Pins,
};
use aya::programs::links::{FdLink, PinnedLink};

use crate::{foreign::Foreign, ids, programs};

/// Id of the link that is pinned for an interface.
fn link_id(pins: &Pins, interface: &str) -> u32 {
    FdLink::from(PinnedLink::from_pin(pins.egress_link(interface)).unwrap()).info().unwrap().id()
}

/// Hook, mode and id of the program at the egress of an interface, as `status` shows it.
fn shown(daemon: &Daemon, interface: &str) -> (String, String, u32) {
    let status = daemon.status().unwrap();
    let rows = status["attachments"].as_array().unwrap();
    let row = rows.iter().find(|row| row["interface"] == interface && row["program"] == egress::PROGRAM);
    let row = row.unwrap_or_else(|| panic!("{interface} is not in {status}"));
    let text = |field: &str| row[field].as_str().unwrap().to_owned();
    (text("hook"), text("mode"), row["program_id"].as_u64().unwrap() as u32)
}

#[test]
fn program_for_answers_stays_after_a_kill_and_is_swapped_at_a_restart() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let home = Arc::clone(&deployment.lab.home);
    let interface = deployment.lab.home_interfaces().remove(0);
    let hook = home.enter(|| EgressHook::of_kernel(&interface)).unwrap();
    let pins = Pins::of(deployment.gateway.instance());
    let own = ids(&programs(&home, &interface));
    assert_eq!(own.len(), 1);
    assert_eq!(shown(&deployment.gateway, &interface), (hook.label().to_owned(), "attached".to_owned(), own[0]));
    let text = deployment.gateway.run_cli(&["status"]).unwrap();
    assert!(text.contains(egress::PROGRAM) && text.contains(hook.label()), "{text}");

    let foreign = Foreign::attach(&home, &interface, hook);
    let link = (hook == EgressHook::Tcx).then(|| link_id(&pins, &interface));
    deployment.gateway.kill().unwrap();
    assert_eq!(shown(&deployment.gateway, &interface).2, own[0], "it is gone with the daemon");
    deployment.gateway.resume().unwrap();
    let after = ids(&programs(&home, &interface));
    assert_eq!(after.len(), 2, "{after:?}");
    assert!(after.contains(&foreign.program_id) && !after.contains(&own[0]), "{after:?} after {own:?}");
    if let Some(link) = link {
        assert_eq!(link_id(&pins, &interface), link, "the link was made anew, and for a moment there was none");
        assert_eq!(after[1], foreign.program_id, "others come before it");
    }

    // An interface that comes and goes with the configuration.
    home.ip("link add spare0 type veth peer name spare1").unwrap();
    home.ip("link set spare0 up").unwrap();
    home.ip("link set spare1 up").unwrap();
    let config = std::fs::read_to_string(deployment.gateway.config_path()).unwrap();
    let more = format!("{config}\n[[interface]]\nname = \"spare0\"\nroles = [\"backbone\"]\nattach = \"generic\"\n");
    deployment.gateway.reload(&more).unwrap();
    assert_eq!(programs(&home, "spare0").len(), 1);
    deployment.gateway.reload(&config).unwrap();
    assert_eq!(programs(&home, "spare0"), []);
    assert_eq!(programs(&home, &interface).len(), 2);

    let Deployment { gateway, .. } = deployment;
    gateway.detach().unwrap();
    assert_eq!(ids(&programs(&home, &interface)), [foreign.program_id]);
}

#[test]
fn doctor_tells_of_another_program_and_of_a_missing_one() {
    require_root!();
    let deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let home = Arc::clone(&deployment.lab.home);
    let interface = deployment.lab.home_interfaces().remove(0);
    let codes = || {
        let config = deployment.gateway.config_path().to_str().unwrap();
        let mut command = home.command(daemon_binary());
        command.args(["doctor", "--config", config, "--output", "json"]);
        let output = command.output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let codes = report["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap());
        codes.filter(|code| code.starts_with("egress_")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(codes(), [""; 0]);
    let hook = home.enter(|| EgressHook::of_kernel(&interface)).unwrap();
    let foreign = Foreign::attach(&home, &interface, hook);
    assert_eq!(codes(), ["egress_foreign"]);
    drop(foreign);
    match hook {
        EgressHook::Tcx => {
            std::fs::remove_file(Pins::of(deployment.gateway.instance()).egress_link(&interface)).unwrap();
        }
        EgressHook::Clsact => {
            let instance = deployment.gateway.instance();
            home.enter(|| egress::remove_own_filters(instance, |_| false).unwrap()).unwrap();
        }
    }
    wait_for("the link to be gone", Duration::from_secs(5), || programs(&home, &interface).is_empty().then_some(()))
        .unwrap();
    assert_eq!(shown(&deployment.gateway, &interface).1, "detached");
    assert_eq!(codes(), ["egress_detached"]);
}
