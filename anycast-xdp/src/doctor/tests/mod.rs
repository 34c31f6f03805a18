//! Every check against made-up facts: a host that is well, and one thing that is not.

mod axp;
mod driver;
mod gateway;
mod instance;
mod returns;
mod rights;
mod system;
mod unknown;
mod ways;
mod world;

use std::collections::BTreeSet;

use self::world::World;
use super::{Severity, checks};

/// One thing that is wrong.
struct Row {
    /// What is wrong.
    what: &'static str,
    /// The world before.
    world: fn() -> World,
    /// Makes it wrong.
    breaks: fn(&mut World),
    /// Severity, code, place, and a part of the fix.
    says: (Severity, &'static str, &'static str, &'static str),
}

/// All rows of all families.
fn rows() -> impl Iterator<Item = &'static Row> {
    system::ROWS
        .iter()
        .chain(driver::ROWS)
        .chain(ways::ROWS)
        .chain(gateway::ROWS)
        .chain(instance::ROWS)
        .chain(returns::ROWS)
        .chain(rights::ROWS)
        .chain(axp::ROWS)
}

#[test]
fn worlds_that_are_well_have_no_findings_but_what_a_single_source_deserves() {
    assert_eq!(World::pop().codes(), ["outer_source_single"]);
    assert_eq!(World::gateway().codes(), [""; 0]);
    assert_eq!(World::pop_before_start().codes(), ["outer_source_single", "not_started"]);
}

#[test]
fn every_breakage_is_found_where_it_is_with_its_fix() {
    for Row { what, world, breaks, says: (severity, code, place, fix) } in rows() {
        let mut world = world();
        breaks(&mut world);
        let report = world.report();
        let found = report.findings.iter().find(|finding| finding.code == *code && finding.at.to_string() == *place);
        let found = found.unwrap_or_else(|| panic!("{what}: no {code} at {place} among {:#?}", report.findings));
        assert_eq!(found.severity, *severity, "{what}: {found:#?}");
        assert!(found.fix.contains(fix), "{what}: {found:#?}");
    }
}

#[test]
fn every_check_has_a_breakage() {
    let tested: BTreeSet<_> = rows().map(|row| row.says.1).collect();
    let untested: Vec<_> = checks::all().map(|check| check.code).filter(|code| !tested.contains(code)).collect();
    // That one is in the world that is well.
    assert_eq!(untested, ["outer_source_single"]);
}

#[test]
fn codes_are_unique_and_what_is_found_is_declared() {
    let codes: BTreeSet<_> = checks::all().map(|check| check.code).collect();
    assert_eq!(codes.len(), checks::all().count());
    for Row { what, says: (severity, code, ..), .. } in rows() {
        let check = checks::all().find(|check| check.code == *code);
        assert!(check.is_some_and(|check| check.severities.contains(severity)), "{what}");
    }
}

#[test]
fn findings_are_worst_first_and_the_worst_is_told() {
    let mut world = World::pop();
    world.facts.system.kernel = "5.15.0".to_owned();
    world.facts.system.cpus_possible = 512;
    let report = world.report();
    let severities: Vec<_> = report.findings.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Error, Severity::Warning, Severity::Info]);
    assert_eq!(report.worst(), Some(Severity::Error));
    assert_eq!(World::gateway().report().worst(), None);
}
