//! The links that answers leave by.

use std::collections::{BTreeMap, BTreeSet};

use anycast_common::map::LinkEntry;

use super::{
    super::{Stores, Ways},
    fixture::{count, macs, network, tables},
};
use crate::{
    dataplane::tables::{
        Dataplane as _, Memory,
        journal::{Event, KeyChange, Table},
    },
    netlink::{Link, View},
};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 3];

fn link(egress_ifindex: u32, mac: [u8; 6], vlan_id: Option<u16>) -> Link {
    Link { name: "in0".to_owned(), egress_ifindex, mac, vlan_id, mtu_bytes: 1500, up: true }
}

/// The network of one backend, where these links lead to clients.
fn view(access: &[(u32, Link)]) -> View {
    let mut view = network(&[("10.4.0.1", "10.4.0.0/24", &[(1, 1)])]);
    view.access = access.iter().map(|(ifindex, _)| *ifindex).collect();
    view.links.extend(access.iter().cloned());
    view
}

/// Where each public link leaves by.
fn public(memory: &mut Memory) -> BTreeMap<u32, LinkEntry> {
    let entries = memory.keyed().public_links.entries().expect("memory");
    let devices = memory.devices.clone();
    let links = &memory.arrays().links;
    let found = entries.into_iter().map(|(ifindex, index)| (ifindex, (index, links.get(index))));
    found
        .map(|(ifindex, (index, entry))| {
            assert_eq!(devices.get(&index), Some(&entry.ifindex));
            (ifindex, entry)
        })
        .collect()
}

#[test]
fn access_links_are_kept_although_no_backend_is_behind_them() {
    let (mut memory, backends) = tables(&["10.4.0.1"]);
    let mut ways = Ways::new(&mut memory);
    let plain = view(&[(3, link(3, MAC, None))]);
    ways.update(&mut memory, &plain, &backends).expect("ways");
    let untagged = LinkEntry { ifindex: 3, mac: MAC, vlan_tci: [0, 0] };
    assert_eq!(public(&mut memory), BTreeMap::from([(3, untagged)]));
    assert_eq!(ways.update(&mut memory, &plain, &backends).expect("ways"), Stores::default());

    // A VLAN device on it is known by its own index, and leaves by the parent with a tag.
    let tagged = view(&[(3, link(3, MAC, None)), (9, link(3, MAC, Some(42)))]);
    ways.update(&mut memory, &tagged, &backends).expect("ways");
    let entry = LinkEntry { vlan_tci: [0, 42], ..untagged };
    assert_eq!(public(&mut memory), BTreeMap::from([(3, untagged), (9, entry)]));

    ways.update(&mut memory, &view(&[]), &backends).expect("ways");
    assert_eq!(public(&mut memory), BTreeMap::new());
    assert_eq!(memory.arrays().links.used().count(), 1, "that of the backend");
    assert_eq!(count(&macs(&mut memory, 1), 1), 16);
}

#[test]
fn new_mac_or_interface_is_a_fresh_link_before_a_key_leads_there_and_the_old_one_goes_after_a_grace_period() {
    let (mut memory, backends) = tables(&["10.4.0.1"]);
    let mut ways = Ways::new(&mut memory);
    ways.update(&mut memory, &view(&[(3, link(3, MAC, None))]), &backends).expect("ways");
    let new_mac = [2, 0, 0, 0, 0, 4];
    for (next, entry) in [
        ((3, link(3, new_mac, None)), LinkEntry { ifindex: 3, mac: new_mac, vlan_tci: [0, 0] }),
        // Made anew under its name.
        ((12, link(12, new_mac, None)), LinkEntry { ifindex: 12, mac: new_mac, vlan_tci: [0, 0] }),
    ] {
        let before = memory.keyed().public_links.entries().expect("memory");
        let journal = memory.begin_journal();
        ways.update(&mut memory, &view(std::slice::from_ref(&next)), &backends).expect("ways");
        memory.end_journal();
        assert_eq!(public(&mut memory), BTreeMap::from([(next.0, entry)]));
        let index = memory.keyed().public_links.entries().expect("memory")[&next.0];
        let is_write =
            |event: &Event| matches!(event, Event::Write { table: Table::Links, index: at, .. } if *at == index);
        let is_key = |event: &Event| matches!(event, Event::Key(KeyChange::PublicLink(..)));
        let clears = |event: &Event| matches!(event, Event::Write { table: Table::Links, index, .. } if before.values().any(|old| old == index));
        let events = journal.lock().expect("no panic");
        let at = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted).expect("an event");
        let last_key = events.iter().rposition(is_key).expect("a key");
        let grace = at(&|event| matches!(event, Event::Grace));
        assert!(at(&is_write) < at(&is_key) && last_key < grace && grace < at(&clears), "{events:?}");
    }
}

#[test]
fn next_daemon_takes_access_links_over_and_clears_those_of_the_one_before() {
    let (mut memory, backends) = tables(&["10.4.0.1"]);
    let view = view(&[(3, link(3, MAC, None))]);
    Ways::new(&mut memory).update(&mut memory, &view, &backends).expect("ways");
    let before: BTreeSet<_> = memory.keyed().public_links.entries().expect("memory").into_values().collect();
    let journal = memory.begin_journal();
    Ways::new(&mut memory).update(&mut memory, &view, &backends).expect("ways");
    memory.end_journal();
    let mut is_led_there = true;
    for event in journal.lock().expect("no panic").iter() {
        is_led_there &= !matches!(event, Event::Key(KeyChange::PublicLink(3, Some(_))));
        let writes = matches!(event, Event::Write { table: Table::Links, index, .. } if before.contains(index));
        assert!(!(writes && is_led_there), "{event:?} while packets are led there");
    }
    assert_eq!(public(&mut memory).len(), 1);
    assert_eq!(memory.arrays().links.used().count(), 2);
}
