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
use crate::desired::{Config, State, Vip};

/// Starts a daemon with `config`, and looks at every state on the way and at the end.
pub fn start_and_watch(instance: &mut Instance, config: &Config) -> Run {
    let mut run = instance.start(config);
    let mut shadow = run.before.copy(&config.local.limits);
    let allowed = packets().into_iter().map(|packet| {
        let mut states = [&mut run.before, &mut run.between, &mut instance.memory];
        (packet, allowed(&mut states, packet))
    });
    let allowed: Vec<_> = allowed.collect();
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
        Event::Store { .. } | Event::Insert(..) | Event::Remove(..) | Event::Key(_) | Event::Paths(_) => {
            lingering.extend(reachable(shadow));
        }
    }
}

/// What may become of a packet while one state changes into another: what becomes of it in each of them, and where both
/// its VIP's policy and its pool change, which are two cells, one of each. A flow that was there may be sent where new
/// ones go, too: transitions end early where there is no room for them.
pub fn allowed(states: &mut [&mut Memory], packet: Packet) -> BTreeSet<Fate> {
    let packets = [packet, Packet { is_old: false, ..packet }];
    let mut allowed = BTreeSet::new();
    let mut policies = BTreeSet::new();
    for memory in &mut *states {
        allowed.extend(packets.map(|packet| fate(memory, packet)));
        let entry = lookup::entry(memory, packet.vip);
        policies.extend(
            entry.map(|entry| entry.policy).filter(|policy| lookup::is_taken(memory.arrays(), *policy, packet)),
        );
    }
    let is_vip_throughout = states.iter_mut().all(|memory| lookup::entry(memory, packet.vip).is_some());
    for memory in states.iter_mut().filter(|_| is_vip_throughout) {
        if let Some(entry) = lookup::entry(memory, packet.vip) {
            for policy in &policies {
                allowed.extend(packets.map(|packet| lookup::way(memory, entry, *policy, packet)));
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
    for packet in packets().into_iter().filter(|packet| !packet.is_old) {
        let (fate, wanted) = (fate(memory, packet), lookup::wanted(config, packet));
        assert!(wanted.contains(&fate), "{packet:?} is {fate:?}, and not one of {wanted:?}");
    }
    let found = reachable(memory);
    let of = |table: Table| -> BTreeSet<u32> {
        found.iter().filter(|(other, _)| *other == table).map(|(_, index)| *index).collect()
    };
    let services = &config.services;
    let backends: usize = services.pools.iter().map(|pool| pool.backends.len()).sum();
    let arrays = memory.arrays();
    assert_eq!(arrays.vips.used().collect::<BTreeSet<_>>(), of(Table::Vips));
    let lists = services.vips.iter().filter(|vip| !vip.fallback_pools.is_empty());
    let lists: BTreeSet<_> = lists.map(Vip::binding).collect();
    assert_eq!(arrays.pools.used().count(), services.pools.len() + lists.len());
    // Old tables may lead to backends that are not in the services any more, and to no others.
    let used: BTreeSet<_> = arrays.backends.used().collect();
    let spare = used.difference(&of(Table::Backends)).count();
    assert!(used.len() >= backends && spare <= backends, "{used:?} for {backends} backends");
    let drains = services
        .pools
        .iter()
        .any(|pool| pool.state == State::Drain || pool.backends.iter().any(|backend| backend.state == State::Drain));
    if !drains {
        assert_eq!((used.len(), arrays.old_pools.used().count()), (backends, 0));
    }
    super::returners::assert_end(memory, config);
    let arrays = memory.arrays();
    assert_eq!(arrays.listener_sets.used().collect::<BTreeSet<_>>(), of(Table::ListenerSets));
    assert_eq!(arrays.port_tables.used().collect::<BTreeSet<_>>(), of(Table::PortTables));
    assert_eq!(arrays.port_pages.used().collect::<BTreeSet<_>>(), of(Table::PortPages));
}
