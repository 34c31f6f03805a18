//! What must be unique is.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt::Display,
    hash::Hash,
};

use crate::config::{
    findings::{Findings, Problem},
    local::LocalDraft,
    place::Located,
    services::ServicesDraft,
};

pub(super) fn check(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    let rename = "give each a name of its own";
    let remove = "remove one of the two";
    unique(
        local.interfaces.iter().filter_map(|interface| interface.name.as_ref()),
        "merge the two: `roles` is a list",
        findings,
    );
    for roles in local.interfaces.iter().filter_map(|interface| interface.roles.as_ref()) {
        unique(roles, remove, findings);
    }
    unique(&local.gateway.tunnel_addresses, remove, findings);
    unique(&local.gateway.allowed_sources, remove, findings);

    unique(services.pops.iter().filter_map(|pop| pop.name.as_ref()), rename, findings);
    unique(services.prefixes.iter().filter_map(|prefix| prefix.name.as_ref()), rename, findings);
    for pops in services.prefixes.iter().filter_map(|prefix| prefix.publish.as_ref()) {
        unique(pops, remove, findings);
    }
    unique(services.pools.iter().filter_map(|pool| pool.name.as_ref()), rename, findings);
    for pool in &services.pools {
        let addresses = pool.backends.iter().filter_map(|backend| backend.address.as_ref());
        unique(addresses, "remove one of the two and give the other the sum of the weights", findings);
    }
    unique(services.vips.iter().filter_map(|vip| vip.name.as_ref()), rename, findings);
    let addresses = services.vips.iter().filter_map(|vip| vip.address.as_ref());
    unique(addresses, "merge the two: `listeners` is a list", findings);
    for vip in &services.vips {
        unique(&vip.listeners, remove, findings);
        unique(vip.pool.iter().chain(&vip.fallback_pools), remove, findings);
        unique(vip.publish.iter().flatten(), remove, findings);
    }
}

/// Refuses every value that stood before, and says where.
fn unique<'a, T: Eq + Hash + Display + 'a>(
    values: impl IntoIterator<Item = &'a Located<T>>,
    help: &str,
    findings: &mut Findings<'_>,
) {
    let mut first = HashMap::new();
    for located in values {
        match first.entry(&located.value) {
            Entry::Vacant(entry) => {
                entry.insert(&located.place);
            }
            Entry::Occupied(entry) => {
                let place = *entry.get();
                let what = format!("`{}` is also {}{}", located.value, place.path(), findings.line(place));
                findings.refuse(&located.place, Problem::new(what, help));
            }
        }
    }
}
