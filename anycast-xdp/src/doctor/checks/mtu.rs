//! Do packets still fit with their outer header?

use super::{
    super::{
        Place,
        Severity::{Error, Warning},
    },
    Answer, Case, Check, Concerns,
    interfaces::present,
};
use crate::{
    config::host::{
        Severity,
        mtu::{self, overhead_bytes},
    },
    desired::Role,
    netlink::{Route, snapshot::Snapshot},
};

pub(super) const CHECKS: [Check; 2] = [
    Check {
        code: "backbone_mtu_small",
        severities: &[Error, Warning],
        concerns: Concerns::Pops,
        finds: "a backbone interface whose MTU has no room for the longest access packet and its outer header",
        run: backbone_mtu_small,
    },
    Check {
        code: "backend_mtu_small",
        severities: &[Error, Warning],
        concerns: Concerns::Pops,
        finds: "a route to a backend whose MTU has no such room, although its interface has",
        run: backend_mtu_small,
    },
];

fn backbone_mtu_small(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Role::Pop(pop) = &case.config.local.role else { return };
    let backbone = present(case).filter(|(interface, _)| interface.backbone);
    let smallest = backbone.min_by_key(|(_, link)| link.mtu_bytes).map(|(interface, _)| &interface.name);
    for remark in mtu::check(case.config, pop, &case.facts.as_host()) {
        let at = match smallest {
            Some(name) if remark.field == "interface" => Place::interface(name),
            _ => Place::Field(remark.field),
        };
        match remark.severity {
            Severity::Error => answer.error(at, remark.problem, remark.help),
            Severity::Warning => answer.warning(at, remark.problem, remark.help),
        }
    }
}

fn backend_mtu_small(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Role::Pop(pop) = &case.config.local.role else { return };
    let access = present(case).filter(|(interface, _)| interface.access).map(|(_, link)| link.mtu_bytes);
    let Some(access_mtu_bytes) = access.max() else { return };
    let ways = match &case.facts.ways {
        Ok(ways) => ways,
        Err(reason) => return answer.skip(Place::Host, reason),
    };
    for (address, route) in &ways.view.routes {
        let backends = case.config.services.pools.iter().flat_map(|pool| &pool.backends);
        let overhead_bytes = overhead_bytes(backends.filter(|backend| backend.address == *address)).unwrap_or(0);
        let needed = access_mtu_bytes + overhead_bytes;
        let link_mtu_bytes =
            route.hops.iter().filter_map(|hop| ways.view.links.get(&hop.ifindex)).map(|link| link.mtu_bytes);
        // A link that is too small was told of by its name.
        if u32::from(route.mtu_bytes) >= needed || link_mtu_bytes.min().is_none_or(|bytes| bytes < needed) {
            continue;
        }
        let problem = format!(
            "the route to {address} has an MTU of {} bytes; access packets ({access_mtu_bytes}) and their outer header need {needed}",
            route.mtu_bytes
        );
        let fix = format!("{} mtu {needed}", change(ways, route));
        if pop.allow_small_mtu {
            answer.warning(Place::Backend(*address), problem, fix);
        } else {
            answer.error(Place::Backend(*address), problem, fix);
        }
    }
}

/// The command that changes a route, up to its new attribute.
fn change(ways: &Snapshot, route: &Route) -> String {
    let hop = |hop: &crate::netlink::Hop| {
        let name = ways.view.links.get(&hop.ifindex).map_or("DEVICE", |link| link.name.as_str());
        format!("via {} dev {name}", hop.via)
    };
    match route.hops.as_slice() {
        [only] => format!("ip route change {} {}", route.prefix, hop(only)),
        hops => {
            let hops: Vec<_> = hops.iter().map(|one| format!("nexthop {} weight {}", hop(one), one.weight)).collect();
            format!("ip route change {} {}", route.prefix, hops.join(" "))
        }
    }
}
