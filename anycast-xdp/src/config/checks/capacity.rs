//! Everything fits into the kernel's tables, whatever they held before: see `dataplane::tables::capacity`.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};

use anycast_common::{listeners::Interner, maglev::table_size};
use ipnet::IpNet;

use crate::{
    config::{
        findings::{Findings, Problem},
        local::LocalDraft,
        place::{Located, Place},
        services::{PoolDraft, ServicesDraft, VipDraft},
        types::RoleName,
    },
    desired::{Limits, SOURCES_MAX, TUNNEL_ADDRESSES_MAX, compile_for},
};

/// Pairs of a binding and a gateway that a backend more in `[limits]` makes room for, in one configuration.
const RETURNERS_OF_A_BACKEND: u64 = 2;

pub(super) fn check(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    let gateway = &local.gateway;
    fixed("tunnel addresses", TUNNEL_ADDRESSES_MAX, gateway.tunnel_addresses.iter().map(|one| &one.place), findings);
    fixed("allowed sources", SOURCES_MAX, gateway.allowed_sources.iter().map(|one| &one.place), findings);
    let Some(limits) = &local.limits else {
        return;
    };
    let backends = services.pools.iter().flat_map(|pool| pool.backends.iter().map(|_| &pool.place));
    let peers = pop_hosts(local, services);
    let what = if peers.is_empty() { "backends" } else { "allowed sources, which count as backends" };
    let lists = lists_with_fallbacks(services);
    let pools = if lists.is_empty() { "pools" } else { "pools and distinct lists of pools with fall-backs" };
    let lists = lists.iter().map(|vip| &vip.place);
    let needs = [
        Need::of("VIPs", "vips", limits.vips, services.vips.iter().map(|vip| &vip.place)),
        Need::of(pools, "pools", limits.pools, services.pools.iter().map(|pool| &pool.place).chain(lists)),
        Need::of(what, "backends", limits.backends, backends.chain(peers.iter().map(|source| &source.place))),
    ];
    for need in needs {
        if let Some(place) = need.first_beyond {
            let what = format!("the file has {} {}, limits.{} is {}", need.count, need.noun, need.key, need.limit);
            let help = format!("raise `{}` in [limits] to at least {}", need.key, need.count);
            findings.refuse(place, Problem::new(what, help));
        }
    }
    slots(limits, services, peers.first().copied(), findings);
    returners(limits, services, findings);
    listeners(limits, services, findings);
}

/// The first VIP of each distinct list: of pools, and of rules to go from one to another.
fn lists_with_fallbacks(services: &ServicesDraft) -> Vec<&VipDraft> {
    let mut seen = BTreeSet::new();
    let lists = services.vips.iter().filter(|vip| !vip.fallback_pools.is_empty());
    lists.filter(|vip| seen.insert(vip.binding())).collect()
}

/// Where answers of a gateway go: its allowed sources, which are then backends of one more pool.
fn pop_hosts<'a>(local: &'a LocalDraft, services: &ServicesDraft) -> Vec<&'a Located<IpNet>> {
    if local.role == Some(RoleName::Gateway) && services.returning().next().is_some() {
        local.gateway.allowed_sources.iter().collect()
    } else {
        Vec::new()
    }
}

/// Refuses the pool or the list of pools whose gateways are the first beyond the table of those that may answer. The table
/// has room for old ones beside new ones.
fn returners(limits: &Limits, services: &ServicesDraft, findings: &mut Findings<'_>) {
    let backends: usize = services.pools.iter().map(|pool| pool.backends.len()).sum();
    // More backends than the limit were refused as such.
    if services.returning().next().is_none() || backends > limits.backends as usize {
        return;
    }
    let addresses = |pool: &'_ PoolDraft| -> BTreeSet<IpAddr> {
        pool.backends.iter().filter_map(|backend| Some(backend.address.as_ref()?.value)).collect()
    };
    let by_name: HashMap<_, _> = services
        .pools
        .iter()
        .filter_map(|pool| Some((pool.name.as_ref()?.value.0.as_str(), addresses(pool))))
        .collect();
    let of_list = |vip: &VipDraft| {
        let all: BTreeSet<_> = vip.pool_names().filter_map(|name| by_name.get(name)).flatten().collect();
        all.len()
    };
    let pools = services.pools.iter().map(|pool| (addresses(pool).len(), &pool.place));
    let lists = lists_with_fallbacks(services).into_iter().map(|vip| (of_list(vip), &vip.place));
    let room = u64::from(limits.backends) * RETURNERS_OF_A_BACKEND;
    let (mut needed, mut first_beyond) = (0, None);
    for (count, place) in pools.chain(lists) {
        needed += count as u64;
        if needed > room {
            first_beyond.get_or_insert(place);
        }
    }
    if let Some(place) = first_beyond {
        let what = format!(
            "the pools, and the distinct lists of pools with fall-backs, have {needed} backends together, limits.backends = {} has room for {room}",
            limits.backends
        );
        let help = format!("raise `backends` in [limits] to at least {}", needed.div_ceil(RETURNERS_OF_A_BACKEND));
        findings.refuse(place, Problem::new(what, help));
    }
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

/// Refuses the pool or list whose Maglev table is the first beyond the limit. The PoP hosts of a gateway are a pool, too.
fn slots(limits: &Limits, services: &ServicesDraft, peer: Option<&Located<IpNet>>, findings: &mut Findings<'_>) {
    let mut needed = if peer.is_some() { u64::from(table_size(1)).next_multiple_of(2) } else { 0 };
    let mut first_beyond = peer.filter(|_| needed > u64::from(limits.slots)).map(|source| &source.place);
    for pool in &services.pools {
        // A table begins at an even slot, because slots are stored in pairs.
        needed += u64::from(table_size(pool.backends.len())).next_multiple_of(2);
        if needed > u64::from(limits.slots) {
            first_beyond.get_or_insert(&pool.place);
        }
    }
    let dialled = dialled(services);
    for (vip, size) in &dialled {
        needed += u64::from(*size).next_multiple_of(2);
        if needed > u64::from(limits.slots) {
            first_beyond.get_or_insert(&vip.place);
        }
    }
    if let Some(place) = first_beyond {
        let whose = match (peer.is_some(), dialled.is_empty()) {
            (true, _) => "the allowed sources, which count as a pool, need",
            (false, true) => "the pools need",
            (false, false) => "the pools, and the distinct lists of pools with dials, need",
        };
        let what = format!("{whose} {needed} Maglev slots, limits.slots is {}", limits.slots);
        findings.refuse(place, Problem::new(what, format!("raise `slots` in [limits] to at least {needed}")));
    }
}

/// The first VIP of each distinct list that has a table of its own, and its size: where a dial leaves flows to a pool behind.
fn dialled(services: &ServicesDraft) -> Vec<(&VipDraft, u32)> {
    let by_name: HashMap<_, _> =
        services.pools.iter().filter_map(|pool| Some((pool.name.as_ref()?.value.0.as_str(), pool))).collect();
    let lists = lists_with_fallbacks(services).into_iter().filter_map(|vip| {
        let pools: Vec<_> = vip.pool_names().filter_map(|name| by_name.get(name)).collect();
        let (_, others) = pools.split_last()?;
        let divides = |pool: &&&PoolDraft| pool.dial_percent.is_some_and(|dial| dial.0 < 100);
        others.iter().any(divides).then(|| (vip, table_size(pools[0].backends.len())))
    });
    lists.collect()
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
