//! Text of `stats`.

use std::collections::BTreeMap;

use anycast_common::outcome::Outcome;

use super::{
    table::{Column, titled},
    units,
};
use crate::view::{BackendStats, Count, InterfaceStats, ReturnStats, Stats, VipStats};

/// The counters. Reasons, losses and outcomes that never happened are left out.
pub fn stats(stats: &Stats, width: Option<u16>) -> String {
    let vips = stats.vips.iter().flat_map(vip).collect();
    let reasons = stats.vips.iter().flat_map(reasons).collect();
    let returns = stats.vips.iter().flat_map(returns).collect();
    let backends = stats.backends.iter().map(backend).collect();
    let outcomes = stats.outcomes.iter().map(outcome).collect();
    let probes = stats.probes.iter().map(outcome).collect();
    let losses = stats.interfaces.iter().flat_map(losses).collect();
    let text = [
        titled("VIPs", &VIP_COLUMNS, vips, width),
        titled("Dropped, by reason", &REASON_COLUMNS, reasons, width),
        titled("Answers on their way back", &RETURN_COLUMNS, returns, width),
        titled("Backends, forwarded", &BACKEND_COLUMNS, backends, width),
        titled("Outcomes of this host", &OUTCOME_COLUMNS, outcomes, width),
        titled("Probes of backends, in none of the above", &OUTCOME_COLUMNS, probes, width),
        titled("Interfaces: lost after the verdict, and what the NIC counts", &LOSS_COLUMNS, losses, width),
    ]
    .concat();
    format!("instance  {}\n{text}", stats.instance)
}

const VIP_COLUMNS: [Column; 7] = [
    Column::Text("VIP"),
    Column::Text(""),
    Column::Number("RECEIVED"),
    Column::Number("FORWARDED"),
    Column::Number("ANSWERED"),
    Column::Number("PASSED"),
    Column::Number("DROPPED"),
];

/// Two rows: packets, and bytes.
fn vip(vip: &VipStats) -> [Vec<String>; 2] {
    let classes = [vip.received, vip.forwarded, vip.answered, vip.passed, vip.dropped];
    let row = |name: &str, unit: &str, show: fn(Count) -> String| {
        [name.to_owned(), unit.to_owned()].into_iter().chain(classes.into_iter().map(show)).collect()
    };
    [row(&vip.name, "packets", packets), row("", "bytes", bytes)]
}

const REASON_COLUMNS: [Column; 4] =
    [Column::Text("VIP"), Column::Text("REASON"), Column::Number("PACKETS"), Column::Number("BYTES")];

fn reasons(vip: &VipStats) -> impl Iterator<Item = Vec<String>> {
    vip.reasons.iter().map(|(reason, count)| vec![vip.name.clone(), reason.clone(), packets(*count), bytes(*count)])
}

const RETURN_COLUMNS: [Column; 4] =
    [Column::Text("VIP"), Column::Text("OUTCOME"), Column::Number("PACKETS"), Column::Number("BYTES")];

/// Those that went back stand first, also where none did while others had another fate.
fn returns(vip: &VipStats) -> Vec<Vec<String>> {
    let ReturnStats { returned, outcomes } = &vip.returns;
    if vip.returns == ReturnStats::default() {
        return Vec::new();
    }
    let label = Outcome::Returned.label().to_owned();
    let rows = std::iter::once((&label, returned)).chain(outcomes);
    rows.map(|(outcome, count)| vec![vip.name.clone(), outcome.clone(), packets(*count), bytes(*count)]).collect()
}

const BACKEND_COLUMNS: [Column; 4] =
    [Column::Text("POOL"), Column::Whole("BACKEND"), Column::Number("PACKETS"), Column::Number("BYTES")];

fn backend(backend: &BackendStats) -> Vec<String> {
    vec![backend.pool.clone(), backend.address.to_string(), packets(backend.forwarded), bytes(backend.forwarded)]
}

const OUTCOME_COLUMNS: [Column; 4] =
    [Column::Text("OUTCOME"), Column::Text("CLASS"), Column::Number("PACKETS"), Column::Number("BYTES")];

fn outcome((label, count): (&String, &Count)) -> Vec<String> {
    let outcome = Outcome::ALL.iter().find(|outcome| outcome.label() == label);
    let class = outcome.map_or("-", |outcome| outcome.class().label());
    vec![label.clone(), class.to_owned(), packets(*count), bytes(*count)]
}

const LOSS_COLUMNS: [Column; 4] =
    [Column::Text("INTERFACE"), Column::Text("TOLD BY"), Column::Text("COUNTER"), Column::Number("FRAMES")];

fn losses(interface: &InterfaceStats) -> Vec<Vec<String>> {
    let rows = |source: &'static str, counters: &BTreeMap<String, u64>| {
        let row = move |(name, frames): (&String, &u64)| {
            vec![interface.interface.clone(), source.to_owned(), name.clone(), units::count(*frames)]
        };
        counters.iter().filter(|(_, frames)| **frames > 0).map(row).collect::<Vec<_>>()
    };
    [rows("kernel", &interface.xdp_losses), rows("NIC", &interface.nic)].concat()
}

fn packets(count: Count) -> String {
    units::count(count.0.packets)
}

fn bytes(count: Count) -> String {
    units::bytes(count.0.bytes)
}
