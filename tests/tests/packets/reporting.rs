//! A row whose expectation is wrong must fail, and say why.

use anycast_common::outcome::Outcome;
use anycast_tests::require_root;

use crate::fixture::{
    Hashed, Row, failures, gateway, outer, pop, to,
    world::{nameless, vip, way},
};

const VIP: &str = vip::WHOLE_V4_BY_V6;

/// Rows that are wrong, and what their failures must mention.
fn wrong_rows() -> Vec<(Row, &'static [&'static str])> {
    let sent = || to(VIP).udp(1, 2).payload_len(20);
    vec![
        (
            pop("another verdict", sent()).passed(Outcome::NotVip),
            &["action: expected 2 (Pass), got 4", "outcome not_vip"],
        ),
        (
            pop("another way", sent()).forwarded(VIP, way::V4),
            &["frame: expected", "decoder: expected", "backend 10.4.0.2"],
        ),
        (pop("another interface", sent()).forwarded(VIP, way::TAGGED_V6), &["frame: expected", "backend fd00:4::3"]),
        (pop("another mark", sent()).forwarded(VIP, way::V6).marked(1), &["frame: expected", "decoder: expected"]),
        (pop("another hash", sent()).forwarded(VIP, way::V6).hashed(Hashed::Protocol(17)), &["decoder: expected"]),
        (
            pop("other bytes inside", sent()).forwarded(VIP, way::V6).with_inner(sent().build_ip()),
            &["frame: expected 102"],
        ),
        (pop("other counted bytes", sent()).counted_as(47).forwarded(VIP, way::V6), &["expected +1 packets +47 bytes"]),
        (pop("another VIP", sent()).forwarded(vip::TCP_V4, way::V6), &["VIP 192.0.2.11 forwarded", "VIP 192.0.2.2"]),
        (
            pop("another reason", sent().ttl(1)).dropped(VIP, Outcome::NoListener),
            &["outcome no_listener: expected +1", "VIP 192.0.2.2 dropped for ttl_expired: expected +0"],
        ),
        (pop("a drop for no VIP", sent().ttl(1)).refused(Outcome::TtlExpired), &["VIP 192.0.2.2 dropped: expected +0"]),
        (
            gateway(
                "other decapsulated bytes",
                outer(true).encapsulating(&to(vip::WHOLE_V4_BY_V4).udp(1, 2).build_ip()),
            )
            .decapsulated(vip::WHOLE_V4_BY_V4, to(vip::WHOLE_V4_BY_V4).udp(2, 1).build_ip()),
            &["frame: expected 42 bytes, got 42"],
        ),
    ]
}

#[test]
fn wrong_rows_fail_and_say_what_differs() {
    require_root!();
    let (rows, mentions): (Vec<Row>, Vec<_>) = wrong_rows().into_iter().unzip();
    let failures = failures(&nameless(), &rows);
    assert_eq!(failures.len(), rows.len(), "{}", failures.join("\n"));
    for ((row, failure), mentions) in rows.iter().zip(&failures).zip(mentions) {
        for text in std::iter::once(&row.name.as_str()).chain(mentions) {
            assert!(failure.contains(text), "{text:?} is not in\n{failure}");
        }
    }
}
