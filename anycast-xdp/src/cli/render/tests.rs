//! What the tables look like at 80 columns.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use anycast_common::map::Counter;

mod explained;
mod services;

use super::{Rates, checklists, doctor, rates, stats, status, vips};
use crate::{
    desired::{HashOn, Icmp, IcmpEcho, Returns, State},
    doctor::{
        Finding, Place, Report, Severity, Skipped,
        checklist::{Checklist, Step},
        report::InterfaceRow,
    },
    view::{
        Attachment, BackendStats, BackendStatus, BindingStatus, Count, InterfaceStats, MtuSource, NextHopStatus,
        ReturnStats, ReturnsStatus, Stats, Status, TableFill, VipRow, VipStats,
    },
};

const WIDTH: Option<u16> = Some(80);

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn count(packets: u64, bytes: u64) -> Count {
    Count(Counter { packets, bytes })
}

fn attachment((interface, ifindex, program, program_id, frags): (&str, u32, &str, u32, bool)) -> Attachment {
    let (interface, program) = (interface.to_owned(), program.to_owned());
    let (asked, mode) = (Some("auto".to_owned()), "native".to_owned());
    Attachment { interface, ifindex, hook: "xdp", program, program_id, asked, mode, frags }
}

fn example_status() -> Status {
    let next_hop = |interface: &str, mac: &str, sixteenths| NextHopStatus {
        interface: interface.to_owned(),
        mac: mac.to_owned(),
        sixteenths,
    };
    let backend = |at: &str, (mtu_bytes, mtu_source, mtu_left_secs), next_hops| BackendStatus {
        pool: "home".to_owned(),
        address: address(at),
        weight: 100,
        encap: "gre key 7".to_owned(),
        state: State::Up,
        mtu_bytes,
        mtu_source,
        mtu_left_secs,
        next_hops,
    };
    Status {
        instance: "default".to_owned(),
        role: "pop".to_owned(),
        pop: "beijing".to_owned(),
        host: "beijing-1".to_owned(),
        abi_version: 1,
        generation: 7,
        daemon_pid: Some(4711),
        attachments: [("in0", 7, "pop", 142, false), ("bb0", 8, "backbone", 143, true)].map(attachment).to_vec(),
        icmp: Some(Icmp {
            source_ipv4: Some("10.2.0.2".parse().expect("an address")),
            source_ipv6: Some("fd00:2::2".parse().expect("an address")),
            ..Icmp::default()
        }),
        tables: vec![TableFill { name: "VIPS".to_owned(), used: 41, capacity: 4096 }],
        returns: vec![
            ReturnsStatus { returns: Returns::Direct, vips: 3 },
            ReturnsStatus { returns: Returns::Pop, vips: 40 },
        ],
        bindings: vec![
            BindingStatus {
                pools: vec!["home".to_owned()],
                vips: 2,
                active: Some("home".to_owned()),
                reason: String::new(),
                in_transition: false,
            },
            BindingStatus {
                pools: vec!["home".to_owned(), "spare".to_owned()],
                vips: 100_000,
                active: Some("spare".to_owned()),
                reason: "home has no backend with a way".to_owned(),
                in_transition: true,
            },
        ],
        backends: vec![
            backend("10.4.0.2", (1600, Some(MtuSource::Route), None), vec![next_hop("bb0", "02:00:00:00:00:01", 16)]),
            backend(
                "fd00:4::2",
                (1450, Some(MtuSource::Learnt), Some(543)),
                vec![next_hop("bb0", "02:00:00:00:00:01", 8), next_hop("bb1", "02:00:00:00:00:02", 8)],
            ),
            backend("10.5.0.3", (1400, Some(MtuSource::Configured), None), Vec::new()),
            backend("10.5.0.2", (0, None, None), Vec::new()),
        ],
    }
}

fn example_stats() -> Stats {
    let reasons =
        BTreeMap::from([("no_listener".to_owned(), count(5, 300)), ("ttl_expired".to_owned(), count(2, 128))]);
    let web = VipStats {
        name: "web".to_owned(),
        address: address("192.0.2.80"),
        received: count(12_345_678, 9_876_543_210),
        forwarded: count(12_345_668, 9_876_542_000),
        answered: count(0, 0),
        passed: count(3, 782),
        dropped: count(7, 428),
        reasons,
        returns: ReturnStats {
            returned: count(23_456_789, 34_567_890_123),
            outcomes: BTreeMap::from([("no_return_route".to_owned(), count(3, 180))]),
        },
    };
    let quiet = VipStats {
        name: "a-vip-with-a-long-name".to_owned(),
        address: address("2001:db8::80"),
        received: Count::default(),
        forwarded: Count::default(),
        answered: Count::default(),
        passed: Count::default(),
        dropped: Count::default(),
        reasons: BTreeMap::new(),
        returns: ReturnStats::default(),
    };
    let backend = BackendStats {
        pool: "home".to_owned(),
        address: address("10.4.0.2"),
        forwarded: count(12_345_668, 9_876_542_000),
    };
    let losses = InterfaceStats {
        interface: "bb0".to_owned(),
        xdp_losses: BTreeMap::from([("devmap_xmit".to_owned(), 12)]),
        nic: BTreeMap::from([("tx_queue_0_xdp_xmit_errors".to_owned(), 12), ("rx_dropped".to_owned(), 0)]),
    };
    let outcomes = BTreeMap::from([
        ("no_listener".to_owned(), count(5, 300)),
        ("not_vip".to_owned(), count(1000, 64_000)),
        ("ttl_expired".to_owned(), count(2, 128)),
    ]);
    Stats {
        instance: "default".to_owned(),
        vips: vec![web, quiet],
        backends: vec![backend],
        outcomes,
        interfaces: vec![losses],
    }
}

fn example_vips() -> Vec<VipRow> {
    let row = |name: &str, at: &str, listeners: &[&str], pool: Option<&str>| VipRow {
        name: name.to_owned(),
        address: address(at),
        listeners: listeners.iter().map(ToString::to_string).collect(),
        hash: pool.map(|_| HashOn::default_of(!listeners.is_empty())),
        pool: pool.map(str::to_owned),
        icmp_echo: pool.map(|_| IcmpEcho::Forward),
        returns: if pool.is_none() { Returns::PopOrDrop } else { Returns::Direct },
        fallback_pools: pool.iter().filter(|_| listeners.is_empty()).map(|_| "spare".to_owned()).collect(),
    };
    vec![
        row("game", "192.0.2.10", &[], Some("home")),
        row(
            "web",
            "2001:db8:1234:5678:9abc:def0:1234:5678",
            &["tcp/80", "tcp/443", "udp/5000-5100", "icmpv6"],
            Some("home"),
        ),
        row("at-home", "192.0.2.11", &["tcp/80"], None),
    ]
}

#[test]
fn status_of_a_running_pop_shows_attachments_backends_and_tables() {
    insta::assert_snapshot!(status(&example_status(), WIDTH));
}

#[test]
fn status_without_daemon_says_what_that_means() {
    let stopped = Status {
        daemon_pid: None,
        attachments: Vec::new(),
        icmp: None,
        tables: Vec::new(),
        returns: Vec::new(),
        backends: Vec::new(),
        ..example_status()
    };
    insta::assert_snapshot!(status(&stopped, WIDTH));
}

#[test]
fn vips_wrap_within_80_columns() {
    insta::assert_snapshot!(vips(&example_vips(), WIDTH));
}

#[test]
fn vips_without_terminal_stand_on_one_line_each() {
    assert_eq!(vips(&example_vips(), None).lines().count(), 1 + example_vips().len());
}

#[test]
fn stats_show_packets_bytes_reasons_and_losses() {
    insta::assert_snapshot!(stats(&example_stats(), WIDTH));
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    let rates_of = Rates::between(&example_stats(), &later(), Duration::from_secs(1));
    for text in [
        status(&example_status(), WIDTH),
        vips(&example_vips(), WIDTH),
        stats(&example_stats(), WIDTH),
        rates(&rates_of, WIDTH),
    ] {
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

/// The example two seconds later: 2,000,000 packets of 100 bytes more were received and forwarded, as many answers of 1000
/// bytes went back, and ten did not.
fn later() -> Stats {
    let mut stats = example_stats();
    let vip = &mut stats.vips[0];
    for Count(counter) in [&mut vip.received, &mut vip.forwarded] {
        counter.packets += 2_000_000;
        counter.bytes += 200_000_000;
    }
    let Count(returned) = &mut vip.returns.returned;
    returned.packets += 2_000_000;
    returned.bytes += 2_000_000_000;
    vip.returns.outcomes.insert("not_returner".to_owned(), count(10, 600));
    stats
}

#[test]
fn rates_are_differences_per_second() {
    let rates_of = Rates::between(&example_stats(), &later(), Duration::from_secs(2));
    insta::assert_snapshot!(rates(&rates_of, WIDTH));
}

#[test]
fn rates_in_json_are_exact() {
    let rates_of = Rates::between(&example_stats(), &later(), Duration::from_millis(2001));
    insta::assert_json_snapshot!(rates_of);
}

#[test]
fn counters_that_fell_count_from_zero() {
    let rates_of = Rates::between(&later(), &example_stats(), Duration::from_secs(1));
    assert_eq!(rates_of.vips[0].received.packets, 12_345_678);
}

#[test]
fn vip_that_appeared_counts_from_zero() {
    let earlier = Stats { vips: Vec::new(), ..example_stats() };
    let rates_of = Rates::between(&earlier, &example_stats(), Duration::from_secs(1));
    assert_eq!(rates_of.vips[0].dropped.packets, 7);
}

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
