//! Answers that go through PoPs: what the gateway's stack sends has to be seen, and the PoP has to know a way to clients.

use std::net::IpAddr;

use super::{
    super::{
        Place,
        Severity::{Error, Warning},
        facts::{CLIENTS, Known, Link, sysctls::set},
    },
    Answer, Case, Check, Concerns,
    gateway::{LOOSE, STRICT, stack_route},
    interfaces::present,
};
use crate::{
    config::host::sysctl,
    desired::{Interface, Vip},
    netlink::snapshot::StackRoute,
};

pub(super) const CHECKS: [Check; 4] = [
    Check {
        code: "return_forwarding_off",
        severities: &[Error, Warning],
        concerns: Concerns::Pops,
        finds: "a kernel that does not forward what comes in by the backbone: it tells no way to clients (error), or does not forward answers whose next hop is not resolved yet (warning)",
        run: return_forwarding_off,
    },
    Check {
        code: "return_route_off_access",
        severities: &[Error],
        concerns: Concerns::Pops,
        finds: "a PoP without a route to clients by an access interface: answers do not leave",
        run: return_route_off_access,
    },
    Check {
        code: "return_rp_filter",
        severities: &[Error],
        concerns: Concerns::Pops,
        finds: "a reverse-path filter on a backbone interface that drops answers whose next hop is not resolved yet: a strict one, or any where a VIP has no route",
        run: return_rp_filter,
    },
    Check {
        code: "return_egress_missing",
        severities: &[Warning],
        concerns: Concerns::Gateways,
        finds: "a gateway whose answers leave by an interface that is neither `backbone` nor `egress`: unseen, directly",
        run: return_egress_missing,
    },
];

/// Families that have VIPs whose answers go through PoPs: an address of a client, and the VIPs.
fn families<'a>(case: &Case<'a>) -> impl Iterator<Item = (IpAddr, Vec<&'a Vip>)> {
    let vips = case.config.services.returning();
    CLIENTS.into_iter().filter_map(move |client| {
        let of_family = vips.clone().filter(|vip| vip.address.is_ipv4() == client.is_ipv4());
        let of_family: Vec<_> = of_family.collect();
        (!of_family.is_empty()).then_some((client, of_family))
    })
}

const fn family(client: IpAddr) -> (&'static str, &'static str) {
    if client.is_ipv4() { ("IPv4", "-4") } else { ("IPv6", "-6") }
}

fn backbone<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a Interface, &'a Link)> {
    present(case).filter(|(interface, _)| interface.backbone)
}

fn return_forwarding_off(case: &Case<'_>, answer: &mut Answer<'_>) {
    for (client, vips) in families(case) {
        let (words, _) = family(client);
        for (Interface { name, .. }, _) in backbone(case) {
            let path = sysctl::forwarding(name, client.is_ipv4());
            match case.facts.sysctls.get(&path) {
                Err(reason) => answer.skip(Place::interface(name), reason),
                Ok(0) => answer.error(
                    Place::interface(name),
                    format!("the kernel does not forward {words} packets that come in by `{name}`: it tells no way to clients, and answers of {} VIPs (`{}`, ...) are dropped", vips.len(), vips[0].name),
                    format!("{}, and the same in /etc/sysctl.d", sysctl::command(&path, 1)),
                ),
                Ok(_) => {}
            }
        }
        if client.is_ipv6() {
            stack_forwards_ipv6(case, answer);
        }
    }
}

/// The stack of IPv6 forwards for all interfaces or for none, whatever the value of one (`ip6_forward`,
/// net/ipv6/ip6_output.c).
fn stack_forwards_ipv6(case: &Case<'_>, answer: &mut Answer<'_>) {
    let path = sysctl::forwarding("all", false);
    match case.facts.sysctls.get(&path) {
        Err(reason) => answer.skip(Place::Host, reason),
        Ok(0) => answer.warning(
            Place::Host,
            "the stack does not forward IPv6: answers whose next hop is not resolved yet are lost, and nobody asks for it",
            format!(
                "{}, and the same in /etc/sysctl.d; where this host's own routes come from router advertisements: net.ipv6.conf.INTERFACE.accept_ra=2 first",
                sysctl::command(&path, 1)
            ),
        ),
        Ok(_) => {}
    }
}

/// The interface of the file that packets by this link leave by: its own, or that of the link that it is a VLAN of.
fn leaves_by<'a>(case: &Case<'a>, ifindex: u32) -> (&'a str, Option<&'a Interface>) {
    let Some((name, link)) = case.facts.link_by_index(ifindex) else { return ("unknown", None) };
    let parent = case.facts.vlan_parent(link).map(|(name, _)| name);
    (name, case.interfaces().find(|interface| interface.name == *name || Some(&interface.name) == parent))
}

fn return_route_off_access(case: &Case<'_>, answer: &mut Answer<'_>) {
    let access = case.interfaces().find(|interface| interface.access);
    let access = access.map_or("ACCESS", |interface| interface.name.as_str());
    for (client, vips) in families(case) {
        let (words, option) = family(client);
        let fix = format!("ip {option} route replace default via ROUTER dev {access}");
        let route = match stack_route(case, client) {
            Ok(route) => route,
            Err(reason) => {
                answer.skip(Place::Host, reason);
                continue;
            }
        };
        let Some(StackRoute { ifindexes, .. }) = route else {
            let problem = format!(
                "there is no {words} route to clients: answers of {} VIPs (`{}`, ...) are dropped",
                vips.len(),
                vips[0].name
            );
            answer.error(Place::Host, problem, fix);
            continue;
        };
        for ifindex in ifindexes {
            let (name, interface) = leaves_by(case, *ifindex);
            if interface.is_some_and(|interface| interface.access) {
                continue;
            }
            let problem = format!(
                "{words} packets to clients leave by `{name}`, which is no access interface: answers of {} VIPs (`{}`, ...) are dropped",
                vips.len(),
                vips[0].name
            );
            let or = format!("if `{name}` is meant: an [[interface]] with name = \"{name}\" and roles = [\"access\"]");
            answer.error(Place::interface(name), problem, format!("{fix}; {or}"));
        }
    }
}

/// What the program gives to the stack comes from a VIP, by the backbone. IPv6 has no such filter of its own.
fn return_rp_filter(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Some((_, vips)) = families(case).find(|(client, _)| client.is_ipv4()) else { return };
    let routes: Known<Vec<_>> = vips.iter().map(|vip| stack_route(case, vip.address)).collect();
    let routes = match routes {
        Ok(routes) => routes,
        Err(reason) => return answer.skip(Place::Host, reason),
    };
    for (Interface { name, .. }, link) in backbone(case) {
        let filter = match case.facts.sysctls.effective(name, "rp_filter") {
            Err(reason) => {
                answer.skip(Place::interface(name), reason);
                continue;
            }
            Ok(0) => continue,
            Ok(filter) => filter,
        };
        // With one arm the VIPs are routed where answers come from.
        let is_routed_here =
            |route: Option<&StackRoute>| route.is_some_and(|route| route.ifindexes.contains(&link.ifindex));
        if let Some((_, vip)) = routes.iter().zip(&vips).find(|(route, _)| route.is_none()) {
            answer.error(
                Place::interface(name),
                format!("the reverse-path filter of `{name}` drops what comes from a VIP without a route (`{}`, or a blackhole): answers whose next hop is not resolved yet, and nobody asks for it", vip.name),
                format!("{} and {}, and the same in /etc/sysctl.d", set("all", "rp_filter", 0), set(name, "rp_filter", 0)),
            );
        } else if filter == STRICT && !routes.iter().copied().all(is_routed_here) {
            answer.error(
                Place::interface(name),
                format!("the reverse-path filter of `{name}` is strict, and VIPs are not routed there: it drops answers whose next hop is not resolved yet, and nobody asks for it"),
                format!("{}, and the same in /etc/sysctl.d", set(name, "rp_filter", LOOSE)),
            );
        }
    }
}

fn return_egress_missing(case: &Case<'_>, answer: &mut Answer<'_>) {
    for (client, vips) in families(case) {
        let route = match stack_route(case, client) {
            Ok(route) => route,
            Err(reason) => {
                answer.skip(Place::Host, reason);
                continue;
            }
        };
        // Without a route: told elsewhere.
        for ifindex in route.iter().flat_map(|route| &route.ifindexes) {
            let (name, interface) = leaves_by(case, *ifindex);
            if interface.is_none() {
                let (words, _) = family(client);
                answer.warning(
                    Place::interface(name),
                    format!("{words} packets to clients leave by `{name}`, where nothing looks for answers: those of {} VIPs (`{}`, ...) leave directly", vips.len(), vips[0].name),
                    format!("add an [[interface]] with name = \"{name}\" and roles = [\"egress\"], and restart the daemon"),
                );
            }
        }
    }
}
