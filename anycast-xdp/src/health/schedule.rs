//! What is due when, of thousands of targets, in one heap.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    future::pending,
    time::{Duration, Instant},
};

use tokio::time::sleep_until;

/// Times at which slots are looked at again. An entry of a slot that was given another time since is left where it is and
/// skipped when its time comes.
#[derive(Debug, Default)]
pub struct Schedule {
    heap: BinaryHeap<Reverse<(Instant, usize, u64)>>,
    /// The number of the entry that counts, by slot.
    current: Vec<u64>,
    next: u64,
}

impl Schedule {
    /// Looks at a slot again then, and at no other time.
    pub fn set(&mut self, slot: usize, at: Instant) {
        if self.current.len() <= slot {
            self.current.resize(slot + 1, 0);
        }
        self.next += 1;
        self.current[slot] = self.next;
        self.heap.push(Reverse((at, slot, self.next)));
    }

    /// Does not look at a slot any more.
    pub fn clear(&mut self, slot: usize) {
        if let Some(current) = self.current.get_mut(slot) {
            *current = 0;
        }
    }

    /// When the next slot is due.
    pub fn next(&mut self) -> Option<Instant> {
        self.skip_stale();
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// A slot that is due, the one that waits longest first.
    pub fn pop(&mut self, now: Instant) -> Option<usize> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, slot, _)) = self.heap.pop()?;
        self.clear(slot);
        Some(slot)
    }

    fn skip_stale(&mut self) {
        while let Some(Reverse((_, slot, number))) = self.heap.peek()
            && self.current[*slot] != *number
        {
            self.heap.pop();
        }
    }
}

/// The interval, shortened by up to so many percent; `random` is from 0 to 1. It is never longer, so that what a check promises
/// about the time until a failure is found holds.
pub fn jittered(interval: Duration, percent: u8, random: f64) -> Duration {
    interval.mul_f64(1.0 - f64::from(percent.min(100)) / 100.0 * random)
}

/// How long after the first of `count` targets the one at `position` is probed first: evenly over one interval.
pub fn spread(interval: Duration, position: usize, count: usize) -> Duration {
    interval * position as u32 / count.max(1) as u32
}

/// Waits until then; for ever, if there is no such time.
pub async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn slots_come_in_the_order_of_their_times_and_only_when_due() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        for (slot, ms) in [(0, 30), (1, 10), (2, 20)] {
            schedule.set(slot, now + ms * MS);
        }
        assert_eq!(schedule.pop(now), None);
        assert_eq!(schedule.next(), Some(now + 10 * MS));
        assert_eq!(
            [schedule.pop(now + 20 * MS), schedule.pop(now + 20 * MS), schedule.pop(now + 20 * MS)],
            [Some(1), Some(2), None]
        );
    }

    #[test]
    fn last_time_of_a_slot_counts_and_a_cleared_slot_never_comes() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.set(0, now);
        schedule.set(0, now + 5 * MS);
        schedule.set(1, now);
        schedule.clear(1);
        assert_eq!(schedule.pop(now), None);
        assert_eq!(schedule.pop(now + 5 * MS), Some(0));
        assert_eq!((schedule.next(), schedule.heap.len()), (None, 0));
    }

    #[test]
    fn starts_are_spread_and_intervals_are_shortened_by_their_percent() {
        let second = Duration::from_secs(1);
        assert_eq!(
            [0, 1, 4999].map(|at| spread(second, at, 5000)),
            [Duration::ZERO, second / 5000, second / 5000 * 4999]
        );
        assert_eq!([0.0, 0.5, 1.0].map(|random| jittered(second, 10, random)), [second, 950 * MS, 900 * MS]);
        assert_eq!(jittered(second, 0, 1.0), second);
    }
}
