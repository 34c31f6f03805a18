//! Routes to the backends, and the neighbours on them.

use std::collections::BTreeSet;

use super::{
    super::{
        Place,
        Severity::{Error, Warning},
    },
    Answer, Case, Check, Concerns,
    addresses::host_prefix,
};
use crate::{
    desired::Backend,
    netlink::{NeighbourKey, View, snapshot::Snapshot},
};

pub(super) const CHECKS: [Check; 5] = [
    Check {
        code: "route_missing",
        severities: &[Error],
        concerns: Concerns::Pops,
        finds: "a backend without a route that packets leave by (none at all, blackhole, unreachable, all links down)",
        run: route_missing,
    },
    Check {
        code: "route_off_backbone",
        severities: &[Error],
        concerns: Concerns::Pops,
        finds: "a route to a backend by an interface that is no backbone interface",
        run: route_off_backbone,
    },
    Check {
        code: "neighbour_unresolved",
        severities: &[Error],
        concerns: Concerns::Pops,
        finds: "a next hop that does not answer ARP or neighbour discovery",
        run: neighbour_unresolved,
    },
    Check {
        code: "neighbour_unmanaged",
        severities: &[Warning],
        concerns: Concerns::Pops,
        finds: "a next hop that nobody keeps resolved",
        run: neighbour_unmanaged,
    },
    Check {
        code: "next_hops_outdated",
        severities: &[Error],
        concerns: Concerns::Pops,
        finds: "packets that go to another next hop than the kernel would take now",
        run: next_hops_outdated,
    },
];

/// The ways; where they are not known, every check that needs them says so.
fn ways<'a>(case: &Case<'a>, answer: &mut Answer<'_>) -> Option<&'a Snapshot> {
    let ways = case.facts.ways.as_ref();
    ways.map_err(|reason| answer.skip(Place::Host, reason.as_str())).ok()
}

/// Every backend once, whatever the number of pools that it is in.
fn backends<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a Backend> {
    let mut seen = BTreeSet::new();
    let all = case.config.services.pools.iter().flat_map(|pool| &pool.backends);
    all.filter(move |backend| seen.insert(backend.address))
}

fn route_missing(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Some(ways) = ways(case, answer) else { return };
    for backend in backends(case).filter(|backend| !ways.view.routes.contains_key(&backend.address)) {
        let address = backend.address;
        // A router that another backend of the family is reached by is a good guess.
        let hops = ways.view.routes.values().flat_map(|route| &route.hops);
        let router = hops.map(|hop| hop.via).find(|via| via.is_ipv4() == address.is_ipv4() && *via != address);
        let router = router.map_or_else(|| "ROUTER".to_owned(), |via| via.to_string());
        answer.error(
            Place::Backend(address),
            format!("there is no route to {address} that packets can leave by"),
            format!("ip route replace {} via {router} dev {}", host_prefix(address), case.backbone_name()),
        );
    }
}

fn route_off_backbone(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Some(ways) = ways(case, answer) else { return };
    let backbone: BTreeSet<_> =
        case.backbone().filter_map(|interface| Some(case.facts.links.get(&interface.name)?.ifindex)).collect();
    for (address, route) in &ways.view.routes {
        for hop in &route.hops {
            let Some(link) = ways.view.links.get(&hop.ifindex) else { continue };
            if backbone.contains(&link.egress_ifindex) {
                continue;
            }
            let (name, via) = (&link.name, hop.via);
            answer.error(
                Place::Backend(*address),
                format!("the route to {address} ({}) leaves by `{name}` via {via}, which is no backbone interface", route.prefix),
                format!(
                    "ip route replace {} via ROUTER dev {}; if `{name}` is meant: an [[interface]] with name = \"{name}\" and roles = [\"backbone\"]",
                    host_prefix(*address),
                    case.backbone_name()
                ),
            );
        }
    }
}

fn neighbour_unresolved(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Some(ways) = ways(case, answer) else { return };
    let started = case.facts.instance.pinned().is_some();
    for (key, neighbour) in &ways.neighbours {
        // Before the first start nobody asked for it yet.
        if neighbour.usable || (!started && neighbour.state == "absent") {
            continue;
        }
        let name = name_of(&ways.view, key);
        answer.error(
            Place::interface(name),
            format!("next hop {} on `{name}` is not resolved ({}): packets by it are dropped", key.address, neighbour.state),
            format!("ping -c 1 -I {name} {}; if it does not answer: bring the router up, or see that it is on the same VLAN", key.address),
        );
    }
}

fn neighbour_unmanaged(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Some(ways) = ways(case, answer) else { return };
    if case.pinned(answer).is_none() {
        return;
    }
    for (key, _) in ways.neighbours.iter().filter(|(_, neighbour)| neighbour.usable && !neighbour.kept) {
        let (name, address) = (name_of(&ways.view, key), key.address);
        answer.warning(
            Place::interface(name),
            format!("next hop {address} on `{name}` is not kept resolved: it goes stale, and then unresolved"),
            format!("start the daemon, which does that; until then: ip neigh replace {address} dev {name} managed"),
        );
    }
}

fn name_of<'a>(view: &'a View, key: &NeighbourKey) -> &'a str {
    view.links.get(&key.ifindex).map_or("unknown", |link| link.name.as_str())
}

fn next_hops_outdated(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Some(pinned) = case.pinned(answer) else { return };
    let Some(ways) = ways(case, answer) else { return };
    for backend in &pinned.status.backends {
        let Some(known) = next_hops(case, &ways.view, backend) else { continue };
        let used: BTreeSet<_> = backend.next_hops.iter().map(|hop| (hop.interface.clone(), hop.mac.clone())).collect();
        // A group may hold fewer next hops than a route has, but none that it has not.
        if used.is_subset(&known) && used.is_empty() == known.is_empty() {
            continue;
        }
        let told = |hops: &BTreeSet<(String, String)>| {
            let hops: Vec<_> = hops.iter().map(|(interface, mac)| format!("{mac} on {interface}")).collect();
            if hops.is_empty() { "nowhere".to_owned() } else { hops.join(", ") }
        };
        let fix = match case.facts.instance.daemon_pid {
            None => "start the daemon, which follows the kernel: systemctl start anycast-xdp",
            Some(_) => "systemctl restart anycast-xdp",
        };
        let problem = format!(
            "packets of pool `{}` for {} go to {}, and the kernel's next hops are {}",
            backend.pool,
            backend.address,
            told(&used),
            told(&known)
        );
        answer.error(Place::Backend(backend.address), problem, fix);
    }
}

/// Interface and MAC of each next hop that the kernel has for a backend; `None`: the configuration has no such backend.
fn next_hops(case: &Case<'_>, view: &View, backend: &crate::view::BackendStatus) -> Option<BTreeSet<(String, String)>> {
    backends(case).find(|one| one.address == backend.address)?;
    let hops = view.routes.get(&backend.address).map(|route| route.hops.as_slice()).unwrap_or_default();
    let next_hop = |hop: &crate::netlink::Hop| {
        let mac = view.neighbours.get(&hop.neighbour())?;
        let link = view.links.get(&hop.ifindex)?;
        let (name, _) = case.facts.link_by_index(link.egress_ifindex)?;
        Some((name.clone(), mac.map(|byte| format!("{byte:02x}")).join(":")))
    };
    Some(hops.iter().filter_map(next_hop).collect())
}
