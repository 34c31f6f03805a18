//! What is pinned and running.

use super::{
    super::{
        Severity::{Error, Info, Warning},
        facts::{Rise, State},
    },
    Row,
    world::World,
};

pub(super) const ROWS: &[Row] = &[
    Row {
        what: "nothing started",
        world: World::pop_before_start,
        breaks: |_| {},
        says: (Info, "not_started", "instance default", "anycast-xdp run"),
    },
    Row {
        what: "pins that cannot be read",
        world: World::pop,
        breaks: |world| world.facts.instance.state = State::Broken("the inventory is missing".to_owned()),
        says: (Error, "pins_unreadable", "instance default", "systemctl restart anycast-xdp"),
    },
    Row {
        what: "maps of another build",
        world: World::pop_before_start,
        breaks: |world| world.facts.instance.foreign_generation = Some("gen-4-abi-0".to_owned()),
        says: (Info, "pins_of_another_build", "instance default", "systemctl restart anycast-xdp"),
    },
    Row {
        what: "no daemon",
        world: World::pop,
        breaks: |world| world.facts.instance.daemon_pid = None,
        says: (Warning, "daemon_not_running", "instance default", "systemctl start anycast-xdp"),
    },
    Row {
        what: "VIP that was not applied",
        world: World::pop,
        breaks: |world| drop(world.pinned().vips.pop()),
        says: (Warning, "config_not_applied", "instance default", "systemctl restart anycast-xdp"),
    },
    Row {
        what: "tunnels of strangers",
        world: World::gateway,
        breaks: |world| {
            world.pinned().outcomes.insert("source_not_allowed".to_owned(), Rise { total: 9, now: 2 });
        },
        says: (Error, "packets_dropped", "outcome source_not_allowed", "`allowed_sources` in [gateway]"),
    },
    Row {
        what: "drops of yesterday",
        world: World::pop,
        breaks: |world| {
            world.pinned().outcomes.insert("too_big".to_owned(), Rise { total: 9, now: 0 });
        },
        says: (Info, "packets_dropped", "outcome too_big", "MTU of the backbone"),
    },
    Row {
        what: "losses of the driver",
        world: World::pop,
        breaks: |world| {
            world.pinned().losses.insert("bb0".to_owned(), Rise { total: 9, now: 2 });
        },
        says: (Error, "packets_lost", "interface bb0", "ethtool -S bb0"),
    },
];

#[test]
fn packets_that_are_dropped_by_their_own_fault_are_no_finding() {
    let mut world = World::pop();
    let rise = Rise { total: 9, now: 2 };
    world.pinned().outcomes.extend(["no_listener", "ttl_expired", "forwarded"].map(|label| (label.to_owned(), rise)));
    assert_eq!(world.codes(), ["outer_source_single"]);
}

#[test]
fn differences_are_told_by_what_they_are_of() {
    let mut world = World::pop();
    world.config.services.pools[0].backends[0].weight = 7;
    let report = world.report();
    let found = report.findings.iter().find(|finding| finding.code == "config_not_applied").unwrap();
    assert_eq!(found.problem, "the file differs from what runs: backends (1 in the file only, 1 in what runs only)");
}
