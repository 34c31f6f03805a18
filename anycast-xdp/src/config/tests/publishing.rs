//! `[publish]` and `[[pop]]`, and where prefixes and VIPs are published.

use std::{path::Path, time::Duration};

use super::{SMALL_GATEWAY, SMALL_POP, changed, parse, report};
use crate::desired::{Config, Pop, PublishFacts, Role};

fn accepted(text: &str) -> Config {
    parse(text, Path::new("test.toml")).unwrap_or_else(|errors| panic!("{errors}"))
}

fn facts(text: &str) -> Option<PublishFacts> {
    let Role::Pop(role) = accepted(text).local.role else { panic!("not a pop") };
    role.publish
}

#[test]
fn section_alone_publishes_by_the_defaults() {
    assert_eq!(facts(SMALL_POP), None);
    let defaults = PublishFacts {
        interface: PublishFacts::INTERFACE.to_owned(),
        generic: false,
        hold_down: Duration::from_secs(10),
        drain_signal: Duration::from_secs(5),
        withdraw_without_daemon: None,
    };
    assert_eq!(facts(&format!("{SMALL_POP}[publish]\n")), Some(defaults));
}

#[test]
fn every_key_is_read() {
    let keys = "interface = \"vips0\"\ngeneric = true\nhold_down = \"0s\"\ndrain_signal = \"1m30s\"\nwithdraw_without_daemon = \"10m\"\n";
    let wanted = PublishFacts {
        interface: "vips0".to_owned(),
        generic: true,
        hold_down: Duration::ZERO,
        drain_signal: Duration::from_secs(90),
        withdraw_without_daemon: Some(Duration::from_mins(10)),
    };
    assert_eq!(facts(&format!("{SMALL_POP}[publish]\n{keys}")), Some(wanted));
}

#[test]
fn pops_prefixes_and_vips_say_where() {
    let services = "publish = [\"beijing\"]\n[[prefix]]\nname = \"v4\"\nprefix = \"192.0.2.0/24\"\npublish = [\"beijing\", \"shanghai\"]\n[[pop]]\nname = \"beijing\"\nstate = \"drain\"\nlabels = { country = \"cn\" }\n[[pop]]\nname = \"shanghai\"\n";
    let services = accepted(&format!("{SMALL_POP}{services}")).services;
    assert_eq!(services.vips[0].publish, Some(vec!["beijing".to_owned()]));
    assert_eq!(services.prefixes[0].publish, Some(vec!["beijing".to_owned(), "shanghai".to_owned()]));
    let pop = |name: &str, is_draining| Pop { name: name.to_owned(), is_draining };
    assert_eq!(services.pops, [pop("beijing", true), pop("shanghai", false)]);
}

#[test]
fn all_that_is_wrong_is_told() {
    let wrong = "[publish]\ninterface = \"a/b\"\nhold_down = 10\ndrain_signal = \"2d\"\nwithdraw_without_daemon = \"10ms\"\nmetric = 5\n[[pop]]\nname = \"beijing\"\nstate = \"down\"\n[[pop]]\nname = \"beijing\"\n";
    let wrong = report(format!("{SMALL_POP}{wrong}"));
    for said in [
        "publish.interface",
        "publish.hold_down",
        "publish.drain_signal: `2d` is no duration",
        "publish.withdraw_without_daemon: `10ms` is out of range",
        "publish.metric: no such key in [publish]",
        "pop[0].state: `down` is none of the words",
        "pop[1].name: `beijing` is also pop[0].name",
    ] {
        assert!(wrong.contains(said), "{said} is not in\n{wrong}");
    }
}

#[test]
fn gateway_publishes_nothing() {
    let wrong = report(changed(SMALL_GATEWAY, "[[interface]]", "[publish]\n[[interface]]"));
    assert!(wrong.contains("role \"gateway\" has no [publish]"), "{wrong}");
}
