//! The MTU toward a backend leaves what IP asks for: outside for its tunnel, and inside for the VIPs behind it.

use std::collections::HashSet;

use crate::{
    config::{
        findings::{Findings, Problem},
        services::{BackendDraft, PoolDraft, ServicesDraft},
    },
    desired::{IPV6_MTU_MIN_BYTES, outer_mtu_min_bytes},
};

pub(super) fn check(services: &ServicesDraft, findings: &mut Findings<'_>) {
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
