//! A VIP is no tunnel endpoint: its packets would be taken for tunnel packets, or tunnel packets for its own.

use std::{collections::HashMap, net::IpAddr};

use ipnet::IpNet;

use crate::config::{
    findings::{Findings, Problem},
    local::LocalDraft,
    place::{Located, Place},
    services::ServicesDraft,
};

pub(super) fn check(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    let ends: HashMap<_, _> = backends(services)
        .chain(&local.gateway.tunnel_addresses)
        .map(|address| (address.value, &address.place))
        .collect();
    for address in services.vips.iter().filter_map(|vip| vip.address.as_ref()) {
        if let Some(place) = ends.get(&address.value).copied().or_else(|| source_of(local, address.value)) {
            let what = format!("`{}` is also {}{}", address.value, place.path(), findings.line(place));
            let help = "give the VIP an address that nothing else has: a VIP is never an end of a tunnel";
            findings.refuse(&address.place, Problem::new(what, help));
        }
    }
    backends_are_elsewhere(local, services, findings);
    errors_come_from_the_host(local, services, findings);
}

/// Time Exceeded from a VIP would show every `PoP` as the same hop.
fn errors_come_from_the_host(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    let vips = services.vips.iter().filter_map(|vip| vip.address.as_ref());
    let vips: HashMap<_, _> = vips.map(|address| (address.value, &address.place)).collect();
    let v4 = local.icmp.source_ipv4.as_ref().map(|source| (IpAddr::V4(source.value), &source.place));
    let v6 = local.icmp.source_ipv6.as_ref().map(|source| (IpAddr::V6(source.value), &source.place));
    for (source, place) in v4.into_iter().chain(v6) {
        if let Some(vip) = vips.get(&source) {
            let what = format!("`{source}` is also {}{}", vip.path(), findings.line(vip));
            findings.refuse(place, Problem::new(what, "write an address that only this host has"));
        }
    }
}

fn backends(services: &ServicesDraft) -> impl Iterator<Item = &Located<IpAddr>> {
    services.pools.iter().flat_map(|pool| &pool.backends).filter_map(|backend| backend.address.as_ref())
}

/// The tunnel source that an address is, or is one of.
fn source_of(local: &LocalDraft, address: IpAddr) -> Option<&Place> {
    let v4 = local.tunnel.source_ipv4.as_ref().map(|source| (IpNet::V4(source.value), &source.place));
    let v6 = local.tunnel.source_ipv6.as_ref().map(|source| (IpNet::V6(source.value), &source.place));
    v4.into_iter().chain(v6).find(|(source, _)| source.contains(&address)).map(|(_, place)| place)
}

/// A tunnel from an address to itself leads nowhere.
fn backends_are_elsewhere(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    for backend in backends(services) {
        if let Some(place) = source_of(local, backend.value) {
            let what = format!("`{}` is also {}{}", backend.value, place.path(), findings.line(place));
            findings.refuse(&backend.place, Problem::new(what, "write the address of a node in the home region"));
        }
    }
}
