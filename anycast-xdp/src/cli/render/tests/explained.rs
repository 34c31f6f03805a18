//! What `explain` looks like, and that its JSON is what the page on it says.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    WIDTH,
    examples::{address, count},
};
use crate::{
    cli::render::explain,
    explain::{changes, headers},
    view::{
        Explained, ExplainedBackend, ExplainedCount, ExplainedFlow, ExplainedListener, ExplainedNextHop, ExplainedPool,
        ExplainedPop, ExplainedVip,
    },
};

/// The outer header of a frame, and the beginning of what is in it.
fn outer(hex: &str) -> Vec<u8> {
    crate::explain::hex::parse(hex).expect("hex")
}

fn forwarded() -> Explained {
    let before = outer("450000280000400040063c8c");
    let after = outer("45000028000040003f063d8c");
    let frame = outer("0200000000010200000000028100006408004500003c00004000400426b40a0300020a040002 4500");
    let added = |of, name: Option<&str>, label: &str| ExplainedCount {
        of,
        name: name.map(str::to_owned),
        label: label.to_owned(),
        added: count(1, 40),
    };
    Explained {
        instance: "default".to_owned(),
        interface: "in0".to_owned(),
        program: "pop".to_owned(),
        packet: 1,
        summary: "203.0.113.7 → 192.0.2.80, protocol 6 (tcp), TTL 64".to_owned(),
        frame_bytes: 54,
        notes: Vec::new(),
        vip: Some(ExplainedVip {
            name: "web".to_owned(),
            address: address("192.0.2.80"),
            listeners: vec!["tcp/80".to_owned(), "tcp/400-500".to_owned()],
        }),
        listener: Some(ExplainedListener { protocol: 6, port: Some(443), taken_by: Some("tcp/400-500".to_owned()) }),
        flow: Some(ExplainedFlow {
            client: address("203.0.113.7"),
            hashed_ports: Some([4321, 443]),
            hashed_protocol: Some(6),
            hash: "0x819469f2227fa355".to_owned(),
        }),
        pool: Some(ExplainedPool {
            name: "guangzhou".to_owned(),
            home_region: "south".to_owned(),
            slot: 1032,
            slots: 2039,
            why: Some("guangzhou has a dial of 10 %".to_owned()),
        }),
        backend: Some(ExplainedBackend {
            address: address("10.4.0.2"),
            source: Some(address("10.3.0.2")),
            weight: 100,
            encap: "ipip".to_owned(),
            mtu_bytes: Some(1600),
            is_down_by_health: false,
        }),
        pop: None,
        next_hop: Some(ExplainedNextHop {
            addresses: vec![address("10.3.0.1")],
            mac: "02:00:00:00:00:01".to_owned(),
            interface: "bb0".to_owned(),
            sixteenths: 8,
        }),
        action: "XDP_REDIRECT".to_owned(),
        egress: Some("bb0".to_owned()),
        outcome: "forwarded".to_owned(),
        class: "forwarded".to_owned(),
        reason: "Encapsulated and handed to the driver toward the backend's next hop.".to_owned(),
        help: None,
        headers: headers::decode(&frame, true).fields,
        changes: changes::between(&before, &after),
        counted: vec![added("vip", Some("web"), "forwarded"), added("backend", Some("10.4.0.2"), "forwarded")],
        frame: headers::hex(&frame),
    }
}

fn dropped() -> Explained {
    let mut counted = forwarded().counted;
    counted[0].label = "dropped".to_owned();
    counted[1] = ExplainedCount { of: "vip_reason", label: "no_listener".to_owned(), ..counted[0].clone() };
    Explained {
        notes: vec!["the attached program is of another build than this command, and may do otherwise".to_owned()],
        listener: Some(ExplainedListener { protocol: 17, port: Some(443), taken_by: None }),
        flow: None,
        pool: None,
        backend: None,
        next_hop: None,
        action: "XDP_DROP".to_owned(),
        egress: None,
        outcome: "no_listener".to_owned(),
        class: "dropped".to_owned(),
        reason: "The VIP has listeners and none takes this protocol and port.".to_owned(),
        help: Some("add a listener for it to the VIP, or look why the client asks for this port".to_owned()),
        headers: Vec::new(),
        changes: Vec::new(),
        counted,
        ..forwarded()
    }
}

#[test]
fn forwarded_packet_has_a_line_a_step_and_every_byte_of_its_header() {
    insta::assert_snapshot!(explain(&forwarded(), WIDTH));
}

#[test]
fn dropped_packet_ends_with_what_to_do() {
    insta::assert_snapshot!(explain(&dropped(), WIDTH));
}

#[test]
fn explained_lines_are_no_longer_than_the_terminal() {
    for explained in [forwarded(), dropped(), returned()] {
        for line in explain(&explained, WIDTH).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

/// Every key of a value, as the page writes it: `pool.slot`, `headers[].field`.
fn keys(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                keys(&key, value, found);
                found.insert(key);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(&format!("{prefix}[]"), item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What a gateway sends back.
fn returned() -> Explained {
    Explained {
        program: "gateway_return".to_owned(),
        listener: None,
        flow: None,
        pool: None,
        backend: None,
        pop: Some(ExplainedPop {
            prefix: "10.3.64.0/24".parse().expect("a prefix"),
            address: address("10.3.64.9"),
            gateway: address("10.4.0.2"),
            encap: "gre key 7".to_owned(),
            mtu_bytes: Some(1600),
            seen_secs: 16,
        }),
        action: "TC_ACT_REDIRECT".to_owned(),
        outcome: "returned".to_owned(),
        ..forwarded()
    }
}

#[test]
fn answer_shows_the_pop_that_it_goes_back_through() {
    let text = explain(&returned(), None);
    let line = "PoP       10.3.64.9 in 10.3.64.0/24, gre key 7 from 10.4.0.2, path MTU 1600, seen 16 s ago\n";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("\nOuter header\n") && text.contains("action    TC_ACT_REDIRECT to bb0\n"), "{text}");
}

#[test]
fn page_on_explain_has_every_key_of_its_json_and_no_other() {
    let mut found = BTreeSet::new();
    for explained in [forwarded(), dropped(), returned()] {
        keys("", &serde_json::to_value(explained).expect("JSON"), &mut found);
    }
    let page = include_str!("../../../../../docs/explain.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let told: BTreeSet<_> = rows.map(str::to_owned).collect();
    assert_eq!(found, told);
}
