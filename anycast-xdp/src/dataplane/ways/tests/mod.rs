//! Routes and neighbours in, cells out.

mod fixture;
mod public_links;
mod takeover;

use std::collections::BTreeMap;

use anycast_common::map::BackendRoute;
use fixture::{address, count, hop, mac, macs, network, tables, ten_behind_two};

use super::{Mtus, Stores, Ways};
use crate::{
    dataplane::tables::{Dataplane as _, Memory, journal::Event},
    netlink::View,
};

#[test]
fn backends_behind_one_route_share_one_group() {
    let (mut memory, ..) = ten_behind_two();
    let arrays = memory.arrays();
    assert_eq!(arrays.groups.used().count(), 1);
    assert_eq!((arrays.next_hops.used().count(), arrays.links.used().count()), (2, 1));
    for backend in 1..=10 {
        let macs = macs(&mut memory, backend);
        assert_eq!((count(&macs, 1), count(&macs, 2)), (8, 8));
    }
    assert_eq!(memory.devices, BTreeMap::from([(1, 7)]));
}

#[test]
fn lost_router_is_one_cell_whatever_the_number_of_backends_and_its_return_too() {
    let (mut memory, backends, mut ways, view) = ten_behind_two();
    let whole = macs(&mut memory, 1);
    let mut lost = view.clone();
    lost.neighbours.remove(&hop(1, 1).neighbour());
    for (view, expected) in [(&lost, (0, 16)), (&view, (8, 8)), (&lost, (0, 16))] {
        let journal = memory.begin_journal();
        let stores = ways.update(&mut memory, view, &backends).expect("ways");
        assert_eq!(stores, Stores { cells: 1, entries: 0 });
        let events = journal.lock().expect("no panic").clone();
        assert!(matches!(events[..], [Event::Store { .. }]), "{events:?}");
        memory.end_journal();
        let macs = macs(&mut memory, 10);
        assert_eq!((count(&macs, 1), count(&macs, 2)), expected);
        // Flows of the other router stay with it.
        assert!(whole.iter().zip(&macs).all(|(old, new)| *old == 1 || old == new));
    }
}

#[test]
fn new_mac_of_a_router_is_one_cell() {
    let (mut memory, backends, mut ways, mut view) = ten_behind_two();
    view.neighbours.insert(hop(2, 1).neighbour(), mac(99));
    let stores = ways.update(&mut memory, &view, &backends).expect("ways");
    assert_eq!(stores, Stores { cells: 1, entries: 0 });
    assert_eq!(count(&macs(&mut memory, 5), 99), 8);
}

#[test]
fn nothing_new_is_no_store() {
    let (mut memory, backends, mut ways, view) = ten_behind_two();
    let journal = memory.begin_journal();
    assert_eq!(ways.update(&mut memory, &view, &backends).expect("ways"), Stores::default());
    assert_eq!(journal.lock().expect("no panic").len(), 0);
}

#[test]
fn all_routers_lost_picks_nothing_and_they_come_back_with_one_cell() {
    let (mut memory, backends, mut ways, view) = ten_behind_two();
    let nobody = View { neighbours: BTreeMap::new(), ..view.clone() };
    assert_eq!(ways.update(&mut memory, &nobody, &backends).expect("ways").cells, 1);
    assert_eq!(count(&macs(&mut memory, 1), 0), 16);
    assert_eq!(ways.update(&mut memory, &view, &backends).expect("ways"), Stores { cells: 1, entries: 0 });
    assert_eq!(count(&macs(&mut memory, 1), 0), 0);
}

#[test]
fn link_that_goes_down_is_as_if_its_routers_were_lost() {
    let (mut memory, backends, mut ways, mut view) = ten_behind_two();
    view.links.get_mut(&7).expect("the link").up = false;
    assert_eq!(ways.update(&mut memory, &view, &backends).expect("ways").cells, 1);
    assert_eq!(count(&macs(&mut memory, 1), 0), 16);
}

#[test]
fn lost_route_leaves_the_backend_without_a_way_and_clears_after_a_grace_period() {
    let (mut memory, backends, mut ways, mut view) = ten_behind_two();
    view.routes.clear();
    let journal = memory.begin_journal();
    let stores = ways.update(&mut memory, &view, &backends).expect("ways");
    assert_eq!(stores, Stores { cells: 10, entries: 0 });
    let events = journal.lock().expect("no panic").clone();
    let grace = events.iter().position(|event| matches!(event, Event::Grace)).expect("a grace period");
    assert!(events[..grace].iter().all(|event| matches!(event, Event::Store { .. })), "{events:?}");
    assert!(events[grace + 1..].iter().all(|event| matches!(event, Event::Write { .. })), "{events:?}");
    let arrays = memory.arrays();
    assert_eq!((arrays.groups.used().count(), arrays.next_hops.used().count(), arrays.links.used().count()), (0, 0, 0));
    assert_eq!(arrays.backends.get(1).route, 0);
}

#[test]
fn places_follow_the_weights_of_the_hops() {
    let (mut memory, backends) = tables(&["10.4.0.1"]);
    let view = network(&[("10.4.0.1", "10.4.0.0/24", &[(1, 1), (2, 3)])]);
    Ways::new(&mut memory).update(&mut memory, &view, &backends).expect("ways");
    let macs = macs(&mut memory, 1);
    assert_eq!((count(&macs, 1), count(&macs, 2)), (4, 12));
}

#[test]
fn sixteen_members_are_forwarded_by_fifteen() {
    let (mut memory, backends) = tables(&["10.4.0.1"]);
    let members: Vec<_> = (1..=16).map(|number| (number, 1)).collect();
    let view = network(&[("10.4.0.1", "10.4.0.0/24", &members)]);
    Ways::new(&mut memory).update(&mut memory, &view, &backends).expect("ways");
    let macs = macs(&mut memory, 1);
    assert_eq!(count(&macs, 0), 0);
    assert_eq!((1..=16).filter(|number| count(&macs, *number) > 0).count(), 15);
}

#[test]
fn on_link_backends_have_a_group_each() {
    let (mut memory, backends) = tables(&["10.3.0.1", "10.3.0.2"]);
    let view = network(&[("10.3.0.1", "10.3.0.0/24", &[(1, 1)]), ("10.3.0.2", "10.3.0.0/24", &[(2, 1)])]);
    Ways::new(&mut memory).update(&mut memory, &view, &backends).expect("ways");
    assert_eq!(count(&macs(&mut memory, 1), 1), 16);
    assert_eq!(count(&macs(&mut memory, 2), 2), 16);
}

#[test]
fn routers_beyond_the_positions_of_a_group_get_a_fresh_one() {
    let (mut memory, backends) = tables(&["10.4.0.1"]);
    let mut ways = Ways::new(&mut memory);
    for round in 0..20 {
        let members: Vec<_> = (0..10).map(|number| (1 + round * 10 + number, 1)).collect();
        let view = network(&[("10.4.0.1", "10.4.0.0/24", &members)]);
        ways.update(&mut memory, &view, &backends).expect("ways");
        let macs = macs(&mut memory, 1);
        assert!(macs.iter().all(|mac| members.iter().any(|(number, _)| number == mac)), "{macs:?}");
        assert_eq!(memory.arrays().groups.used().count(), 1);
        assert_eq!(memory.arrays().next_hops.used().count(), 10);
    }
}

#[test]
fn mtu_in_force_is_the_least_known_and_a_new_one_is_one_cell_a_backend() {
    let (mut memory, backends, mut ways, view) = ten_behind_two();
    let mtu = |memory: &mut Memory, index| BackendRoute::from_cell(memory.arrays().backends.get(index).route).mtu_bytes;
    assert_eq!(mtu(&mut memory, 3), 1500);
    ways.mtus.configured = BTreeMap::from([(3, 1400), (4, 9000)]);
    for (learnt, cells, in_force) in [(1450, 2, 1400), (1300, 1, 1300), (1450, 1, 1400)] {
        ways.mtus.learnt = BTreeMap::from([(address("10.4.0.3"), learnt), (address("10.4.0.5"), 1450)]);
        assert_eq!(ways.update(&mut memory, &view, &backends).expect("ways"), Stores { cells, entries: 0 });
        assert_eq!(mtu(&mut memory, 3), in_force);
        assert_eq!((mtu(&mut memory, 4), mtu(&mut memory, 5), mtu(&mut memory, 6)), (1500, 1450, 1500));
    }
    ways.mtus = Mtus::default();
    assert_eq!(ways.update(&mut memory, &view, &backends).expect("ways"), Stores { cells: 2, entries: 0 });
    assert_eq!((mtu(&mut memory, 3), mtu(&mut memory, 5)), (1500, 1500));
}
