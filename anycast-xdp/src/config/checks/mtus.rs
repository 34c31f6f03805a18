//! The MTU toward a backend, or between a gateway and PoPs, leaves what IP asks for: outside for the tunnel, and inside for
//! the VIPs behind it.

use std::{collections::HashSet, net::IpAddr};

use anycast_common::encap::Encap;

use crate::{
    config::{
        findings::{Findings, Problem},
        local::LocalDraft,
        services::{BackendDraft, PoolDraft, ServicesDraft},
    },
    desired::{IPV6_MTU_MIN_BYTES, outer_mtu_min_bytes},
};

pub(super) fn check(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    returns(local, services, findings);
    let ipv6_vips = services.vips.iter().filter(|vip| vip.address.as_ref().is_some_and(|at| at.value.is_ipv6()));
    let with_ipv6: HashSet<_> = ipv6_vips.filter_map(|vip| vip.pool.as_ref()).map(|name| &name.value.0).collect();
    let serves_ipv6 = |pool: &PoolDraft| pool.name.as_ref().is_some_and(|name| with_ipv6.contains(&name.value.0));
    for pool in &services.pools {
        for backend in &pool.backends {
            minimum(backend, serves_ipv6(pool), findings);
        }
    }
}

fn minimum(backend: &BackendDraft, serves_ipv6: bool, findings: &mut Findings<'_>) {
    let (Some(address), Some(encap), Some(mtu_bytes)) = (&backend.address, &backend.encap, &backend.mtu_bytes) else {
        return;
    };
    let overhead_bytes = encap.value.overhead_bytes(address.value) as u32;
    let (needed, why) = if serves_ipv6 {
        let why = format!("IPv6 VIPs need {IPV6_MTU_MIN_BYTES} bytes behind {overhead_bytes} of outer header");
        (u32::from(IPV6_MTU_MIN_BYTES) + overhead_bytes, why)
    } else {
        let least = outer_mtu_min_bytes(address.value);
        (least.into(), format!("every path to `{}` takes {least} bytes", address.value))
    };
    let given = mtu_bytes.value.0;
    if given < needed {
        let what = format!("{given} is too small: {why}");
        findings.refuse(&mtu_bytes.place, Problem::new(what, format!("write {needed} or more, or remove `mtu_bytes`")));
    }
}

/// The way to a PoP host is that to a backend. In which encap answers go is the PoP's to say: the shortest is counted.
fn returns(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    let Some(mtu_bytes) = &local.gateway.return_mtu_bytes else { return };
    let returns_ipv6 = services.returning().any(|vip| vip.address.as_ref().is_some_and(|at| at.value.is_ipv6()));
    let needs = |source: IpAddr| {
        let overhead_bytes = Encap::Ipip.overhead_bytes(source) as u32;
        if returns_ipv6 {
            let why = format!(
                "IPv6 VIPs need {IPV6_MTU_MIN_BYTES} bytes behind {overhead_bytes} or more of outer header to `{source}`"
            );
            (u32::from(IPV6_MTU_MIN_BYTES) + overhead_bytes, why)
        } else {
            let least = outer_mtu_min_bytes(source);
            (least.into(), format!("every path to `{source}` takes {least} bytes"))
        }
    };
    let sources = local.gateway.allowed_sources.iter().map(|source| source.value.network());
    let given = mtu_bytes.value.0;
    if let Some((needed, why)) =
        sources.map(needs).max_by_key(|(needed, _)| *needed).filter(|(least, _)| given < *least)
    {
        let what = format!("{given} is too small: {why}");
        let help = format!("write {needed} or more, or remove `return_mtu_bytes`");
        findings.refuse(&mtu_bytes.place, Problem::new(what, help));
    }
}
