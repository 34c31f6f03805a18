//! Looking at every state of a change.

use std::collections::BTreeSet;

use super::{
    super::super::tables::{
        Dataplane as _, Memory,
        journal::{Event, Table},
    },
    instance::{Instance, Run},
    lookup::{self, Fate, Packet, fate, packets, reachable},
};
use crate::desired::Config;

/// Starts a daemon with `config`, and looks at every state on the way and at the end.
pub fn start_and_watch(instance: &mut Instance, config: &Config) -> Run {
    let mut run = instance.start(config);
    let mut shadow = run.before.copy(&config.local.limits);
    let allowed: Vec<_> =
        packets().into_iter().map(|packet| (packet, allowed(&mut run.before, &mut instance.memory, packet))).collect();
    instance.lingering.extend(reachable(&mut shadow));
    for (number, event) in run.events.iter().enumerate() {
        step(&mut shadow, event, number, &mut instance.lingering, &allowed);
    }
    assert_end(&mut instance.memory, config);
    assert_eq!(run.inventories.len(), 2);
    run
}

/// Repeats one event and looks at what packets find after each word of it.
fn step(
    shadow: &mut Memory,
    event: &Event,
    number: usize,
    lingering: &mut BTreeSet<(Table, u32)>,
    allowed: &[(Packet, BTreeSet<Fate>)],
) {
    let is_slot = matches!(event, Event::Write { table: Table::Slots, .. });
    if let Event::Write { table, index, .. } = event {
        assert!(!lingering.contains(&(*table, *index)), "{event:?} is written where a program may be reading");
    }
    let look = |shadow: &mut Memory| {
        for (packet, allowed) in allowed {
            let fate = fate(shadow, *packet);
            assert!(allowed.contains(&fate), "{packet:?} is {fate:?} after {event:?}, and not one of {allowed:?}");
        }
    };
    // There are thousands of slots, and none that is written is reachable: every hundredth look is enough.
    let looks = !is_slot || number.is_multiple_of(100);
    shadow.replay(event, |shadow| {
        if looks {
            look(shadow);
        }
    });
    if looks {
        look(shadow);
    }
    match event {
        Event::Write { .. } | Event::Device(..) => {}
        Event::Grace => *lingering = reachable(shadow),
        Event::Store { .. } | Event::Insert(..) | Event::Remove(..) => lingering.extend(reachable(shadow)),
    }
}

/// What may become of a packet while one state changes into another: the old, the new, and where both its VIP's policy
/// and its pool change, which are two cells, one of each.
fn allowed(before: &mut Memory, after: &mut Memory, packet: Packet) -> BTreeSet<Fate> {
    let mut allowed = BTreeSet::from([fate(before, packet), fate(after, packet)]);
    if let (Some(old), Some(new)) = (lookup::entry(before, packet.vip), lookup::entry(after, packet.vip)) {
        for (takes, policy) in [
            (lookup::is_taken(before.arrays(), old.policy, packet), old.policy),
            (lookup::is_taken(after.arrays(), new.policy, packet), new.policy),
        ] {
            if takes {
                allowed.extend([lookup::way(before, old, policy, packet), lookup::way(after, new, policy, packet)]);
            }
        }
    }
    for fate in &allowed {
        assert!(!matches!(fate, Fate::Lost(_)), "{packet:?}: {allowed:?}");
    }
    allowed
}

/// The tables say what the services say, and nothing else is in them.
pub fn assert_end(memory: &mut Memory, config: &Config) {
    for packet in packets() {
        assert_eq!(fate(memory, packet), lookup::wanted(config, packet), "{packet:?}");
    }
    let found = reachable(memory);
    let of = |table: Table| -> BTreeSet<u32> {
        found.iter().filter(|(other, _)| *other == table).map(|(_, index)| *index).collect()
    };
    let services = &config.services;
    let backends: usize = services.pools.iter().map(|pool| pool.backends.len()).sum();
    let arrays = memory.arrays();
    assert_eq!(arrays.vips.used().collect::<BTreeSet<_>>(), of(Table::Vips));
    assert_eq!(arrays.pools.used().count(), services.pools.len());
    assert_eq!(arrays.backends.used().count(), backends);
    assert_eq!(arrays.listener_sets.used().collect::<BTreeSet<_>>(), of(Table::ListenerSets));
    assert_eq!(arrays.port_tables.used().collect::<BTreeSet<_>>(), of(Table::PortTables));
    assert_eq!(arrays.port_pages.used().collect::<BTreeSet<_>>(), of(Table::PortPages));
}
