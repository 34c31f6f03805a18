//! Checks have a VIP to be sent to, and an address to come from.

use std::{collections::HashMap, net::IpAddr};

use crate::config::{
    findings::{Findings, Problem},
    local::LocalDraft,
    place::{Located, Place},
    schema::nearest,
    services::{ServicesDraft, VipDraft},
    types::{Name, RoleName},
};

pub(super) fn check(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    if local.role == Some(RoleName::Gateway) {
        return;
    }
    sources_are_no_vips(local, services, findings);
    let bound = bound(services);
    let mut without_source: [Option<(&VipDraft, &Place)>; 2] = [None, None];
    for pool in &services.pools {
        let (Some(check), Some(name)) = (&pool.health, &pool.name) else { continue };
        let bound = bound.get(name.value.0.as_str()).map(Vec::as_slice).unwrap_or_default();
        let vip = match &check.vip {
            Some(wanted) => {
                let vip = bound.iter().find(|vip| name_of(vip) == Some(wanted.value.0.as_str()));
                if vip.is_none() {
                    refuse_vip(wanted, &name.value.0, bound, findings);
                }
                vip
            }
            None => bound.iter().min_by_key(|vip| name_of(vip)),
        };
        let Some((vip, address)) = vip.and_then(|vip| Some((*vip, vip.address.as_ref()?.value))) else { continue };
        let is_missing = match address {
            IpAddr::V4(_) => local.health.source_ipv4.is_none(),
            IpAddr::V6(_) => local.health.source_ipv6.is_none(),
        };
        if is_missing {
            without_source[usize::from(address.is_ipv6())].get_or_insert((vip, &check.place));
        }
    }
    // One error a family: they have one cause.
    for ((vip, place), (key, family)) in without_source
        .into_iter()
        .zip([("source_ipv4", "IPv4"), ("source_ipv6", "IPv6")])
        .filter_map(|(at, family)| Some((at?, family)))
    {
        let name = name_of(vip).unwrap_or_default();
        let what = format!("a check by `{name}`, an {family} VIP, needs health.{key}, which is not set");
        let help = format!(
            "add `{key}` to [health] in the file of the host: an {family} address of its own that backends can answer to"
        );
        findings.refuse(place, Problem::new(what, help));
    }
}

fn name_of(vip: &VipDraft) -> Option<&str> {
    vip.name.as_ref().map(|name| name.value.0.as_str())
}

/// The VIPs of each pool, by its name.
fn bound(services: &ServicesDraft) -> HashMap<&str, Vec<&VipDraft>> {
    let mut bound: HashMap<&str, Vec<&VipDraft>> = HashMap::new();
    // Where nothing is checked, nobody asks.
    if services.pools.iter().any(|pool| pool.health.is_some()) {
        for vip in &services.vips {
            for pool in vip.pool_names() {
                bound.entry(pool).or_default().push(vip);
            }
        }
    }
    bound
}

fn refuse_vip(wanted: &Located<Name>, pool: &str, bound: &[&VipDraft], findings: &mut Findings<'_>) {
    let name = wanted.value.0.as_str();
    let names = || bound.iter().filter_map(|vip| name_of(vip));
    let help = match (nearest(name, names()), names().min()) {
        (Some(vip), _) => format!("did you mean `{vip}`?"),
        (None, Some(first)) => format!("name a VIP that is bound to it, such as `{first}`, or remove `vip`"),
        (None, None) => "no VIP is bound to it: bind one, or remove `vip`".to_owned(),
    };
    findings.refuse(&wanted.place, Problem::new(format!("no VIP `{name}` is bound to pool `{pool}`"), help));
}

fn sources_are_no_vips(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    let ipv4 = local.health.source_ipv4.as_ref().map(|source| (IpAddr::V4(source.value), &source.place));
    let ipv6 = local.health.source_ipv6.as_ref().map(|source| (IpAddr::V6(source.value), &source.place));
    for (source, place) in ipv4.into_iter().chain(ipv6) {
        let vip = services.vips.iter().find(|vip| vip.address.as_ref().is_some_and(|vip| vip.value == source));
        if let Some(vip) = vip {
            let what = format!("`{source}` is the VIP `{}`{}", vip.place.path(), findings.line(&vip.place));
            let help = "write an address of this host alone: what is sent to a VIP goes to its backends, answers to probes too";
            findings.refuse(place, Problem::new(what, help));
        }
    }
}
