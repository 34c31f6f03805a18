//! Attaching again and again, and taking away.

use std::{path::Path, time::Duration};

use anycast_tests::{lab::wait::wait_for, require_root};
use anycast_xdp::dataplane::{
    self,
    egress::{self, EgressHook, EgressProgram},
};

use crate::{
    bare::{Bare, interface},
    foreign::Foreign,
    ids,
};

#[test]
fn filter_of_clsact_is_replaced_in_place_and_others_are_left_alone() {
    require_root!();
    let bare = Bare::new("clsact");
    let both = [interface("eth0", true), interface("eth1.7", false)];
    let records = bare.attach(&both, EgressHook::Clsact).unwrap();
    assert!(records.iter().all(|record| record.egress == Some(EgressHook::Clsact)), "{records:?}");
    let first = bare.programs("eth0");
    assert_eq!(first.len(), 1, "it went with the process that attached it");
    let name = format!("{}:{}", egress::PROGRAM, bare.pins.instance());
    assert_eq!(first[0].name, name);

    let foreign = Foreign::attach(&bare.namespace, "eth0", EgressHook::Clsact);
    bare.attach(&both, EgressHook::Clsact).unwrap();
    let second = bare.programs("eth0");
    let own: Vec<_> = second.iter().filter(|program| program.name == name).collect();
    assert_eq!((second.len(), own.len()), (2, 1), "{second:?}");
    assert_ne!(own[0].program_id, first[0].program_id);
    let place = |program: &EgressProgram| program.filter.as_ref().map(|filter| (filter.priority, filter.handle));
    assert_eq!(place(own[0]), place(&first[0]));

    if bare.namespace.enter(|| EgressHook::of_kernel("eth0")).unwrap() == EgressHook::Tcx {
        // A kernel that has tcx takes over from one that had not; the other way round is a downgrade.
        for hook in [EgressHook::Tcx, EgressHook::Clsact] {
            bare.attach(&both, hook).unwrap();
            let programs = bare.programs("eth1.7");
            assert_eq!(programs.iter().map(EgressProgram::hook).collect::<Vec<_>>(), [hook]);
        }
    }

    bare.attach(&both[1..], EgressHook::Clsact).unwrap();
    assert_eq!(ids(&bare.programs("eth0")), [foreign.program_id]);
    assert!(!bare.has_xdp("eth0"));
    assert_eq!(bare.programs("eth1.7").len(), 1);
    assert!(bare.detach());
    assert_eq!(bare.programs("eth1.7"), []);
    assert_eq!(ids(&bare.programs("eth0")), [foreign.program_id]);
}

#[test]
fn interface_that_only_answers_leave_by_gets_no_xdp_program() {
    require_root!();
    let bare = Bare::new("egress");
    let hook = bare.namespace.enter(|| EgressHook::of_kernel("eth0")).unwrap();
    bare.attach(&[interface("eth0", true), interface("eth1.7", true)], hook).unwrap();
    assert!(bare.has_xdp("eth1.7"));
    let records = bare.attach(&[interface("eth0", true), interface("eth1.7", false)], hook).unwrap();
    assert_eq!((&records[1].program, records[1].egress), (&None, Some(hook)));
    assert_eq!((bare.programs("eth0").len(), bare.programs("eth1.7").len()), (1, 1));
    wait_for("XDP to be gone", Duration::from_secs(5), || (!bare.has_xdp("eth1.7")).then_some(())).unwrap();
}

#[test]
fn failed_start_leaves_nothing_at_the_egress_that_was_not_there() {
    require_root!();
    for hook in [EgressHook::Clsact, EgressHook::Tcx] {
        let bare = Bare::new("failed");
        if hook == EgressHook::Tcx && bare.namespace.enter(|| EgressHook::of_kernel("eth0")).unwrap() != EgressHook::Tcx
        {
            continue;
        }
        bare.attach(&[interface("eth0", true)], hook).unwrap();
        let missing = [interface("eth0", true), interface("eth1.7", false), interface("eth9", false)];
        let error = format!("{:#}", bare.attach(&missing, hook).unwrap_err());
        assert!(error.contains("eth9"), "{error}");
        assert_eq!(bare.programs("eth0").len(), 1);
        wait_for("the egress to be free", Duration::from_secs(5), || bare.programs("eth1.7").is_empty().then_some(()))
            .unwrap();
    }
}

#[test]
fn filter_is_taken_away_by_detach_when_everything_else_of_the_instance_is_gone() {
    require_root!();
    let bare = Bare::new("orphan");
    bare.attach(&[interface("eth0", false)], EgressHook::Clsact).unwrap();
    remove(bare.pins.root());
    remove(bare.pins.run());
    assert!(!bare.pins.exist());
    // It is not another instance's.
    assert!(!bare.namespace.enter(|| dataplane::detach("unit-test-never-was").unwrap()).unwrap());
    assert_eq!(bare.programs("eth0").len(), 1);
    assert!(bare.detach());
    assert_eq!(bare.programs("eth0"), []);
    assert!(!bare.detach());
}

#[test]
fn qdisc_in_the_place_of_clsact_is_a_clear_error() {
    require_root!();
    let bare = Bare::new("ingress");
    bare.namespace.run("tc qdisc add dev eth0 ingress").unwrap();
    let error = bare.attach(&[interface("eth0", false)], EgressHook::Clsact).unwrap_err();
    assert!(format!("{error:#}").contains("tc qdisc del dev ... ingress"), "{error:#}");
}

/// Removes a directory and all in it, of bpffs too.
fn remove(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if std::fs::symlink_metadata(&path).unwrap().is_dir() {
            remove(&path);
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::remove_dir(directory).unwrap();
}
