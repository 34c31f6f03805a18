//! What a gateway decapsulates, passes and drops.

use anycast_common::{
    map::Counter,
    outcome::{Class, Outcome},
};
use rstest::rstest;

use super::fixture::{ETHERNET_IN, assert_dropped, hex, tables, to_gateway};
use crate::oracle::model::{Action, CounterKey, Program};

/// 10.0.0.1 to 10.0.0.2, CE.
const OUTER4_CE: &str = "4503 0034 0000 4000 3c04 2ac1 0a000001 0a000002";
/// fd00::1 to fd00::2, ECT(1): the second nibble pair of the header is class 0x01 and the label.
const OUTER6_ECT1: &str = "60112345 0020 04 40 fd000000000000000000000000000001 fd000000000000000000000000000002";
const NOT_ECT: &str = "4500 0020 1234 0000 3f11 7d5d c6336407 c0000201  04d2 0035 000c 0000 61626364";
const ECT_0: &str = "4502 0020 1234 0000 3f11 7d5b c6336407 c0000201  04d2 0035 000c 0000 61626364";
const ECT_1: &str = "4501 0020 1234 0000 3f11 7d5c c6336407 c0000201  04d2 0035 000c 0000 61626364";
const CE: &str = "4503 0020 1234 0000 3f11 7d5a c6336407 c0000201  04d2 0035 000c 0000 61626364";

#[rstest]
#[case::ce_on_ect_0(OUTER4_CE, "0800", ECT_0, CE)]
#[case::ce_on_ect_1(OUTER4_CE, "0800", ECT_1, CE)]
#[case::ect_1_on_ect_0(OUTER6_ECT1, "86dd", ECT_0, ECT_1)]
#[case::ect_1_on_not_ect(OUTER6_ECT1, "86dd", NOT_ECT, NOT_ECT)]
#[case::ect_1_on_ce(OUTER6_ECT1, "86dd", CE, CE)]
fn inner_packet_gets_the_ecn_field_and_checksum_of_rfc_6040(
    #[case] outer: &str,
    #[case] ether_type: &str,
    #[case] inner: &str,
    #[case] expected: &str,
) {
    let verdict = to_gateway(&tables(), &format!("{ETHERNET_IN} {ether_type} {outer} {inner}"));
    assert_eq!((verdict.outcome, verdict.action), (Some(Outcome::Decapsulated), Action::Pass));
    assert_eq!(verdict.frame, Some(hex(&format!("{ETHERNET_IN} 0800 {expected}"))));
}

#[test]
fn ce_on_not_ect_is_dropped_and_counted_for_the_vip() {
    let frame = format!("{ETHERNET_IN} 0800 {OUTER4_CE} {NOT_ECT}");
    let verdict = to_gateway(&tables(), &frame);
    assert_dropped(&verdict, &frame, Outcome::EcnNotCapable);
    let one = Counter { packets: 1, bytes: 32 };
    let reason = Outcome::EcnNotCapable as u32;
    assert_eq!(
        verdict.counts,
        [
            (CounterKey::Outcome(Program::Gateway, reason), one),
            (CounterKey::Vip(Program::Gateway, 0, Class::Dropped as u32), one),
            (CounterKey::VipDrop(Program::Gateway, 0, reason), one),
        ]
    );
}

#[test]
fn tags_go_and_what_is_behind_the_inner_packet_stays() {
    let outer = "4500 003c 0000 4000 3c29 0000 0a000001 0a000002";
    let inner = "60000000 0000 3b 40 20010db8000f00000000000000000007 20010db8000000000000000000000001";
    let verdict = to_gateway(&tables(), &format!("{ETHERNET_IN} 8100 0005 0800 {outer} {inner} eeeeee"));
    assert_eq!(verdict.frame, Some(hex(&format!("{ETHERNET_IN} 86dd {inner} eeeeee"))));
    let forwarded = CounterKey::Vip(Program::Gateway, 1, Class::Forwarded as u32);
    assert_eq!(verdict.counts, [(forwarded, Counter { packets: 1, bytes: 40 })]);
}

#[rstest]
#[case::another_protocol("4500 0034 0000 4000 3c11 0000 0a000001 0a000002")]
#[case::another_destination("4500 0034 0000 4000 3c04 0000 0a000001 0a000003")]
#[case::cut_short("4500 0034 0000 4000 3c04 0000 0a000001")]
fn what_is_no_tunnel_packet_for_this_host_passes(#[case] outer: &str) {
    let inner = if outer.len() > 40 { NOT_ECT } else { "" };
    let frame = format!("{ETHERNET_IN} 0800 {outer} {inner}");
    let verdict = to_gateway(&tables(), &frame);
    assert_eq!((verdict.outcome, verdict.action), (Some(Outcome::NotTunnel), Action::Pass));
    assert_eq!(verdict.frame, Some(hex(&frame)));
}

#[rstest]
#[case::options("4600 0038 0000 4000 3c04 0000 0a000001 0a000002 01010101", NOT_ECT, Outcome::OuterHeader)]
#[case::version("5500 0034 0000 4000 3c04 0000 0a000001 0a000002", NOT_ECT, Outcome::OuterHeader)]
#[case::length("4500 0035 0000 4000 3c04 0000 0a000001 0a000002", NOT_ECT, Outcome::OuterHeader)]
#[case::first_fragment("4500 0034 0000 2000 3c04 0000 0a000001 0a000002", NOT_ECT, Outcome::OuterFragment)]
#[case::last_fragment("4500 0034 0000 0001 3c04 0000 0a000001 0a000002", NOT_ECT, Outcome::OuterFragment)]
#[case::source("4500 0034 0000 4000 3c04 0000 0a000004 0a000002", NOT_ECT, Outcome::SourceNotAllowed)]
#[case::inner_cut("4500 0027 0000 4000 3c04 0000 0a000001 0a000002", NOT_ECT, Outcome::Ipv4TotalLength)]
#[case::inner_beyond_outer("4500 0033 0000 4000 3c04 0000 0a000001 0a000002", NOT_ECT, Outcome::Ipv4TotalLength)]
#[case::inner_of_another_family("4500 0034 0000 4000 3c29 0000 0a000001 0a000002", NOT_ECT, Outcome::Ipv6PayloadLength)]
#[case::nested(
    "4500 0028 0000 4000 3c04 0000 0a000001 0a000002",
    "4500 0014 0000 0000 4004 0000 c6336407 0a000002",
    Outcome::NestedTunnel
)]
#[case::no_vip(
    "4500 0028 0000 4000 3c04 0000 0a000001 0a000002",
    "4500 0014 0000 0000 4011 0000 c6336407 c0000202",
    Outcome::InnerNotVip
)]
fn tunnel_packet_that_breaks_a_rule_is_dropped(#[case] outer: &str, #[case] inner: &str, #[case] reason: Outcome) {
    let frame = format!("{ETHERNET_IN} 0800 {outer} {inner}");
    assert_dropped(&to_gateway(&tables(), &frame), &frame, reason);
}

#[test]
fn ipv6_fragment_of_a_tunnel_packet_is_dropped_and_of_anything_else_passes() {
    let fixed = "60000000 0010 2c 40 fd000000000000000000000000000001 fd000000000000000000000000000002";
    let tunnel = format!("{ETHERNET_IN} 86dd {fixed} 0400 0001 00000001 0000000000000000");
    assert_dropped(&to_gateway(&tables(), &tunnel), &tunnel, Outcome::OuterFragment);
    let udp = format!("{ETHERNET_IN} 86dd {fixed} 1100 0001 00000001 0000000000000000");
    assert_eq!(to_gateway(&tables(), &udp).outcome, Some(Outcome::NotTunnel));
    let cut = format!("{ETHERNET_IN} 86dd {fixed} 0400 0001 000000");
    assert_eq!(to_gateway(&tables(), &cut).outcome, Some(Outcome::NotTunnel));
}
