//! Hold-down: what could not be served comes back when it has been well for a while, so that the changes of routes in any
//! time are bounded, whatever flaps.

use std::time::{Duration, Instant};

/// What is true of a VIP now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is to be published.
    Well,
    /// It is, and something fails.
    Failing,
    /// It is not.
    Unwanted,
}

/// Whether it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is.
    In,
    /// An earlier process published it, and until then what this one knows is not complete.
    Left {
        /// The end of that.
        until: Instant,
    },
    /// It is not.
    Out {
        /// It was withdrawn because something failed.
        has_failed: bool,
        /// Since when it has been well.
        well_since: Option<Instant>,
    },
}

impl Hold {
    /// Nothing is known of it.
    pub const fn new() -> Self {
        Self::Out { has_failed: false, well_since: None }
    }

    /// Is it published?
    pub const fn is_in(self) -> bool {
        matches!(self, Self::In | Self::Left { .. })
    }

    /// What follows from what is true now.
    #[must_use]
    pub fn with(self, health: Health, hold_down: Duration, now: Instant) -> Self {
        match (self, health) {
            (_, Health::Unwanted) => Self::new(),
            (Self::In | Self::Left { .. }, Health::Well) => Self::In,
            (Self::Left { until }, Health::Failing) if now < until => self,
            (Self::In | Self::Left { .. }, Health::Failing) => Self::Out { has_failed: true, well_since: None },
            (Self::Out { has_failed, .. }, Health::Failing) => Self::Out { has_failed, well_since: None },
            (Self::Out { has_failed, well_since }, Health::Well) => {
                let since = well_since.unwrap_or(now);
                if has_failed && now.saturating_duration_since(since) < hold_down {
                    Self::Out { has_failed, well_since: Some(since) }
                } else {
                    Self::In
                }
            }
        }
    }

    /// When something follows although nothing changes.
    pub fn next_change(self, hold_down: Duration) -> Option<Instant> {
        match self {
            Self::Left { until } => Some(until),
            Self::Out { has_failed: true, well_since } => well_since.map(|since| since + hold_down),
            Self::In | Self::Out { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOLD_DOWN: Duration = Duration::from_secs(10);

    #[test]
    fn first_time_is_at_once_and_the_next_one_after_it_has_been_well_for_a_while() {
        let begin = Instant::now();
        let at = |secs| begin + Duration::from_secs(secs);
        let step = |hold: Hold, health, secs| hold.with(health, HOLD_DOWN, at(secs));
        let never = step(Hold::new(), Health::Failing, 0);
        let published = step(never, Health::Well, 1);
        assert_eq!(published, Hold::In, "what never failed is not held down");
        let failed = step(published, Health::Failing, 2);
        assert!(!failed.is_in());
        let well = step(failed, Health::Well, 60);
        assert_eq!((well.is_in(), well.next_change(HOLD_DOWN)), (false, Some(at(70))));
        let again = step(step(well, Health::Failing, 65), Health::Well, 66);
        assert!(!step(again, Health::Well, 75).is_in());
        assert_eq!(step(again, Health::Well, 76), Hold::In);
    }

    #[test]
    fn what_an_earlier_process_left_stays_until_the_view_is_complete() {
        let now = Instant::now();
        let left = Hold::Left { until: now + HOLD_DOWN };
        let step = |hold: Hold, health, secs| hold.with(health, HOLD_DOWN, now + Duration::from_secs(secs));
        assert_eq!(step(left, Health::Failing, 1), left);
        assert!(!step(left, Health::Failing, 10).is_in());
        assert_eq!(step(left, Health::Well, 1), Hold::In);
        assert!(!step(left, Health::Unwanted, 1).is_in(), "what is not asked for any more goes at once");
    }

    #[test]
    fn what_was_asked_to_go_comes_back_at_once() {
        let now = Instant::now();
        let gone = Hold::In.with(Health::Unwanted, HOLD_DOWN, now);
        assert_eq!(gone.with(Health::Well, HOLD_DOWN, now), Hold::In);
    }

    proptest! {
        /// Whatever fails and however often: two changes in any hold-down time, and one at its edge.
        #[test]
        fn changes_are_bounded(steps in proptest::collection::vec((0_u64..5_000, any::<bool>()), 1..400)) {
            let mut now = Instant::now();
            let (begin, mut hold, mut changes) = (now, Hold::In, 0_u32);
            for (ms, is_well) in steps {
                now += Duration::from_millis(ms);
                let next = hold.with(if is_well { Health::Well } else { Health::Failing }, HOLD_DOWN, now);
                changes += u32::from(next.is_in() != hold.is_in());
                hold = next;
            }
            let holds = (now - begin).as_secs_f64() / HOLD_DOWN.as_secs_f64();
            prop_assert!(f64::from(changes) <= 2.0 * holds + 2.0, "{changes} changes in {holds} hold-downs");
        }
    }
}
