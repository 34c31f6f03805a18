//! Traffic of VIPs.

use std::fmt;

use anycast_common::map::Counter;

use crate::{
    metrics::{
        catalogue::{
            VIP, VIP_BYTES, VIP_DROPPED_BYTES, VIP_DROPPED_PACKETS, VIP_PACKETS, VIP_RECEIVED_BYTES,
            VIP_RECEIVED_PACKETS, VIPS, VIPS_OF_THEIR_OWN,
        },
        reading::Reading,
        shown::{OTHER, Shown},
        traffic::{OUTCOMES, Traffic},
        writer::{Value, Writer},
    },
    view::VipRow,
};

type Unit = fn(&Counter) -> u64;

const PACKETS: Unit = |count| count.packets;
const BYTES: Unit = |count| count.bytes;

pub fn vips(writer: &mut Writer<'_>, reading: &Reading) -> fmt::Result {
    let all = reading.datapath.iter().flat_map(|datapath| &datapath.vips);
    writer.gauges(&VIPS, reading.datapath.iter().map(|datapath| ([], datapath.vips.len())))?;
    writer.gauges(&VIPS_OF_THEIR_OWN, reading.shown.iter().map(|shown| ([], shown.vips.len())))?;
    let is_shown = |vip: &&VipRow| reading.shown.as_ref().is_some_and(|shown| shown.vips.contains_key(&vip.name));
    writer.infos(&VIP, all.filter(is_shown).map(|vip| info(vip, reading)))?;

    let shown = reading.shown.as_ref();
    writer.counters(&VIP_RECEIVED_PACKETS, received(shown, PACKETS))?;
    writer.counters(&VIP_RECEIVED_BYTES, received(shown, BYTES))?;
    writer.counters(&VIP_PACKETS, outcomes(shown, PACKETS))?;
    writer.counters(&VIP_BYTES, outcomes(shown, BYTES))?;
    writer.counters(&VIP_DROPPED_PACKETS, dropped(shown, PACKETS))?;
    writer.counters(&VIP_DROPPED_BYTES, dropped(shown, BYTES))
}

fn info<'a>(vip: &'a VipRow, reading: &'a Reading) -> ([Value<'a>; 3], Vec<(String, Value<'a>)>) {
    let pools: Vec<_> = vip.pool.iter().chain(&vip.fallback_pools).map(String::as_str).collect();
    let labels = reading.labels.get(&vip.name).into_iter().flatten();
    let labels = labels.map(|(name, value)| (format!("label_{name}"), value.into()));
    ([vip.name.as_str().into(), vip.address.to_string().into(), pools.join(",").into()], labels.collect())
}

/// The VIPs with series of their own, and the sum of the others.
fn rows(shown: Option<&Shown>) -> impl Iterator<Item = (&str, &Traffic)> {
    shown.into_iter().flat_map(|shown| {
        let own = shown.vips.iter().map(|(name, traffic)| (name.as_str(), traffic));
        own.chain([(OTHER, &shown.other)])
    })
}

fn received(shown: Option<&Shown>, unit: Unit) -> impl Iterator<Item = ([Value<'_>; 1], u64)> {
    rows(shown).map(move |(name, traffic)| ([name.into()], unit(&traffic.received)))
}

fn outcomes(shown: Option<&Shown>, unit: Unit) -> impl Iterator<Item = ([Value<'_>; 3], u64)> {
    rows(shown).flat_map(move |(name, traffic)| {
        let outcomes = OUTCOMES.iter().zip(&traffic.outcomes);
        outcomes.map(move |((direction, outcome), count)| {
            ([name.into(), direction.label().into(), (*outcome).into()], unit(count))
        })
    })
}

fn dropped(shown: Option<&Shown>, unit: Unit) -> impl Iterator<Item = ([Value<'_>; 3], u64)> {
    rows(shown).flat_map(move |(name, traffic)| {
        let reasons = traffic.reasons.iter();
        reasons.map(move |((direction, reason), count)| {
            ([name.into(), direction.label().into(), (*reason).into()], unit(count))
        })
    })
}
