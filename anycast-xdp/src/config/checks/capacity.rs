//! Everything fits into the kernel's tables.

use std::collections::BTreeSet;

use anycast_common::maglev::table_size;

use crate::{
    config::{
        findings::{Findings, Problem},
        local::LocalDraft,
        place::Place,
        services::{ServicesDraft, VipDraft},
    },
    desired::{Limits, Listener},
};

/// Tables of the largest pool that must fit beside those of all pools: while pools change, one is filled before any
/// packet sees it, and the last one is not reused before its grace period is over.
const SPARE_TABLES: u64 = 2;

pub(super) fn check(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    let Some(limits) = &local.limits else {
        return;
    };
    let backends = services.pools.iter().flat_map(|pool| pool.backends.iter().map(|_| &pool.place));
    let needs: [Need<'_>; 4] = [
        Need::of("VIPs", "vips", limits.vips, services.vips.iter().map(|vip| &vip.place)),
        Need::of("pools", "pools", limits.pools, services.pools.iter().map(|pool| &pool.place)),
        Need::of("backends", "backends", limits.backends, backends),
        listener_sets(limits, services),
    ];
    for need in needs {
        if let Some(place) = need.first_beyond {
            let what = format!("the file has {} {}, limits.{} is {}", need.count, need.noun, need.key, need.limit);
            let help = format!("raise `{}` in [limits] to at least {}", need.key, need.count);
            findings.refuse(place, Problem::new(what, help));
        }
    }
    slots(limits, services, findings);
}

/// How much of a table the file needs.
struct Need<'a> {
    noun: &'static str,
    key: &'static str,
    limit: u32,
    count: usize,
    first_beyond: Option<&'a Place>,
}

impl<'a> Need<'a> {
    fn of(noun: &'static str, key: &'static str, limit: u32, places: impl Iterator<Item = &'a Place>) -> Self {
        let places: Vec<_> = places.collect();
        Self { noun, key, limit, count: places.len(), first_beyond: places.get(limit as usize).copied() }
    }
}

fn listener_sets<'a>(limits: &Limits, services: &'a ServicesDraft) -> Need<'a> {
    let mut seen = BTreeSet::new();
    let with_listeners = services.vips.iter().filter(|vip| !vip.listeners.is_empty());
    let firsts = with_listeners.filter(|vip| seen.insert(listener_set(vip))).map(|vip| &vip.place);
    Need::of("distinct sets of listeners", "listener_sets", limits.listener_sets, firsts)
}

fn listener_set(vip: &VipDraft) -> BTreeSet<Listener> {
    vip.listeners.iter().map(|listener| listener.value).collect()
}

fn slots(limits: &Limits, services: &ServicesDraft, findings: &mut Findings<'_>) {
    // A table begins at an even slot, because slots are stored in pairs.
    let size = |backends: usize| u64::from(table_size(backends)).next_multiple_of(2);
    let sizes = || services.pools.iter().map(|pool| size(pool.backends.len()));
    let Some((largest, place)) =
        sizes().zip(services.pools.iter().map(|pool| &pool.place)).max_by_key(|(size, _)| *size)
    else {
        return;
    };
    let needed = sizes().sum::<u64>() + SPARE_TABLES * largest;
    if needed > u64::from(limits.slots) {
        let what = format!(
            "the pools need {needed} Maglev slots, {SPARE_TABLES} spare tables of this largest pool included, limits.slots is {}",
            limits.slots
        );
        findings.refuse(place, Problem::new(what, format!("raise `slots` in [limits] to at least {needed}")));
    }
}
