//! What the stack of a host must have, so that decapsulated packets get to the service.

use std::net::IpAddr;

use super::{
    super::{
        Place,
        Severity::{Error, Info, Warning},
        facts::{CLIENTS, Known, sysctls::set},
    },
    Answer, Case, Check, Concerns,
    addresses::host_prefix,
    interfaces::present,
};
use crate::{
    desired::{Role, Vip},
    netlink::snapshot::StackRoute,
};

/// `rp_filter`: only packets whose source is routed by the interface that they come in by.
pub(super) const STRICT: u32 = 1;
/// Packets whose source is routed at all.
pub(super) const LOOSE: u32 = 2;

pub(super) const CHECKS: [Check; 4] = [
    Check {
        code: "tunnel_address_foreign",
        severities: &[Warning],
        concerns: Concerns::Gateways,
        finds: "a tunnel address that is no address of this host",
        run: tunnel_address_foreign,
    },
    Check {
        code: "vip_not_local",
        severities: &[Error],
        concerns: Concerns::Gateways,
        finds: "a VIP that is neither an address of the gateway nor routed to a host behind it",
        run: vip_not_local,
    },
    Check {
        code: "rp_filter_strict",
        severities: &[Error, Warning],
        concerns: Concerns::Gateways,
        finds: "a strict reverse-path filter where tunnels arrive: packets of clients come by another way than answers leave",
        run: rp_filter_strict,
    },
    Check {
        code: "forwarding_off",
        severities: &[Error, Info],
        concerns: Concerns::All,
        finds: "a stack that does not forward: to a VIP behind a gateway (error), or what a PoP's program passes (info)",
        run: forwarding_off,
    },
];

fn tunnel_address_foreign(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Role::Gateway(gateway) = &case.config.local.role else { return };
    for (index, address) in gateway.tunnel_addresses.iter().enumerate() {
        if !case.facts.has_address(*address) {
            answer.warning(
                Place::Field(format!("gateway.tunnel_addresses[{index}]")),
                format!(
                    "`{address}` is not an address of this host: tunnels to it arrive only if a router sends them here"
                ),
                format!("ip address add {} dev {}", host_prefix(*address), case.backbone_name()),
            );
        }
    }
}

/// Where the stack sends packets to an address.
pub(super) fn stack_route<'a>(case: &Case<'a>, address: IpAddr) -> Known<Option<&'a StackRoute>> {
    Ok(case.facts.stack_routes.as_ref().map_err(Clone::clone)?.get(&address).and_then(Option::as_ref))
}

/// Whether those routes are known; where they are not, every check that needs them says so.
pub(super) fn knows_stack_routes(case: &Case<'_>, answer: &mut Answer<'_>) -> bool {
    let routes = case.facts.stack_routes.as_ref();
    routes.map_err(|reason| answer.skip(Place::Host, reason.as_str())).is_ok()
}

fn vip_not_local(case: &Case<'_>, answer: &mut Answer<'_>) {
    for vip in &case.config.services.vips {
        match stack_route(case, vip.address) {
            Err(reason) => answer.skip(Place::vip(&vip.name), reason),
            Ok(Some(route)) if route.local || !route.default => {}
            Ok(_) => answer.error(
                Place::vip(&vip.name),
                format!("`{}` is not an address of this host: what is decapsulated for it goes nowhere", vip.address),
                format!("ip address add {} dev lo", host_prefix(vip.address)),
            ),
        }
    }
}

/// IPv6 has no such filter of its own.
fn rp_filter_strict(case: &Case<'_>, answer: &mut Answer<'_>) {
    if !case.config.services.vips.iter().any(|vip| vip.address.is_ipv4()) {
        return;
    }
    let leaves = match stack_route(case, CLIENTS[0]) {
        Ok(route) => route,
        Err(reason) => return answer.skip(Place::Host, reason),
    };
    let leaves_by = |ifindex: u32| leaves.is_some_and(|route| route.ifindexes.contains(&ifindex));
    for (interface, link) in present(case).filter(|(interface, _)| interface.backbone) {
        let name = &interface.name;
        let fix = format!("{}, and the same in /etc/sysctl.d", set(name, "rp_filter", LOOSE));
        match case.facts.sysctls.effective(name, "rp_filter") {
            Err(reason) => answer.skip(Place::interface(name), reason),
            Ok(STRICT) if leaves_by(link.ifindex) => answer.warning(
                Place::interface(name),
                format!("the reverse-path filter of `{name}` is strict: it drops what is decapsulated as soon as answers leave by another interface"),
                fix,
            ),
            Ok(STRICT) => answer.error(
                Place::interface(name),
                format!("the reverse-path filter of `{name}` is strict, and answers to clients leave by another interface: it drops what is decapsulated"),
                fix,
            ),
            Ok(_) => {}
        }
    }
}

fn forwarding_off(case: &Case<'_>, answer: &mut Answer<'_>) {
    match &case.config.local.role {
        Role::Pop(_) => passed_are_not_forwarded(case, answer),
        Role::Gateway(_) if knows_stack_routes(case, answer) => {
            case.config.services.vips.iter().for_each(|vip| vip_behind(case, vip, answer));
        }
        Role::Gateway(_) => {}
    }
}

/// The programs forward VIP packets by themselves; the stack's forwarding concerns what they pass.
fn passed_are_not_forwarded(case: &Case<'_>, answer: &mut Answer<'_>) {
    for (interface, _) in present(case).filter(|(interface, _)| interface.access) {
        let name = &interface.name;
        match case.facts.sysctls.get(&format!("ipv4/conf/{name}/forwarding")) {
            Err(reason) => answer.skip(Place::interface(name), reason),
            Ok(0) => answer.info(
                Place::interface(name),
                format!("the stack does not forward what comes in by `{name}`: packets of VIPs are forwarded, others are not"),
                format!("only if this host is a router for others, too: {}", set(name, "forwarding", 1)),
            ),
            Ok(_) => {}
        }
    }
}

/// A VIP that another host behind this gateway serves.
fn vip_behind(case: &Case<'_>, vip: &Vip, answer: &mut Answer<'_>) {
    // No route at all, or a local address: told elsewhere, or nothing to forward.
    let Ok(Some(StackRoute { local: false, default: false, .. })) = stack_route(case, vip.address) else { return };
    let keys: Vec<(String, String)> = match vip.address {
        IpAddr::V6(_) => {
            vec![("ipv6/conf/all/forwarding".to_owned(), "sysctl -w net.ipv6.conf.all.forwarding=1".to_owned())]
        }
        IpAddr::V4(_) => {
            let names = present(case).filter(|(one, _)| one.backbone).map(|(interface, _)| &interface.name);
            names.map(|name| (format!("ipv4/conf/{name}/forwarding"), set(name, "forwarding", 1))).collect()
        }
    };
    for (path, fix) in keys {
        match case.facts.sysctls.get(&path) {
            Err(reason) => answer.skip(Place::vip(&vip.name), reason),
            Ok(0) => answer.error(
                Place::vip(&vip.name),
                format!(
                    "`{}` is routed to another host, and the stack does not forward: what is decapsulated ends here",
                    vip.address
                ),
                format!("{fix}; or to serve it here: ip address add {} dev lo", host_prefix(vip.address)),
            ),
            Ok(_) => {}
        }
    }
}
