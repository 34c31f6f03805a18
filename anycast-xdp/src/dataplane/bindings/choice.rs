//! Which pool of a binding takes its new flows.

use std::time::{Duration, Instant};

/// How long a better pool has to stay usable before flows go back to it: a route that flaps moves them once.
pub const FAIL_BACK_HOLD: Duration = Duration::from_secs(5);

/// The pool that a binding uses, by its position, and since when there is a better one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    pub active: Option<usize>,
    /// When flows may go back.
    pub fail_back_at: Option<Instant>,
}

impl Choice {
    /// The choice now, by which pools are usable. Without any, what was used stays: its packets tell why they are dropped.
    pub fn with(self, usable: &[bool], now: Instant) -> Self {
        let best = usable.iter().position(|usable| *usable);
        let at_once = |active| Self { active: Some(active), fail_back_at: None };
        match (self.active, best) {
            (None, best) => at_once(best.unwrap_or(0)),
            (Some(active), None) => at_once(active),
            (Some(active), Some(best)) if best >= active || !usable[active] => at_once(best),
            (Some(active), Some(best)) => {
                let at = self.fail_back_at.unwrap_or(now + FAIL_BACK_HOLD);
                if at <= now { at_once(best) } else { Self { active: Some(active), fail_back_at: Some(at) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fails_over_at_once_and_back_after_a_quiet_time() {
        let now = Instant::now();
        let later = |secs| now + Duration::from_secs(secs);
        let first = Choice::default().with(&[true, true], now);
        assert_eq!(first.active, Some(0));
        let over = first.with(&[false, true], now);
        assert_eq!(over.active, Some(1));
        let held = over.with(&[true, true], later(10));
        assert_eq!((held.active, held.fail_back_at), (Some(1), Some(later(15))));
        assert_eq!(held.with(&[true, true], later(14)).active, Some(1));
        assert_eq!(held.with(&[true, true], later(15)).active, Some(0));
        let flapped = held.with(&[false, true], later(14)).with(&[true, true], later(14));
        assert_eq!(flapped.fail_back_at, Some(later(19)));
    }

    #[test]
    fn only_usable_pool_is_taken_without_waiting_and_none_keeps_the_last() {
        let now = Instant::now();
        let choice = Choice { active: Some(1), fail_back_at: None };
        assert_eq!(choice.with(&[true, false], now).active, Some(0));
        assert_eq!(choice.with(&[false, false], now).active, Some(1));
        assert_eq!(Choice::default().with(&[false, false], now).active, Some(0));
    }
}
