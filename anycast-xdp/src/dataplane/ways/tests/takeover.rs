//! A daemon after another, and tables that are full.

use anycast_common::map::{BackendEntry, BackendRoute, NextHop};

use super::{
    super::{Stores, Ways},
    fixture::{LIMITS, TEN, address, count, mac, macs, network, tables, ten_behind_two},
};
use crate::{
    dataplane::tables::{
        Dataplane as _, Memory,
        journal::{Event, Table},
    },
    desired::Limits,
};

#[test]
fn second_daemon_takes_over_beside_the_first_and_clears_what_that_one_had() {
    let (mut memory, backends, first, view) = ten_behind_two();
    drop(first);
    let before = memory.arrays().backends.get(1).route;
    let grace_periods = memory.grace_periods;
    let mut second = Ways::new(&mut memory);
    let stores = second.update(&mut memory, &view, &backends).expect("ways");
    // One link, two next hops, one group; ten backends led there.
    assert_eq!(stores, Stores { cells: 10, entries: 4 });
    assert_ne!(memory.arrays().backends.get(1).route, before);
    assert_eq!(memory.grace_periods, grace_periods + 1);
    let arrays = memory.arrays();
    assert_eq!((arrays.groups.used().count(), arrays.next_hops.used().count(), arrays.links.used().count()), (1, 2, 1));
    assert_eq!(count(&macs(&mut memory, 3), 1), 8);
}

#[test]
fn group_without_any_next_hop_is_not_taken_for_free_by_the_next_daemon() {
    let (mut memory, backends) = tables(&["10.4.0.1", "10.5.0.1"]);
    let mut unresolved = network(&[("10.4.0.1", "10.4.0.0/24", &[(1, 1)])]);
    unresolved.neighbours.clear();
    Ways::new(&mut memory).update(&mut memory, &unresolved, &backends).expect("ways");
    assert_eq!(memory.arrays().groups.used().count(), 0);
    let group = BackendRoute::from_cell(memory.arrays().backends.get(1).route).group_index;
    // The next daemon meets a route to the other backend first, before it leads the first one elsewhere.
    let view = network(&[("10.5.0.1", "10.5.0.0/24", &[(2, 1)])]);
    let journal = memory.begin_journal();
    Ways::new(&mut memory).update(&mut memory, &view, &backends).expect("ways");
    for event in journal.lock().expect("no panic").iter() {
        if let Event::Grace = event {
            break;
        }
        let writes_it = matches!(event, Event::Write { table: Table::Groups, index, .. } if *index == group);
        assert!(!writes_it, "{event:?}");
    }
}

#[test]
fn leftovers_of_daemons_that_died_do_not_fill_the_tables() {
    let (mut memory, backends, ..) = ten_behind_two();
    for round in 1..10 {
        // One that wrote its entries and died before it led a backend to them.
        let arrays = memory.arrays();
        let fresh: Vec<_> = (1..arrays.next_hops.len()).filter(|index| arrays.next_hops.get(*index) == 0).collect();
        for index in fresh {
            arrays.next_hops.write(index, NextHop { mac: mac(round), link_index: 1 }.to_cell());
        }
        let view = network(&TEN.map(|backend| (backend, "10.4.0.0/24", &[(1, 1), (2, 1)][..])));
        Ways::new(&mut memory).update(&mut memory, &view, &backends).expect("ways");
        assert_eq!(memory.arrays().next_hops.used().count(), 2);
        assert_eq!(count(&macs(&mut memory, 1), 0), 0);
    }
}

#[test]
fn full_tables_leave_out_what_has_no_room_and_forward_the_rest() {
    let limits = Limits { groups: 1, ..LIMITS };
    let mut memory = Memory::new(&limits).expect("memory");
    let backends: Vec<_> = ["10.4.0.1", "10.5.0.1", "10.6.0.1", "10.7.0.1"].map(address).into_iter().zip(1..).collect();
    for (_, index) in &backends {
        memory.arrays().backends.write(*index, BackendEntry { family: 4, ..BackendEntry::default() });
    }
    let view = network(&[
        ("10.4.0.1", "10.4.0.0/24", &[(1, 1)]),
        ("10.5.0.1", "10.5.0.0/24", &[(1, 1)]),
        ("10.6.0.1", "10.6.0.0/24", &[(1, 1)]),
        ("10.7.0.1", "10.7.0.0/24", &[(1, 1)]),
    ]);
    Ways::new(&mut memory).update(&mut memory, &view, &backends).expect("the rest is forwarded");
    let routed: Vec<_> = (1..=4).filter(|index| memory.arrays().backends.get(*index).route != 0).collect();
    assert_eq!(routed, [1, 2]);
}
