//! Packets and what must become of them: bytes and counters of the loaded production programs, by
//! `BPF_PROG_TEST_RUN`.
//!
//! Rows follow docs/datapath.md and are grouped by subject. Bytes come from a packet builder that shares no code with
//! the datapath, tunnel packets are read once more by a decoder, and every counter must grow as stated or stay.

mod fixture;

mod checksums;
mod echo;
mod encaps;
mod family_mixes;
mod fragments_v4;
mod fragments_v6;
mod gateway_decapsulation;
mod gateway_ecn;
mod gateway_malformed;
mod gateway_only;
mod gateway_tunnels;
mod gateway_tunnels_malformed;
mod hash_modes;
mod icmp_errors;
mod icmp_quotes_v4;
mod icmp_quotes_v6;
mod jumbo;
mod listeners;
mod malformed_v4;
mod malformed_v6;
mod marks;
mod never_answered;
mod no_vip;
mod oddities;
mod one_arm;
mod path_mtu;
mod probe_answers;
mod probes;
mod probes_ended;
mod probes_on_broken_ways;
mod protocols;
mod reporting;
mod returns_at_backbone;
mod returns_at_egress;
mod returns_in_segments;
mod returns_of_stack;
mod returns_remembered;
mod returns_remembered_without_keys;
mod spreading;
mod tables;
mod tags;
mod time_exceeded;
mod time_exceeded_without_address;
mod transitions;
mod transport_headers;
mod ttl;
mod v6_extensions;

use std::collections::{BTreeMap, BTreeSet};

use anycast_common::outcome::Outcome;
use anycast_tests::require_root;

use fixture::{
    Row, check,
    world::{
        broken, broken_silent, jumbo as jumbo_world, nameless, ordinary, returns, returns_without_keys, silent, tunnels,
    },
};

/// Outcomes that no packet can have, and why.
const UNREACHABLE: [(Outcome, &str); 1] = [(Outcome::Unset, "names no outcome: zeroed memory")];

/// Each group is a test of its own, in one of the worlds.
macro_rules! groups {
    ($($group:ident in $world:ident;)+) => {
        const GROUPS: &[(&str, fn() -> Vec<Row>)] = &[$((stringify!($group), $group::rows),)+];

        $(#[test]
        fn $group() {
            require_root!();
            check(&$world(), &$group::rows());
        })+
    };
}

groups! {
    checksums in ordinary;
    family_mixes in ordinary;
    fragments_v4 in ordinary;
    fragments_v6 in ordinary;
    gateway_decapsulation in ordinary;
    gateway_ecn in ordinary;
    gateway_malformed in ordinary;
    encaps in tunnels;
    gateway_only in ordinary;
    gateway_tunnels in ordinary;
    gateway_tunnels_malformed in tunnels;
    hash_modes in ordinary;
    icmp_errors in ordinary;
    icmp_quotes_v4 in ordinary;
    icmp_quotes_v6 in ordinary;
    jumbo in jumbo_world;
    listeners in ordinary;
    malformed_v4 in ordinary;
    malformed_v6 in ordinary;
    marks in ordinary;
    no_vip in ordinary;
    protocols in ordinary;
    returns_at_backbone in returns;
    returns_at_egress in returns;
    returns_in_segments in returns;
    one_arm in returns;
    returns_remembered in returns;
    returns_remembered_without_keys in returns_without_keys;
    tables in broken_silent;
    tags in ordinary;
    transport_headers in ordinary;
    ttl in nameless;
    v6_extensions in ordinary;
    echo in ordinary;
    never_answered in silent;
    oddities in ordinary;
    path_mtu in broken;
    probe_answers in returns;
    probes in ordinary;
    probes_ended in returns;
    probes_on_broken_ways in broken;
    time_exceeded in ordinary;
    time_exceeded_without_address in nameless;
}

#[test]
fn at_least_120_rows_have_names_of_their_own() {
    let names: Vec<String> = GROUPS.iter().flat_map(|(_, rows)| rows()).map(|row| row.name).collect();
    let distinct: BTreeSet<&String> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "two rows have one name: {:?}", repeated(&names));
    eprintln!("{} rows in {} groups", names.len(), GROUPS.len());
    assert!(names.len() >= 120, "only {} rows", names.len());
}

fn repeated(names: &[String]) -> Vec<&String> {
    let mut seen = BTreeSet::new();
    names.iter().filter(|name| !seen.insert(*name)).collect()
}

#[test]
fn every_outcome_has_a_row_or_a_reason_why_not() {
    let mut row_counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in GROUPS.iter().flat_map(|(_, rows)| rows()) {
        let Some(outcome) = row.expect.outcome() else { continue };
        *row_counts.entry(outcome.label()).or_default() += 1;
    }
    eprintln!("rows by outcome: {row_counts:?}");
    for outcome in Outcome::ALL {
        let why = UNREACHABLE.iter().find(|(other, _)| other == outcome).map(|(_, why)| why);
        match (why, row_counts.get(outcome.label())) {
            (None, None) => panic!("no row has the outcome {}", outcome.label()),
            (Some(why), Some(_)) => panic!("{} has a row, but: {why}", outcome.label()),
            (Some(_), None) | (None, Some(_)) => {}
        }
    }
}
