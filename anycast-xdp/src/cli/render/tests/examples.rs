//! What the tables show.

use std::{collections::BTreeMap, net::IpAddr};

use anycast_common::map::Counter;

use crate::{
    desired::{HashOn, Icmp, IcmpEcho, Returns, State},
    view::{
        Attachment, BackendStats, BackendStatus, BindingStatus, Count, InterfaceStats, MtuSource, NextHopStatus,
        PoolShare, ReturnStats, ReturnsStatus, Stats, Status, TableFill, VipRow, VipStats,
    },
};

pub fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn count(packets: u64, bytes: u64) -> Count {
    Count(Counter { packets, bytes })
}

fn attachment((interface, ifindex, program, program_id, frags): (&str, u32, &str, u32, bool)) -> Attachment {
    let (interface, program) = (interface.to_owned(), program.to_owned());
    let (asked, mode) = (Some("auto".to_owned()), "native".to_owned());
    Attachment { interface, ifindex, hook: "xdp", program, program_id, asked, mode, frags }
}

/// A PoP in the middle of its work.
pub fn example_status() -> Status {
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
        is_down_by_health: at == "10.5.0.3",
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
                failover: "local".to_owned(),
                failback: "5s".to_owned(),
                active: Some("home".to_owned()),
                shares: vec![PoolShare { pool: "home".to_owned(), percent: 100.0 }],
                reason: String::new(),
                in_transition: false,
            },
            BindingStatus {
                pools: vec!["home".to_owned(), "spare".to_owned()],
                vips: 100_000,
                failover: "local".to_owned(),
                failback: "manual".to_owned(),
                active: Some("home".to_owned()),
                shares: vec![
                    PoolShare { pool: "home".to_owned(), percent: 10.0 },
                    PoolShare { pool: "spare".to_owned(), percent: 90.0 },
                ],
                reason: "home has a dial of 10 %".to_owned(),
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

/// What it counted.
pub fn example_stats() -> Stats {
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
        probes: BTreeMap::from([
            ("forwarded".to_owned(), count(40, 2400)),
            ("probe_answered".to_owned(), count(20, 1200)),
        ]),
        interfaces: vec![losses],
    }
}

/// VIPs with listeners, without, and one that has no pool.
pub fn example_vips() -> Vec<VipRow> {
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

/// The example two seconds later: 2,000,000 packets of 100 bytes more were received and forwarded, as many answers of 1000
/// bytes went back, and ten did not.
pub fn later() -> Stats {
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
