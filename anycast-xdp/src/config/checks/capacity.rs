//! Everything fits into the kernel's tables, whatever they held before: see `dataplane::tables::capacity`.

use std::collections::BTreeSet;

use anycast_common::{listeners::Interner, maglev::table_size};

use crate::{
    config::{
        findings::{Findings, Problem},
        local::LocalDraft,
        place::Place,
        services::ServicesDraft,
    },
    desired::{Limits, SOURCES_MAX, TUNNEL_ADDRESSES_MAX, compile_for},
};

pub(super) fn check(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    let gateway = &local.gateway;
    fixed("tunnel addresses", TUNNEL_ADDRESSES_MAX, gateway.tunnel_addresses.iter().map(|one| &one.place), findings);
    fixed("allowed sources", SOURCES_MAX, gateway.allowed_sources.iter().map(|one| &one.place), findings);
    let Some(limits) = &local.limits else {
        return;
    };
    let backends = services.pools.iter().flat_map(|pool| pool.backends.iter().map(|_| &pool.place));
    let lists = lists_with_fallbacks(services);
    let pools = if lists.is_empty() { "pools" } else { "pools and distinct lists of pools with fall-backs" };
    let needs = [
        Need::of("VIPs", "vips", limits.vips, services.vips.iter().map(|vip| &vip.place)),
        Need::of(pools, "pools", limits.pools, services.pools.iter().map(|pool| &pool.place).chain(lists)),
        Need::of("backends", "backends", limits.backends, backends),
    ];
    for need in needs {
        if let Some(place) = need.first_beyond {
            let what = format!("the file has {} {}, limits.{} is {}", need.count, need.noun, need.key, need.limit);
            let help = format!("raise `{}` in [limits] to at least {}", need.key, need.count);
            findings.refuse(place, Problem::new(what, help));
        }
    }
    slots(limits, services, findings);
    listeners(limits, services, findings);
}

/// The first VIP of each distinct list.
fn lists_with_fallbacks(services: &ServicesDraft) -> Vec<&Place> {
    let mut seen = BTreeSet::new();
    let lists = services.vips.iter().filter(|vip| !vip.fallback_pools.is_empty());
    let first = lists.filter(|vip| {
        let names = vip.pool.iter().chain(&vip.fallback_pools).map(|pool| pool.value.0.as_str());
        seen.insert(names.collect::<Vec<_>>())
    });
    first.map(|vip| &vip.place).collect()
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

/// Refuses what is beyond a number that no limit raises.
fn fixed<'a>(noun: &str, most: u32, places: impl Iterator<Item = &'a Place>, findings: &mut Findings<'_>) {
    let places: Vec<_> = places.collect();
    if let Some(place) = places.get(most as usize) {
        let what = format!("the file has {} {noun}, {most} is the most", places.len());
        findings.refuse(place, Problem::new(what, "use fewer of them"));
    }
}

/// Refuses the pool whose Maglev table is the first beyond the limit.
fn slots(limits: &Limits, services: &ServicesDraft, findings: &mut Findings<'_>) {
    let mut needed = 0;
    let mut first_beyond = None;
    for pool in &services.pools {
        // A table begins at an even slot, because slots are stored in pairs.
        needed += u64::from(table_size(pool.backends.len())).next_multiple_of(2);
        if needed > u64::from(limits.slots) {
            first_beyond.get_or_insert(&pool.place);
        }
    }
    if let Some(place) = first_beyond {
        let what = format!("the pools need {needed} Maglev slots, limits.slots is {}", limits.slots);
        findings.refuse(place, Problem::new(what, format!("raise `slots` in [limits] to at least {needed}")));
    }
}

/// Refuses the VIPs whose listeners are the first beyond the limit: by their sets, and by the pages of their ports.
fn listeners(limits: &Limits, services: &ServicesDraft, findings: &mut Findings<'_>) {
    let mut interner = Interner::new();
    let (mut set_beyond, mut page_beyond) = (None, None);
    for vip in &services.vips {
        let listeners: Vec<_> = vip.listeners.iter().map(|listener| listener.value).collect();
        // What cannot be compiled was refused where it was read.
        let Ok(compiled) = compile_for(&listeners, vip.hash) else { continue };
        let too_many_pages = interner.intern(&compiled).is_err();
        if distinct(interner.sets()) > limits.listener_sets {
            set_beyond.get_or_insert(&vip.place);
        }
        if too_many_pages || distinct(interner.pages()) > limits.port_pages() {
            page_beyond.get_or_insert(&vip.place);
        }
    }
    if let Some(place) = set_beyond {
        let (sets, limit) = (distinct(interner.sets()), limits.listener_sets);
        let what = format!("the file has {sets} distinct sets of listeners, limits.listener_sets is {limit}");
        findings.refuse(place, Problem::new(what, format!("raise `listener_sets` in [limits] to at least {sets}")));
    } else if let Some(place) = page_beyond {
        let (pages, room) = (distinct(interner.pages()), limits.port_pages());
        let what = format!(
            "the listeners need {pages} distinct pages of 256 ports, limits.listener_sets = {} has room for {room}",
            limits.listener_sets
        );
        let help = format!(
            "raise `listener_sets` in [limits] to at least {}, or write ranges instead of scattered ports",
            limits.listener_sets.saturating_mul(pages.div_ceil(room.max(1)))
        );
        findings.refuse(place, Problem::new(what, help));
    }
}

/// How many there are, the reserved first one not counted.
fn distinct<T>(entries: &[T]) -> u32 {
    entries.len().saturating_sub(1) as u32
}
