//! Answers that go through PoPs find their way: a gateway tells PoP hosts apart by their sources, and a PoP a gateway by
//! the tunnel that it uses to it.

use std::collections::{BTreeMap, HashSet};

use anycast_common::encap::Encap;
use ipnet::IpNet;

use crate::config::{
    findings::{Findings, Problem},
    local::LocalDraft,
    place::Located,
    services::{BackendDraft, ServicesDraft, VipDraft},
    types::RoleName,
};

/// What a gateway remembers of the source that a client's packet came from, beside its prefix.
const HOST_BITS_MAX: u8 = 16;

pub(super) fn check(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    // One is as good as the others: what follows is true of all of them, or of its own pools.
    let Some(vip) = services.returning().next() else { return };
    match local.role {
        Some(RoleName::Gateway) => {
            sources_are_hosts(local, vip, findings);
            sources_have_a_tunnel_address(local, findings);
        }
        Some(RoleName::Pop) => {
            gue_comes_to_one_port(local, services, findings);
            gateways_have_one_tunnel(services, findings);
        }
        None => {}
    }
}

/// What is meant by "this VIP" in an error about something else.
fn returning(vip: &VipDraft, findings: &Findings<'_>) -> String {
    format!("answers of `{}`{} go through PoPs", vip.place.path(), findings.line(&vip.place))
}

fn sources_are_hosts(local: &LocalDraft, vip: &VipDraft, findings: &mut Findings<'_>) {
    for source in &local.gateway.allowed_sources {
        let host_bits = source.value.max_prefix_len() - source.value.prefix_len();
        if host_bits > HOST_BITS_MAX {
            let what = format!(
                "`{}` has {host_bits} host bits, {HOST_BITS_MAX} are the most where {}",
                source.value,
                returning(vip, findings)
            );
            let help = "write each PoP host's tunnel source as one prefix: each is one PoP host, and answers go to the address the packet came from";
            findings.refuse(&source.place, Problem::new(what, help));
        }
    }
}

/// One error a family, at the first source that needs it: they have one cause.
fn sources_have_a_tunnel_address(local: &LocalDraft, findings: &mut Findings<'_>) {
    let gateway = &local.gateway;
    // Without any that was not refused, that was told.
    if gateway.tunnel_addresses.is_empty() {
        return;
    }
    for (is_ipv4, family) in [(true, "IPv4"), (false, "IPv6")] {
        let source = gateway.allowed_sources.iter().find(|source| matches!(source.value, IpNet::V4(_)) == is_ipv4);
        let has_address = gateway.tunnel_addresses.iter().any(|address| address.value.is_ipv4() == is_ipv4);
        if let Some(source) = source.filter(|_| !has_address) {
            let what =
                format!("answers to `{}` need an {family} address to come from, and none ends tunnels", source.value);
            let help =
                format!("add the {family} address of this host to `tunnel_addresses`, or remove the {family} sources");
            findings.refuse(&source.place, Problem::new(what, help));
        }
    }
}

/// The backends of the pools that a VIP is bound to.
fn backends_of<'a>(services: &'a ServicesDraft, vip: &'a VipDraft) -> impl Iterator<Item = &'a BackendDraft> {
    let pool = |name: &str| {
        services.pools.iter().find(move |pool| pool.name.as_ref().is_some_and(|found| found.value.0 == name))
    };
    vip.pool_names().filter_map(pool).flat_map(|pool| &pool.backends)
}

fn gue_comes_to_one_port(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    let own_port = local.tunnel.gue_port();
    let mut told = HashSet::new();
    for vip in services.returning() {
        for encap in backends_of(services, vip).filter_map(|backend| backend.encap.as_ref()) {
            let Encap::Gue { port } = encap.value else { continue };
            if port != own_port && told.insert(encap.place.path()) {
                let what = format!("GUE to port {port}; {}, and come to port {own_port}", returning(vip, findings));
                let help = "write one port for all: here, as `gue_port` in [tunnel] and as that of the gateways";
                findings.refuse(&encap.place, Problem::new(what, help));
            }
        }
    }
}

/// The same gateway in several pools of a VIP.
fn gateways_have_one_tunnel(services: &ServicesDraft, findings: &mut Findings<'_>) {
    let mut told = HashSet::new();
    for vip in services.returning() {
        let mut first: BTreeMap<_, &Located<Encap>> = BTreeMap::new();
        for backend in backends_of(services, vip) {
            let (Some(address), Some(encap)) = (&backend.address, &backend.encap) else { continue };
            let known = *first.entry(address.value).or_insert(encap);
            if is_one_tunnel(known.value, encap.value) || !told.insert(encap.place.path()) {
                continue;
            }
            let what = format!(
                "`{}` is in {} here and in {} in {}{}, and {}",
                address.value,
                encap.value,
                known.value,
                known.place.path(),
                findings.line(&known.place),
                returning(vip, findings)
            );
            let help = "write the same encap and key: answers of one gateway to one VIP come in one tunnel";
            findings.refuse(&encap.place, Problem::new(what, help));
        }
    }
}

/// Ports of GUE that differ were refused as such.
fn is_one_tunnel(a: Encap, b: Encap) -> bool {
    a == b || matches!((a, b), (Encap::Gue { .. }, Encap::Gue { .. }))
}
