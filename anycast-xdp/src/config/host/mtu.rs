//! Does every packet that comes in by an access interface still fit the backbone, outer header and all?

use super::{HostFacts, Remark};
use crate::desired::{Backend, Config, IPV6_MTU_MIN_BYTES, Interface, PopRole};

pub(crate) fn check(config: &Config, pop: &PopRole, host: &HostFacts) -> Vec<Remark> {
    let mtu_of = |interface: &Interface| Some((host.links.get(&interface.name)?.mtu_bytes, interface.name.clone()));
    let interfaces = || config.local.interfaces.iter();
    let access = interfaces().filter(|interface| interface.access).filter_map(mtu_of).max();
    let backbone = interfaces().filter(|interface| interface.backbone).filter_map(mtu_of).min();
    let overhead_bytes = overhead_bytes(config.services.pools.iter().flat_map(|pool| &pool.backends));
    let (Some((access_mtu, access)), Some((backbone_mtu, backbone)), Some(overhead_bytes)) =
        (access, backbone, overhead_bytes)
    else {
        // An interface that is not there was told of; without backends there are no tunnels.
        return Vec::new();
    };
    let mut remarks = Vec::new();
    let needed = access_mtu + overhead_bytes;
    if needed > backbone_mtu {
        let problem = format!(
            "`{backbone}` has an MTU of {backbone_mtu} bytes; packets of `{access}` ({access_mtu}) with {overhead_bytes} bytes of outer header need {needed}"
        );
        remarks.push(if pop.allow_small_mtu {
            Remark::warning("tunnel.allow_small_mtu", problem, "senders of packets that do not fit are told the MTU that does; IPv4 packets that may be fragmented are dropped and counted as `too_big`")
        } else if access == backbone {
            let help = "one interface is both: set `allow_small_mtu = true` in [tunnel] and have clients use smaller packets";
            Remark::error("interface", problem, help)
        } else {
            let help = format!(
                "ip link set {backbone} mtu {needed}, on both ends; or set `allow_small_mtu = true` in [tunnel] and lose what does not fit"
            );
            Remark::error("interface", problem, help)
        });
    }
    remarks.extend(settings(config, pop, access_mtu, &access));
    remarks.extend(ipv6_minimum(config, backbone_mtu, &backbone));
    remarks
}

/// Backends whose own `mtu_bytes` has no room for packets of the access interfaces.
fn settings(config: &Config, pop: &PopRole, access_mtu: u32, access: &str) -> Vec<Remark> {
    let pools = config.services.pools.iter().enumerate();
    let backends =
        pools.flat_map(|(pool, found)| found.backends.iter().enumerate().map(move |(at, found)| (pool, at, found)));
    let remark = |(pool, at, backend): (usize, usize, &Backend)| {
        let mtu_bytes = backend.mtu_bytes?;
        let overhead_bytes = backend.encap.overhead_bytes(backend.address) as u32;
        let needed = access_mtu + overhead_bytes;
        let field = format!("pool[{pool}].backend[{at}].mtu_bytes");
        let problem = format!(
            "{mtu_bytes} bytes toward `{}`; packets of `{access}` ({access_mtu}) and {overhead_bytes} of outer header need {needed}",
            backend.address
        );
        let remark = if pop.allow_small_mtu {
            Remark::warning(field, problem, "packets that do not fit are dropped and counted as `too_big`")
        } else {
            let help = format!(
                "have the path take {needed} bytes; or set `allow_small_mtu = true` in [tunnel] and lose what does not fit"
            );
            Remark::error(field, problem, help)
        };
        (needed > mtu_bytes.into()).then_some(remark)
    };
    backends.filter_map(remark).collect()
}

/// IPv6 has no fragmentation on the way: where 1280 bytes do not fit, IPv6 does not work, whatever is allowed.
fn ipv6_minimum(config: &Config, backbone_mtu: u32, backbone: &str) -> Option<Remark> {
    let services = &config.services;
    let (index, vip) = services.vips.iter().enumerate().find(|(_, vip)| {
        let pool = services.pools.iter().find(|pool| Some(&pool.name) == vip.pool.as_ref());
        let overhead_bytes = pool.and_then(|pool| overhead_bytes(&pool.backends));
        vip.address.is_ipv6()
            && overhead_bytes.is_some_and(|bytes| u32::from(IPV6_MTU_MIN_BYTES) + bytes > backbone_mtu)
    })?;
    let problem = format!(
        "the MTU of `{backbone}` ({backbone_mtu} bytes) leaves less than the {IPV6_MTU_MIN_BYTES} bytes that IPv6 needs for `{}`",
        vip.name
    );
    Some(Remark::error(
        format!("vip[{index}].address"),
        problem,
        format!("raise the MTU of {backbone} to 1600 or more"),
    ))
}

/// Longest outer header toward any of these backends; `None` without backends.
pub(crate) fn overhead_bytes<'a>(backends: impl IntoIterator<Item = &'a Backend>) -> Option<u32> {
    backends.into_iter().map(|backend| backend.encap.overhead_bytes(backend.address) as u32).max()
}
