//! A system call that fails anywhere in a change: what packets find then, and after the daemon has gone back.

use std::{collections::BTreeSet, ops::Range};

use proptest::{prelude::*, sample::Index};

use super::{
    super::super::tables::Memory,
    kinds::{self, gateway_kinds, pop_kinds},
    lookup::{Fate, Packet, fate, packets, reachable},
    running::Running,
    services::{TIGHT, any_config, any_dialled_config},
    states::{allowed, assert_end},
};
use crate::{
    dataplane::tables::journal::{Event, Table},
    desired::{Config, Role},
};

/// A change, and what packets may find while it is under way: what they find before, in transition, and after it.
struct Change<'a> {
    first: &'a Config,
    second: &'a Config,
    before: Memory,
    allowed: Vec<(Packet, BTreeSet<Fate>)>,
    /// System calls that it takes.
    calls: usize,
}

impl<'a> Change<'a> {
    fn new(first: &'a Config, second: &'a Config) -> Self {
        let mut running = Running::start(first);
        let mut before = running.copy(first);
        running.tables.faults.begin(0..0, false);
        running.take(first, second).expect("nothing fails");
        let calls = running.tables.faults.calls();
        let mut between = running.copy(first);
        running.settle();
        let mut after = running.copy(first);
        let allowed = match first.local.role {
            Role::Pop(_) => {
                let of = |packet| (packet, allowed(&mut [&mut before, &mut between, &mut after], packet));
                let vips = [first, second].into_iter().flat_map(|config| &config.services.vips);
                let vips: BTreeSet<_> = vips.map(|vip| vip.address).collect();
                packets().into_iter().filter(|packet| vips.contains(&packet.vip)).map(of).collect()
            }
            Role::Gateway(_) => Vec::new(),
        };
        Self { first, second, before, allowed, calls }
    }

    /// Makes it with faults, and looks at every state. The faults of longer schedules hit the way back, too.
    fn with_faults(&mut self, failing: Range<usize>, many_are_done: bool) {
        let Self { first, second, .. } = *self;
        let mut running = Running::start(first);
        running.tables.faults.begin(failing.clone(), many_are_done);
        let taken = running.take(first, second);
        running.tables.faults.begin(0..0, false);
        let end = match taken {
            Ok(()) => second,
            Err(error) if error.is_between => {
                running.take(first, second).expect("nothing fails any more");
                second
            }
            Err(_) => first,
        };
        running.settle();
        self.watch(&running.events(), &format!("faults {failing:?} {many_are_done}"));
        match end.local.role {
            Role::Pop(_) => assert_end(&mut running.tables.memory, end),
            Role::Gateway(_) => kinds::assert_taken(&mut running.tables.memory, end),
        }
    }

    /// Repeats what happened and looks at every state that packets can tell from the one before.
    fn watch(&mut self, events: &[Event], faults: &str) {
        let mut shadow = self.before.copy(&self.first.local.limits);
        let mut lingering = reachable(&mut shadow);
        for event in events {
            shadow.replay(event, |_| ());
            match event {
                // Packets cannot find it: that changes of every kind keep to this word by word is looked at without faults.
                Event::Write { table, index, .. } => {
                    assert!(!lingering.contains(&(*table, *index)), "{event:?} where a program may be reading");
                    continue;
                }
                Event::Grace => lingering = reachable(&mut shadow),
                // What they lead to is of the way to a backend, and has its own tests.
                Event::Device(..) | Event::Store { table: Table::Backends | Table::Groups | Table::NextHops, .. } => {}
                Event::Store { .. } | Event::Insert(..) | Event::Remove(_) | Event::Key(_) | Event::Paths(_) => {
                    lingering.extend(reachable(&mut shadow));
                }
            }
            for (packet, allowed) in &self.allowed {
                let fate = fate(&mut shadow, *packet);
                assert!(
                    allowed.contains(&fate),
                    "{packet:?} is {fate:?} after {event:?}, and not one of {allowed:?}: {faults}"
                );
            }
            if matches!(self.first.local.role, Role::Gateway(_)) {
                kinds::assert_between(&mut shadow, self.first, self.second, event);
            }
        }
    }
}

/// Every so manieth call of a change fails, the first one another one for each change; `AXDP_FAULTS=all`: each in turn.
fn failing_calls(change: &Change<'_>, number: usize, every: usize) -> impl Iterator<Item = usize> + use<> {
    let every = if std::env::var_os("AXDP_FAULTS").is_some_and(|which| which == "all") { 1 } else { every };
    (number % every..change.calls).step_by(every)
}

/// Each kind, there and back.
fn both_ways(kinds: &[(&'static str, Config, Config)]) {
    let there = kinds.iter().map(|(what, one, other)| (*what, one, other));
    let back = kinds.iter().map(|(what, one, other)| (*what, other, one));
    for (number, (what, first, second)) in there.chain(back).enumerate() {
        let mut change = Change::new(first, second);
        println!("{what}: {} calls", change.calls);
        assert!(change.calls > 5, "{what}");
        for at in failing_calls(&change, number, 6) {
            change.with_faults(at..at + 1, at % 2 == 0);
        }
    }
}

#[test]
fn pop_has_the_old_or_the_new_whatever_call_fails() {
    both_ways(&pop_kinds());
}

#[test]
fn gateway_has_the_old_or_the_new_whatever_call_fails() {
    both_ways(&gateway_kinds());
}

#[test]
fn pop_whose_way_back_fails_too_has_the_old_or_the_new_and_takes_the_next() {
    for (number, (_, first, second)) in pop_kinds().iter().enumerate() {
        let mut change = Change::new(first, second);
        for at in failing_calls(&change, number, 12) {
            change.with_faults(at..at + 2, false);
            change.with_faults(at..at + 20, true);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_change_with_any_faults(first in any_config(TIGHT), second in any_config(TIGHT), at: Index, len in 1usize..30, done: bool) {
        let mut change = Change::new(&first, &second);
        let at = at.index(change.calls);
        change.with_faults(at..at + len, done);
    }

    #[test]
    fn any_change_of_dials_and_rules_with_any_faults(first in any_dialled_config(), second in any_dialled_config(), at: Index, len in 1usize..30, done: bool) {
        let mut change = Change::new(&first, &second);
        let at = at.index(change.calls);
        change.with_faults(at..at + len, done);
    }
}
