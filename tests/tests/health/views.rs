//! Two PoPs whose views of health differ, by their own probes.

use anycast_tests::{lab::Topology, lab::topology::Family, require_root};

use super::world::{ALL_UP, LOST, World, lost};

/// Where the transit of the first site finds each PoP: its own, and by way of the backbone router the other one's.
const WAYS: [&str; 2] = ["10.2.0.2", "10.5.0.2"];

/// The home host of each flow by way of a PoP.
fn by_way_of(world: &World, pop: usize) -> Vec<u8> {
    let received = || world.pops[pop].stats().unwrap().vip_packets("echo", "forwarded");
    world.lab.sites[0].transit.ip(&format!("route replace 192.0.2.0/24 via {}", WAYS[pop])).unwrap();
    let before = received();
    let flows = world.flows();
    let forwarded = received() - before;
    assert!(forwarded >= flows.len() as u64, "PoP {pop} forwarded {forwarded} packets only");
    flows
}

#[test]
fn flows_of_backends_that_both_pops_hold_up_reach_them_from_both_while_their_views_differ() {
    require_root!();
    let topology = Topology::two_pops_and_home();
    let world = World::with(topology, "type = \"icmp\"", "", World::start_echoes);
    let router = &world.lab.routers[0];
    router.ip("route add 192.0.2.0/24 via 10.5.10.1").unwrap();
    let both = || [0, 1].map(|pop| by_way_of(&world, pop));
    let [configured, second] = both();
    assert_eq!(configured, second, "views are the same");
    assert!(configured.contains(&LOST));

    // Nothing of the first PoP's arrives at one backend; the backend, and the other PoP's way to it, are well.
    let cut = format!("from {} to {}", world.lab.sites[0].tunnel_source(Family::V4), world.address(LOST));
    router.ip(&format!("rule add {cut} blackhole")).unwrap();
    world.await_states(0, lost());
    world.await_tables(0, lost());
    let [first, second] = both();
    assert_eq!(second, configured, "the second PoP holds all of them up");
    for (first, second) in first.iter().zip(&second) {
        match *second {
            LOST => assert_ne!(*first, LOST, "{first:?}"),
            other => assert_eq!(*first, other),
        }
    }
    let differ = first.iter().zip(&second).filter(|(first, second)| first != second).count();
    println!("{differ} of {} flows are of the backend on which the views differ", first.len());

    router.ip(&format!("rule del {cut} blackhole")).unwrap();
    world.await_states(0, ALL_UP);
    world.await_tables(0, ALL_UP);
    world.await_tables(1, ALL_UP);
    assert_eq!(both(), [configured.clone(), configured]);
    // One view has changed twice, the other one never.
    let changes =
        [0, 1].map(|pop| world.health(pop).iter().map(|row| row["transitions"].as_u64().unwrap()).sum::<u64>());
    assert_eq!(changes, [2, 0]);
}
