//! What a table becomes when another one is wanted: which slots are in transition, and where flows stay that were there.
//!
//! At a slot that is not in transition all flows are on its backend. At one that is, those that began meanwhile are
//! remembered with theirs, and all others are on the backend of the old table. So a further change needs to know no more
//! than what packets find now, and a process that takes over in the middle goes on from there.

use anycast_common::map::{IN_TRANSITION, WHOLE_TABLE};

use super::super::{
    apply::slots::{Cell, read},
    tables::Arrays,
};

/// What packets find by the cells of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Backend indexes and marks.
    slots: Vec<u32>,
    is_whole: bool,
    /// Backend indexes.
    old: Vec<u32>,
}

/// What they are to find. Backend indexes, and marks in `slots`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub slots: Vec<u32>,
    pub flags: u8,
    /// `None`: nothing is in transition.
    pub old: Option<Vec<u32>>,
}

impl Seen {
    pub fn of(arrays: &Arrays, index: u32) -> Self {
        let descriptor = Cell::New(index).get(arrays);
        let old = read(arrays, Cell::Old(index).get(arrays));
        Self {
            slots: read(arrays, descriptor),
            is_whole: descriptor.flags & WHOLE_TABLE != 0,
            old: old.into_iter().map(backend_index).collect(),
        }
    }

    /// Is any slot in transition?
    pub fn is_in_transition(&self) -> bool {
        self.is_whole || self.slots.iter().any(|slot| is_marked(*slot))
    }

    /// Where flows are that no one remembers, in a table of its own size.
    pub fn kept(&self) -> Vec<u32> {
        if self.is_whole {
            return self.old.clone();
        }
        let slots = self.slots.iter().enumerate();
        let kept = slots.map(|(at, slot)| {
            let old = if is_marked(*slot) { self.old.get(at) } else { None };
            old.copied().unwrap_or(backend_index(*slot))
        });
        kept.collect()
    }

    /// With `wanted` for new flows. What is kept on backends that are not alive goes to the new ones at once.
    pub fn toward(&self, wanted: &[u32], is_alive: impl Fn(u32) -> bool) -> Target {
        let mut old = self.kept();
        if self.is_whole || old.len() != wanted.len() {
            old.iter_mut().filter(|index| !is_alive(**index)).for_each(|index| *index = 0);
            let flows_stay = old.iter().any(|index| *index != 0);
            let target = Target::at_once(wanted);
            return if flows_stay { Target { flags: WHOLE_TABLE, old: Some(old), ..target } } else { target };
        }
        let mut slots = wanted.to_vec();
        for ((slot, old), before) in slots.iter_mut().zip(&mut old).zip(&self.slots) {
            let moves = is_alive(*old) && *old != *slot;
            if !moves {
                *old = *slot;
            }
            // Where it was in transition some flows are remembered, whatever is wanted now.
            if moves || is_marked(*before) {
                *slot |= IN_TRANSITION;
            }
        }
        let is_in_transition = slots.iter().any(|slot| is_marked(*slot));
        Target { slots, flags: 0, old: is_in_transition.then_some(old) }
    }
}

impl Target {
    /// All flows go to these backends.
    pub fn at_once(wanted: &[u32]) -> Self {
        Self { slots: wanted.to_vec(), flags: 0, old: None }
    }
}

fn is_marked(slot: u32) -> bool {
    slot & IN_TRANSITION != 0
}

fn backend_index(slot: u32) -> u32 {
    slot & !IN_TRANSITION
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: u32 = IN_TRANSITION;

    fn seen(slots: &[u32], old: &[u32]) -> Seen {
        Seen { slots: slots.to_vec(), is_whole: false, old: old.to_vec() }
    }

    fn whole(slots: &[u32], old: &[u32]) -> Seen {
        Seen { is_whole: true, ..seen(slots, old) }
    }

    fn all(_: u32) -> bool {
        true
    }

    #[test]
    fn slots_that_differ_are_in_transition_and_the_old_table_is_as_it_was() {
        let target = seen(&[1, 2, 3], &[]).toward(&[1, 4, 3], all);
        assert_eq!(target, Target { slots: vec![1, 4 | MARK, 3], flags: 0, old: Some(vec![1, 2, 3]) });
    }

    #[test]
    fn flows_of_a_dead_backend_move_at_once() {
        let target = seen(&[1, 2, 3], &[]).toward(&[1, 4, 3], |index| index != 2);
        assert_eq!(target, Target::at_once(&[1, 4, 3]));
    }

    #[test]
    fn first_table_and_the_same_table_again_are_no_transition() {
        assert_eq!(Seen::default().toward(&[1, 2], all), Target::at_once(&[1, 2]));
        assert_eq!(seen(&[1, 2], &[9, 9]).toward(&[1, 2], all), Target::at_once(&[1, 2]));
    }

    #[test]
    fn second_change_keeps_each_slot_where_its_flows_are() {
        // Slot 1 moved from 2 to 4; now slot 2 moves as well, and slot 1 once more.
        let now = seen(&[1, 4 | MARK, 3], &[1, 2, 3]);
        let target = now.toward(&[1, 5, 6], all);
        assert_eq!(target, Target { slots: vec![1, 5 | MARK, 6 | MARK], flags: 0, old: Some(vec![1, 2, 3]) });
    }

    #[test]
    fn change_that_is_taken_back_remembers_those_that_began_meanwhile() {
        let target = seen(&[1, 4 | MARK], &[1, 2]).toward(&[1, 2], all);
        assert_eq!(target, Target { slots: vec![1, 2 | MARK], flags: 0, old: Some(vec![1, 2]) });
    }

    #[test]
    fn backend_that_dies_in_transition_gives_its_flows_to_the_new_one() {
        let target = seen(&[1, 4 | MARK], &[1, 2]).toward(&[1, 4], |index| index != 2);
        assert_eq!(target, Target { slots: vec![1, 4 | MARK], flags: 0, old: Some(vec![1, 4]) });
    }

    #[test]
    fn table_of_another_size_is_in_transition_as_a_whole_and_stays_so() {
        let grown = seen(&[1, 2], &[]).toward(&[1, 2, 3], all);
        assert_eq!(grown, Target { slots: vec![1, 2, 3], flags: WHOLE_TABLE, old: Some(vec![1, 2]) });
        let again = whole(&[1, 2, 3], &[1, 2]).toward(&[3, 3, 3], |index| index != 1);
        assert_eq!(again, Target { slots: vec![3, 3, 3], flags: WHOLE_TABLE, old: Some(vec![0, 2]) });
        assert_eq!(whole(&[1, 2, 3], &[1, 2]).toward(&[3, 3, 3], |index| index == 3), Target::at_once(&[3, 3, 3]));
    }
}
