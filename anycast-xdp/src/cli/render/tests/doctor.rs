//! What `doctor` found, and the checklists that it makes.

use super::{
    super::{checklists, doctor},
    WIDTH,
    examples::address,
};
use crate::doctor::{
    Finding, Place, Report, Severity, Skipped,
    checklist::{Checklist, Step},
    report::InterfaceRow,
};

fn example_report() -> Report {
    let interface = |name: &str, role, known| InterfaceRow {
        name: name.to_owned(),
        roles: vec![role],
        driver: Some("mlx5_core".to_owned()).filter(|_| known),
        mtu_bytes: Some(1500).filter(|_| known),
        rx_queues: Some(8).filter(|_| known),
        xdp: if known { "native" } else { "off" },
        xdp_features: Some(vec!["basic", "redirect", "ndo-xmit"]).filter(|_| known),
    };
    let finding = |severity, code, at, problem: &str, fix: &str| Finding {
        severity,
        code,
        at,
        problem: problem.to_owned(),
        fix: fix.to_owned(),
    };
    Report {
        instance: "default".to_owned(),
        role: "pop",
        pop: "beijing".to_owned(),
        host: "beijing-1".to_owned(),
        kernel: "6.12.43-amd64".to_owned(),
        cpus: 8,
        daemon_pid: Some(4711),
        interfaces: vec![interface("in0", "access", true), interface("bb0", "backbone", false)],
        findings: vec![
            finding(
                Severity::Error,
                "interface_down",
                Place::Interface("bb0".to_owned()),
                "`bb0` is down",
                "ip link set bb0 up",
            ),
            finding(
                Severity::Warning,
                "jit_off",
                Place::Host,
                "the kernel interprets programs",
                "sysctl -w net.core.bpf_jit_enable=1",
            ),
        ],
        skipped: vec![Skipped {
            code: "queues_few",
            at: Place::Interface("bb0".to_owned()),
            reason: "ethtool: Operation not supported".to_owned(),
        }],
        ok: vec!["kernel_too_old", "lro_on"],
    }
}

#[test]
fn doctor_tells_findings_with_their_fixes_and_what_was_not_looked_at() {
    insta::assert_snapshot!(doctor(&example_report(), false, WIDTH));
}

#[test]
fn doctor_lists_the_checks_that_found_nothing_if_asked() {
    insta::assert_snapshot!(doctor(&example_report(), true, WIDTH));
}

#[test]
fn doctor_in_json_has_codes_places_and_everything_that_was_looked_at() {
    insta::assert_json_snapshot!(example_report());
}

#[test]
fn checklist_of_a_backend_has_commands_to_paste() {
    let step = |what: &str, commands: &[&str]| Step {
        what: what.to_owned(),
        commands: commands.iter().map(|command| (*command).to_owned()).collect(),
    };
    let list = Checklist {
        backend: address("10.4.0.2"),
        encap: "ipip".to_owned(),
        pools: vec!["home".to_owned(), "spare".to_owned()],
        vips: vec![address("192.0.2.80")],
        overhead_bytes: 20,
        path_mtu_bytes: Some(1600),
        steps: vec![
            step("the VIPs as its own addresses", &["ip address add 192.0.2.80/32 dev lo"]),
            step("segments that fit a tunnel: they do, packets of 1580 bytes fit", &[]),
        ],
    };
    insta::assert_snapshot!(checklists(&[list]));
}
