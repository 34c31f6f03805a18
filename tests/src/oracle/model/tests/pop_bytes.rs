//! What leaves a PoP, byte by byte.

use anycast_common::{
    flow::{FlowKey, Transport, flow_label, hash_v4, hash_v6},
    map::Counter,
    outcome::{Class, Outcome},
};

use super::fixture::{
    ACCESS_IFINDEX, ETHERNET_IN, ETHERNET_OUT, hex, tables, tables_with_ipv6_backend, tables_with_listeners, to_pop,
};
use crate::oracle::{
    model::{Action, CounterKey, Program},
    tables::Backend,
};

/// 198.51.100.7:1234 to 192.0.2.1:53, TTL 64, DSCP EF, ECT(1).
const UDP4: &str = "45b9 0020 1234 0000 4011 7ba4 c6336407 c0000201  04d2 0035 000c 0000 61626364";
const UDP4_LATER: &str = "45b9 0020 1234 0000 3f11 7ca4 c6336407 c0000201  04d2 0035 000c 0000 61626364";
/// 2001:db8:f::7 to 2001:db8::1, hop limit 64, DSCP EF, ECT(1), flow label 0x12345.
const UDP6: &str = "6b912345 000c 11 40 20010db8000f00000000000000000007 20010db8000000000000000000000001
                    04d2 0035 000c 0000 61626364";
const UDP6_LATER: &str = "6b912345 000c 11 3f 20010db8000f00000000000000000007 20010db8000000000000000000000001
                          04d2 0035 000c 0000 61626364";

/// The first four bytes of an outer IPv6 header: the flow label is the flow hash's, which has test vectors elsewhere.
fn version_class_label(flow_hash: u64) -> String {
    format!("{:08x}", 0x6b90_0000 | flow_label(flow_hash))
}

#[test]
fn ipv4_in_ipv4_is_redirected_and_counted_for_vip_and_backend() {
    let verdict = to_pop(&tables(), &format!("{ETHERNET_IN} 0800 {UDP4}"));
    assert_eq!(verdict.outcome, Some(Outcome::Forwarded));
    assert_eq!(verdict.action, Action::Redirect);
    let outer = "45b9 0034 0000 4000 4004 260b 0a000001 0a000002";
    assert_eq!(verdict.frame, Some(hex(&format!("{ETHERNET_OUT} 0800 {outer} {UDP4_LATER}"))));
    let count = Counter { packets: 1, bytes: 32 };
    let forwarded = CounterKey::Vip(Program::Pop, 0, Class::Forwarded as u32);
    assert_eq!(verdict.counts, [(forwarded, count), (CounterKey::Backend(0, 0), count)]);
}

#[test]
fn ipv6_in_ipv4_with_tags_on_both_sides_loses_two_and_gets_the_links() {
    let mut tables = tables();
    tables.pop.links[0].vlan_tci = Some(0x6123);
    let verdict = to_pop(&tables, &format!("{ETHERNET_IN} 88a8 0001 8100 e002 86dd {UDP6}"));
    let outer = "45b9 0048 0000 4000 4029 25d2 0a000001 0a000002";
    assert_eq!(verdict.frame, Some(hex(&format!("{ETHERNET_OUT} 8100 6123 0800 {outer} {UDP6_LATER}"))));
    let count = Counter { packets: 1, bytes: 52 };
    assert_eq!(verdict.counts.last(), Some(&(CounterKey::Backend(0, 0), count)));
}

#[test]
fn ipv4_in_ipv6_carries_class_and_label() {
    let verdict = to_pop(&tables_with_ipv6_backend(), &format!("{ETHERNET_IN} 0800 {UDP4}"));
    let key = FlowKey::from_seed(&[0; 16]);
    let first = version_class_label(hash_v4(&key, [198, 51, 100, 7], [192, 0, 2, 1], Transport::default()));
    let outer = format!("{first} 0020 04 40 fd000000000000000000000000000001 fd000000000000000000000000000002");
    assert_eq!(verdict.frame, Some(hex(&format!("{ETHERNET_OUT} 86dd {outer} {UDP4_LATER}"))));
}

#[test]
fn ipv6_in_ipv6_leaves_by_the_interface_it_came_by() {
    let mut tables = tables_with_ipv6_backend();
    tables.pop.links[0].ifindex = ACCESS_IFINDEX;
    tables.pop.links[0].in_device_map = false;
    let verdict = to_pop(&tables, &format!("{ETHERNET_IN} 86dd {UDP6}"));
    assert_eq!(verdict.action, Action::Tx);
    let (zero, one) = ([0; 4], [0, 0, 0, 1]);
    let (client, vip) =
        ([[0x20, 1, 0x0d, 0xb8], [0, 0x0f, 0, 0], zero, [0, 0, 0, 7]], [[0x20, 1, 0x0d, 0xb8], zero, zero, one]);
    let first = version_class_label(hash_v6(&FlowKey::from_seed(&[0; 16]), client, vip, Transport::default()));
    let outer = format!("{first} 0034 29 40 fd000000000000000000000000000001 fd000000000000000000000000000002");
    assert_eq!(verdict.frame, Some(hex(&format!("{ETHERNET_OUT} 86dd {outer} {UDP6_LATER}"))));
}

#[test]
fn ethernet_padding_stays_behind_and_is_not_counted() {
    let verdict = to_pop(&tables(), &format!("{ETHERNET_IN} 0800 {UDP4} eeeeee"));
    let outer = "45b9 0034 0000 4000 4004 260b 0a000001 0a000002";
    assert_eq!(verdict.frame, Some(hex(&format!("{ETHERNET_OUT} 0800 {outer} {UDP4_LATER} eeeeee"))));
    assert_eq!(verdict.counts[0].1.bytes, 32);
}

#[test]
fn tcp_fragment_to_a_vip_with_a_tcp_listener_is_forwarded() {
    let tables = tables_with_listeners(&[(6, Some((443, 443)))]);
    let fragment = "4500 001c 1234 20b9 4006 5bb3 c6336407 c0000201 0001020304050607";
    let verdict = to_pop(&tables, &format!("{ETHERNET_IN} 0800 {fragment}"));
    let outer = "4500 0030 0000 4000 4004 26c8 0a000001 0a000002";
    let later = "4500 001c 1234 20b9 3f06 5cb3 c6336407 c0000201 0001020304050607";
    assert_eq!(verdict.frame, Some(hex(&format!("{ETHERNET_OUT} 0800 {outer} {later}"))));
}

#[test]
fn fragmentation_needed_for_a_flow_of_the_vip_is_forwarded() {
    let tables = tables_with_listeners(&[(17, Some((53, 53)))]);
    // From a router; quotes 192.0.2.1:53 to 198.51.100.7:1234 of 1500 bytes, header and 8 bytes.
    let quote = "4500 05dc 1111 4000 3211 45c4 c0000201 c6336407  0035 04d2 000c 0000";
    let error = format!("4500 0038 2222 0000 3c01 5e98 cb007109 c0000201  0304 f270 0000 0578 {quote}");
    let verdict = to_pop(&tables, &format!("{ETHERNET_IN} 0800 {error}"));
    let outer = "4500 004c 0000 4000 4004 26ac 0a000001 0a000002";
    let later = format!("4500 0038 2222 0000 3b01 5f98 cb007109 c0000201  0304 f270 0000 0578 {quote}");
    assert_eq!(verdict.frame, Some(hex(&format!("{ETHERNET_OUT} 0800 {outer} {later}"))));
}

#[test]
fn checksum_that_becomes_zero_is_zero_and_not_all_ones() {
    let packet = "4500 0014 8f9d 0000 4011 feff c6336407 c0000201";
    let verdict = to_pop(&tables(), &format!("{ETHERNET_IN} 0800 {packet}"));
    let later = hex("4500 0014 8f9d 0000 3f11 0000 c6336407 c0000201");
    assert!(verdict.frame.expect("forwarded").ends_with(&later));
}

#[test]
fn wrong_checksum_stays_wrong_by_as_much() {
    let packet = "45b9 0020 1234 0000 4011 7ba5 c6336407 c0000201  04d2 0035 000c 0000 61626364";
    let verdict = to_pop(&tables(), &format!("{ETHERNET_IN} 0800 {packet}"));
    let later = hex("45b9 0020 1234 0000 3f11 7ca5 c6336407 c0000201  04d2 0035 000c 0000 61626364");
    assert!(verdict.frame.expect("forwarded").ends_with(&later));
}

#[test]
fn error_follows_its_flow_to_the_same_backend_where_there_are_many() {
    let mut tables = tables_with_listeners(&[(17, Some((53, 53)))]);
    let only = tables.pop.pools[0].backends[0];
    tables.pop.pools[0].backends = (0..64u8).map(|last| Backend { address: [10, 9, 0, last].into(), ..only }).collect();
    tables.pop.pools[0].slots = (0..64).map(Some).collect();
    let flow = to_pop(&tables, &format!("{ETHERNET_IN} 0800 {UDP4}"));
    let quote = "4500 05dc 1111 4000 3211 45c4 c0000201 c6336407  0035 04d2 000c 0000";
    let error = format!("4500 0038 2222 0000 3c01 5e98 cb007109 c0000201  0304 f270 0000 0578 {quote}");
    let error = to_pop(&tables, &format!("{ETHERNET_IN} 0800 {error}"));
    assert_eq!(flow.counts[1].0, error.counts[1].0);
}
