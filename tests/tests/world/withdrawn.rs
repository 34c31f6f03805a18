//! A PoP that takes back what it cannot serve.

use anycast_tests::lab::world::{
    Pop, VIPS, World,
    plan::{POPS, PREFIXES},
};
use ipnet::IpNet;

use crate::{
    failures::Case,
    results::{Results, Watched},
};

/// What each host of each PoP publishes, and how often that has changed.
pub(crate) fn publishing(world: &World) -> Vec<Vec<(u64, u64)>> {
    let of_pop = |pop: &Pop| pop.hosts.iter().map(|host| host.publishing().unwrap()).collect();
    world.pops.iter().map(of_pop).collect()
}

/// The PoP publishes nothing, its border knows of nothing, players enter elsewhere, and nothing has changed at other PoPs.
pub(crate) fn check(world: &World, case: &Case, before: &[Vec<(u64, u64)>], watched: &Watched, results: &mut Results) {
    let (name, hit) = (case.name, case.hit.expect("one PoP is hit"));
    let mut check = |is_good, what: String| results.check(is_good, || format!("{name}: {what}"), watched.stall);
    for (at, (before, now)) in before.iter().zip(publishing(world)).enumerate() {
        let is_good = if at == hit { now.iter().all(|(published, _)| *published == 0) } else { *before == now };
        check(is_good, format!("{} published {before:?}, and now {now:?}", POPS[at].name));
    }
    let vips = VIPS.map(|(_, vip)| IpNet::from(vip));
    for network in PREFIXES.iter().map(|prefix| prefix.parse().unwrap()).chain(vips) {
        let routes = world.pops[hit].border.router.routes(network).unwrap();
        check(routes.is_empty(), format!("the border knows {network} by {routes:?}"));
    }
    for (_, vip) in VIPS {
        let entry = world.entry(hit, vip).unwrap();
        check(entry.is_some_and(|pop| pop != hit), format!("players enter at {entry:?}"));
    }
}
