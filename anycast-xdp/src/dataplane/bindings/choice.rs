//! Which pools of a binding its new flows can go to.
//!
//! A pool that fails is out at once. One that is usable again waits, so that a route that flaps moves flows once, or until the
//! operator says so; but if the first of those that are in fails, flows have to move anyway, and every usable pool is in.
//!
//! Where all pools are lost together it is this host that has lost its way, though probes find one pool after the other. Flows that
//! come back then come from other PoPs, which go on as before: so this host, too, goes on with the pools that it used before.

use std::time::{Duration, Instant};

use crate::desired::Failback;

/// What a pool is to a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not usable.
    Out,
    /// It is, and flows go back to it then; none: when the operator says so.
    Waits(Option<Instant>),
    /// Flows go to it, if those before it leave any.
    In,
}

/// Pools that are lost, or are back, within it of each other are so for the same reason: probes of ten seconds find that out at most
/// so far apart.
const SAME_CAUSE: Duration = Duration::from_secs(10);

/// What a binding has gone through, with the pools that were in before.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Past {
    /// One that was in has failed at a time.
    Failed(Instant, Vec<bool>),
    /// None is usable.
    AllLost(Vec<bool>),
    /// The first is usable again since.
    Back(Instant, Vec<bool>),
}

/// The standing of each pool of a binding, in order. Empty: nothing has been chosen yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    standings: Vec<Standing>,
    past: Option<Past>,
}

impl Choice {
    /// The choice before which pools were in or not.
    pub fn of(pools: impl IntoIterator<Item = bool>) -> Self {
        let standing = |is_in| if is_in { Standing::In } else { Standing::Out };
        Self { standings: pools.into_iter().map(standing).collect(), past: None }
    }

    /// Which pools are in.
    pub fn in_use(&self) -> impl Iterator<Item = bool> {
        self.standings.iter().map(|standing| *standing == Standing::In)
    }

    /// The choice now, by which pools are usable. Without any, what was used before stays: its packets tell why they are dropped.
    #[must_use]
    pub fn with(&self, usable: &[bool], failback: Failback, now: Instant) -> Self {
        if !usable.contains(&true) {
            return self.without_any(usable.len(), now);
        }
        let before = self.before(usable.len(), now);
        let past = self.past_with(usable, &before, now);
        let first_in = before.iter().position(|standing| *standing == Standing::In);
        if first_in.is_none_or(|first| !usable[first]) {
            return Self { past, ..Self::of(usable.iter().copied()) };
        }
        let standings = usable.iter().zip(before).map(|(is_usable, before)| match before {
            _ if !is_usable => Standing::Out,
            Standing::In => Standing::In,
            Standing::Out => waiting(None, failback, now),
            Standing::Waits(at) => waiting(at, failback, now),
        });
        Self { standings: standings.collect(), past }
    }

    fn without_any(&self, count: usize, now: Instant) -> Self {
        let used = match &self.past {
            Some(Past::AllLost(used)) => used.clone(),
            Some(Past::Failed(at, used) | Past::Back(at, used)) if has_same_cause(*at, now) => used.clone(),
            _ if self.in_use().any(|is_in| is_in) => self.in_use().collect(),
            _ => (0..count).map(|at| at == 0).collect(),
        };
        Self { past: Some(Past::AllLost(used.clone())), ..Self::of(used) }
    }

    /// Where pools stood, with those that come back after all were lost as if they had not been away.
    fn before(&self, count: usize, now: Instant) -> Vec<Standing> {
        let mut before = self.standings.clone();
        before.resize(count, Standing::Out);
        if let Some(Past::Back(at, used)) = &self.past
            && has_same_cause(*at, now)
        {
            let coming = before.iter_mut().zip(used).filter(|(_, was_used)| **was_used);
            coming.for_each(|(standing, _)| *standing = Standing::In);
        }
        before
    }

    fn past_with(&self, usable: &[bool], before: &[Standing], now: Instant) -> Option<Past> {
        let fails = || before.iter().zip(usable).any(|(before, is_usable)| *before == Standing::In && !is_usable);
        match &self.past {
            Some(Past::AllLost(used)) => Some(Past::Back(now, used.clone())),
            Some(Past::Back(at, _)) if has_same_cause(*at, now) => self.past.clone(),
            Some(Past::Failed(at, used)) if has_same_cause(*at, now) && fails() => {
                Some(Past::Failed(now, used.clone()))
            }
            _ if fails() => Some(Past::Failed(now, self.in_use().collect())),
            past => past.clone(),
        }
    }

    /// Takes flows back to a pool that waits. `false`: it does not.
    pub fn fail_back(&mut self, at: usize) -> bool {
        match self.standings.get_mut(at) {
            Some(standing @ Standing::Waits(_)) => {
                *standing = Standing::In;
                true
            }
            Some(Standing::In | Standing::Out) | None => false,
        }
    }

    /// When flows go back to the first pool that waits for that.
    pub fn fail_back_at(&self) -> Option<Instant> {
        let waits = self.standings.iter().filter_map(|standing| match standing {
            Standing::Waits(at) => *at,
            Standing::In | Standing::Out => None,
        });
        waits.min()
    }

    /// Positions of the pools that get flows: those that are in, to the first that leaves none to the others by its dial.
    pub fn taking(&self, dials_percent: &[u8]) -> Vec<usize> {
        let mut taking = Vec::new();
        for (at, _) in self.standings.iter().enumerate().filter(|(_, standing)| **standing == Standing::In) {
            taking.push(at);
            if dials_percent.get(at).is_none_or(|percent| *percent >= anycast_common::dial::WHOLE_PERCENT) {
                break;
            }
        }
        taking
    }
}

fn has_same_cause(then: Instant, now: Instant) -> bool {
    now <= then + SAME_CAUSE
}

/// The standing of a pool that was out, or waits until `at`; a hold that is made shorter counts at once.
fn waiting(at: Option<Instant>, failback: Failback, now: Instant) -> Standing {
    match failback {
        Failback::Manual => Standing::Waits(None),
        Failback::After(hold) => {
            let at = at.map_or(now + hold, |at| at.min(now + hold));
            if at <= now { Standing::In } else { Standing::Waits(Some(at)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOLD: Failback = Failback::After(Duration::from_secs(5));

    fn later(now: Instant, secs: u64) -> Instant {
        now + Duration::from_secs(secs)
    }

    fn active(choice: &Choice) -> Option<usize> {
        choice.taking(&[100; 3]).first().copied()
    }

    #[test]
    fn fails_over_at_once_and_back_after_a_quiet_time() {
        let now = Instant::now();
        let first = Choice::default().with(&[true, true], HOLD, now);
        assert_eq!(active(&first), Some(0));
        let over = first.with(&[false, true], HOLD, now);
        assert_eq!(active(&over), Some(1));
        let held = over.with(&[true, true], HOLD, later(now, 10));
        assert_eq!((active(&held), held.fail_back_at()), (Some(1), Some(later(now, 15))));
        assert_eq!(active(&held.with(&[true, true], HOLD, later(now, 14))), Some(1));
        assert_eq!(active(&held.with(&[true, true], HOLD, later(now, 15))), Some(0));
        let flapped = held.with(&[false, true], HOLD, later(now, 14)).with(&[true, true], HOLD, later(now, 14));
        assert_eq!(flapped.fail_back_at(), Some(later(now, 19)));
    }

    #[test]
    fn only_usable_pool_is_taken_without_waiting_and_none_keeps_the_last() {
        let now = Instant::now();
        let choice = Choice::of([false, true]);
        assert_eq!(active(&choice.with(&[true, false], HOLD, now)), Some(0));
        assert_eq!(active(&choice.with(&[false, false], HOLD, now)), Some(1));
        assert_eq!(active(&Choice::default().with(&[false, false], HOLD, now)), Some(0));
        // What fails while another one waits: flows move once, to the best.
        let waits = Choice::of([false, true, true]).with(&[true, true, true], Failback::Manual, now);
        assert_eq!(active(&waits.with(&[true, false, true], Failback::Manual, now)), Some(0));
    }

    #[test]
    fn pools_lost_one_after_the_other_come_back_as_they_were_in_any_order() {
        let now = Instant::now();
        let at = |secs| later(now, secs);
        for failback in [HOLD, Failback::Manual] {
            let with = |choice: Choice, usable: [bool; 3], secs| {
                let next = choice.with(&usable, failback, at(secs));
                assert_eq!(next.with(&usable, failback, at(secs)), next, "{usable:?}");
                next
            };
            let whole = with(Choice::default(), [true; 3], 0);
            let one = with(whole, [false, true, true], 100);
            let two = with(one, [false, false, true], 108);
            assert_eq!(active(&two), Some(2));
            let lost = with(two, [false; 3], 116);
            assert_eq!(active(&lost), Some(0));
            let lost = with(lost, [false; 3], 10_000);
            let back = with(lost.clone(), [true; 3], 20_000);
            assert_eq!((active(&back), back.fail_back_at()), (Some(0), None));
            // Who comes first has the flows until who was used before is there, too: or for good, if that takes long.
            let later_ones = with(lost, [false, false, true], 20_000);
            assert_eq!(active(&later_ones), Some(2));
            assert_eq!(active(&with(later_ones.clone(), [true; 3], 20_009)), Some(0));
            assert_eq!(active(&with(later_ones, [true; 3], 20_011)), Some(2));
        }
    }

    #[test]
    fn pool_that_failed_before_all_were_lost_does_not_come_back_with_the_others() {
        let now = Instant::now();
        let over = Choice::default().with(&[true, true], HOLD, now).with(&[false, true], HOLD, now);
        let lost = over.with(&[false, false], HOLD, later(now, 11));
        let back = lost.with(&[true, true], HOLD, later(now, 20));
        assert_eq!((active(&back), back.fail_back_at()), (Some(1), Some(later(now, 25))));
        assert_eq!(active(&back.with(&[true, true], HOLD, later(now, 25))), Some(0));
    }

    #[test]
    fn manual_failback_waits_for_the_operator_and_a_shorter_hold_counts_at_once() {
        let now = Instant::now();
        let mut waits = Choice::of([false, true]).with(&[true, true], Failback::Manual, now);
        assert_eq!((active(&waits), waits.fail_back_at()), (Some(1), None));
        assert_eq!(active(&waits.with(&[true, true], Failback::Manual, later(now, 100_000))), Some(1));
        assert_eq!(waits.with(&[true, true], HOLD, now).fail_back_at(), Some(later(now, 5)));
        let long = waits.with(&[true, true], Failback::After(Duration::from_mins(10)), now);
        assert_eq!(long.with(&[true, true], HOLD, later(now, 1)).fail_back_at(), Some(later(now, 6)));
        assert!(waits.fail_back(0) && !waits.fail_back(0) && !waits.fail_back(1) && !waits.fail_back(9));
        assert_eq!(active(&waits), Some(0));
    }

    #[test]
    fn dials_let_flows_through_to_the_next_pools_that_are_in() {
        let choice = Choice::of([true, false, true, true]);
        assert_eq!(choice.taking(&[100, 100, 100, 100]), [0]);
        assert_eq!(choice.taking(&[10, 100, 100, 100]), [0, 2]);
        assert_eq!(choice.taking(&[10, 100, 0, 0]), [0, 2, 3]);
        // A share that has failed comes back after the same quiet time.
        let now = Instant::now();
        let held = Choice::of([true, false]).with(&[true, true], HOLD, now);
        assert_eq!(held.taking(&[10, 100]), [0]);
        assert_eq!(held.with(&[true, true], HOLD, later(now, 5)).taking(&[10, 100]), [0, 1]);
    }
}
