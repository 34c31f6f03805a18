//! Bindings name pools that exist, and backends are of a family that tunnels can reach.

use std::{collections::HashSet, net::IpAddr};

use crate::config::{
    findings::{Findings, Problem},
    local::LocalDraft,
    schema::nearest,
    services::ServicesDraft,
    types::RoleName,
};

pub(super) fn check(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    if local.role == Some(RoleName::Gateway) {
        return;
    }
    bindings(services, findings);
    tunnel_sources(local, services, findings);
}

fn bindings(services: &ServicesDraft, findings: &mut Findings<'_>) {
    let pools = || services.pools.iter().filter_map(|pool| pool.name.as_ref()).map(|name| name.value.0.as_str());
    let known: HashSet<_> = pools().collect();
    for bound in services.vips.iter().flat_map(|vip| vip.pool.iter().chain(&vip.fallback_pools)) {
        let name = bound.value.0.as_str();
        if !known.contains(name) {
            let help = match nearest(name, pools()) {
                Some(pool) => format!("did you mean `{pool}`?"),
                None => "add a [[pool]] of this name, or name one that exists".to_owned(),
            };
            findings.refuse(&bound.place, Problem::new(format!("no pool is named `{name}`"), help));
        }
    }
}

/// One error a family, at the first backend that needs it: they have one cause.
fn tunnel_sources(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    let backends =
        || services.pools.iter().flat_map(|pool| &pool.backends).filter_map(|backend| backend.address.as_ref());
    let missing = [
        (backends().find(|address| address.value.is_ipv4()), local.tunnel.source_ipv4.is_none(), "source_ipv4"),
        (backends().find(|address| address.value.is_ipv6()), local.tunnel.source_ipv6.is_none(), "source_ipv6"),
    ];
    for (backend, is_missing, key) in missing {
        if let (Some(backend), true) = (backend, is_missing) {
            let family = if matches!(backend.value, IpAddr::V4(_)) { "IPv4" } else { "IPv6" };
            let what = format!("an {family} backend needs tunnel.{key}, which is not set");
            let help = format!("add `{key}` to [tunnel]: the {family} address of this host that its tunnels come from");
            findings.refuse(&backend.place, Problem::new(what, help));
        }
    }
}
