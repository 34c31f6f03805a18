//! The configurations of `packaging/bgp`, as the daemons understand them.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use anycast_tests::lab::{
    routing::Route,
    wait::wait_for,
    world::{
        Pop, VIPS, World,
        plan::{CARRIERS, OPERATOR_AS, POPS, PREFIXES},
    },
};
use ipnet::IpNet;

/// 50 ms × 3.
const DETECTION_MS: u64 = 150;
/// How long a change of a route may take to be known everywhere.
const SPREAD_LIMIT: Duration = Duration::from_secs(5);

/// Goes through it.
pub(crate) fn hosts_borders_and_carriers_know_what_they_should(world: &World) {
    prefixes_and_nothing_else_go_to_carriers(world);
    borders_spread_vips_over_all_hosts(world);
    bfd_is_as_fast_as_it_was_asked_to_be(world);
    a_draining_host_is_left_out(world);
    a_draining_pop_comes_last_everywhere(world);
}

fn prefixes_and_nothing_else_go_to_carriers(world: &World) {
    for carrier in &world.carriers {
        for prefix in networks(&PREFIXES) {
            let routes = carrier.router.routes(prefix).unwrap();
            assert_eq!(routes.len(), POPS.len(), "{prefix}: {routes:?}");
            assert!(routes.iter().all(|route| route.as_path == [OPERATOR_AS] && !route.is_draining), "{routes:?}");
        }
        for (_, vip) in VIPS {
            assert_eq!(carrier.router.routes(vip.into()).unwrap(), [], "{vip} is known to a carrier");
        }
    }
}

fn borders_spread_vips_over_all_hosts(world: &World) {
    for (pop, plan) in world.pops.iter().zip(POPS) {
        for network in networks(&PREFIXES).chain(VIPS.map(|(_, vip)| vip.into())) {
            let hosts = used(pop, network);
            assert_eq!(hosts.len(), plan.hosts.len(), "{network} at {}: {hosts:?}", plan.name);
            assert_eq!(kernel_next_hops(pop, network), plan.hosts.len(), "{network} at {}", plan.name);
        }
    }
}

fn bfd_is_as_fast_as_it_was_asked_to_be(world: &World) {
    for (router, name) in world.routers() {
        let peers = router.bfd_peers().unwrap();
        assert!(!peers.is_empty(), "{name} has no BFD peers");
        assert!(peers.iter().all(|peer| peer.is_up && peer.detection_ms == DETECTION_MS), "{name}: {peers:?}");
    }
}

/// The first PoP has two hosts, of which one drains: FRR and BIRD in turn.
fn a_draining_host_is_left_out(world: &World) {
    let pop = &world.pops[0];
    for (draining, host) in pop.hosts.iter().enumerate() {
        let before = used(pop, VIPS[0].1.into());
        host.drain().unwrap();
        for network in networks(&PREFIXES).chain(VIPS.map(|(_, vip)| vip.into())) {
            let left = || (used(pop, network).len() == before.len() - 1).then_some(());
            wait_for(&format!("host {draining} left out of {network}"), SPREAD_LIMIT, left).unwrap();
        }
        for carrier in &world.carriers {
            let routes = carrier.router.routes(PREFIXES[0].parse().unwrap()).unwrap();
            assert!(routes.iter().all(|route| !route.is_draining), "the other host serves: {routes:?}");
        }
        host.undrain().unwrap();
        let back = || (used(pop, VIPS[0].1.into()) == before).then_some(());
        wait_for("both hosts", SPREAD_LIMIT, back).unwrap();
    }
}

/// The PoP with a border of FRR, and that with one of BIRD.
fn a_draining_pop_comes_last_everywhere(world: &World) {
    for at in [0, 2] {
        world.pops[at].drain().unwrap();
        for (carrier, plan) in world.carriers.iter().zip(CARRIERS) {
            for prefix in networks(&PREFIXES) {
                let is_last = || {
                    let routes = carrier.router.routes(prefix).unwrap();
                    let last = |route: &Route| route.is_draining && route.local_preference == 0 && !route.is_used;
                    (routes.iter().filter(|route| last(route)).count() == 1).then_some(())
                };
                wait_for(&format!("{prefix} by {} last at {}", POPS[at].name, plan.name), SPREAD_LIMIT, is_last)
                    .unwrap();
            }
        }
        world.pops[at].undrain().unwrap();
        world.wait_until_whole().unwrap();
    }
}

fn networks<'a>(texts: &'a [&str]) -> impl Iterator<Item = IpNet> + use<'a> {
    texts.iter().map(|text| text.parse().unwrap())
}

/// Next hops that a border uses.
fn used(pop: &Pop, network: IpNet) -> BTreeSet<IpAddr> {
    let routes = pop.border.router.routes(network).unwrap();
    routes.iter().filter(|route| route.is_used).filter_map(|route| route.next_hop).collect()
}

/// Next hops that its kernel has.
fn kernel_next_hops(pop: &Pop, network: IpNet) -> usize {
    let family = if matches!(network, IpNet::V4(_)) { "-4" } else { "-6" };
    let text = pop.border.namespace.ip(&format!("{family} route show {network}")).unwrap();
    text.matches(" dev ").count()
}
