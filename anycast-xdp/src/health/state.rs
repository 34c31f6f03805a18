//! The state of one backend: a pure function of what was, a result and the time.

use std::time::Duration;

use super::penalty::{Penalty, SUPPRESS_ABOVE};

/// When a backend's state changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Successes in a row after which it is up, 1 or more.
    pub rise: u8,
    /// Failures in a row after which it is down, 1 or more.
    pub fall: u8,
    /// In which its penalty is halved.
    pub half_life: Duration,
}

/// What is known of one backend.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Machine {
    is_down: bool,
    /// It went down too often: it stays down until its penalty is low enough.
    is_suppressed: bool,
    /// Results in a row that speak against its state.
    against: u8,
    penalty: Penalty,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// To up.
    Up,
    /// To down.
    Down {
        /// It flaps, and stays down until its penalty is low enough.
        is_suppressed: bool,
    },
}

impl Machine {
    /// One that a process before left: its penalty goes on from what it was.
    pub fn restored(is_down: bool, is_suppressed: bool, penalty: Penalty) -> Self {
        Self { is_down, is_suppressed: is_down && is_suppressed, against: 0, penalty }
    }

    /// Takes in a result. A backend that was never probed is up, like one whose results never said otherwise.
    pub fn step(&mut self, is_success: bool, now: Duration, rules: Rules) -> Option<Transition> {
        if self.is_suppressed && now >= self.penalty.reuse_at(rules.half_life) {
            self.is_suppressed = false;
        }
        // A backend is up while results are successes, and down while they are failures.
        if is_success != self.is_down {
            self.against = 0;
            return None;
        }
        self.against = self.against.saturating_add(1);
        let needed = if self.is_down { rules.rise } else { rules.fall };
        if self.against < needed || self.is_suppressed {
            return None;
        }
        self.against = 0;
        self.is_down = !self.is_down;
        if !self.is_down {
            return Some(Transition::Up);
        }
        self.penalty.add(now, rules.half_life);
        self.is_suppressed = self.penalty.now(now, rules.half_life) > SUPPRESS_ABOVE;
        Some(Transition::Down { is_suppressed: self.is_suppressed })
    }

    /// Is it in the down set?
    pub fn is_down(&self) -> bool {
        self.is_down
    }

    /// What is left of its penalty.
    pub fn penalty(&self, now: Duration, half_life: Duration) -> f64 {
        self.penalty.now(now, half_life)
    }

    /// Until when it stays down whatever its results; none: they alone decide.
    pub fn suppressed_until(&self, half_life: Duration) -> Option<Duration> {
        self.is_suppressed.then(|| self.penalty.reuse_at(half_life))
    }

    /// Other rules: results in a row are counted anew.
    pub fn forget_row(&mut self) {
        self.against = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules { rise: 2, fall: 3, half_life: Duration::from_mins(1) };

    /// What the results of probes, one a second, come to: `+` and `-` in, the transitions with their second out.
    fn run(machine: &mut Machine, results: &str) -> Vec<(u64, Transition)> {
        let results = results.chars().zip(0..);
        results
            .filter_map(|(result, secs)| Some((secs, machine.step(result == '+', Duration::from_secs(secs), RULES)?)))
            .collect()
    }

    #[test]
    fn fall_in_a_row_are_down_and_rise_in_a_row_are_up() {
        let down = Transition::Down { is_suppressed: false };
        for (results, transitions) in [
            ("", vec![]),
            ("--", vec![]),
            ("--+--+--", vec![]),
            ("---", vec![(2, down)]),
            ("+++---", vec![(5, down)]),
            ("---+-+-", vec![(2, down)]),
            ("---++", vec![(2, down), (4, Transition::Up)]),
            ("------++---", vec![(2, down), (7, Transition::Up), (10, down)]),
        ] {
            let mut machine = Machine::default();
            assert_eq!(run(&mut machine, results), transitions, "{results}");
            let is_down = transitions.last().is_some_and(|(_, last)| *last != Transition::Up);
            assert_eq!(machine.is_down(), is_down, "{results}");
        }
    }

    #[test]
    fn fourth_fall_in_a_short_time_is_suppressed_until_the_penalty_is_halved() {
        let mut machine = Machine::default();
        let transitions = run(&mut machine, &"---++".repeat(60));
        let suppressed = transitions.iter().position(|(_, one)| *one == Transition::Down { is_suppressed: true });
        assert_eq!(suppressed, Some(6), "{transitions:?}");
        let (down_at, up_at) = (transitions[6].0, transitions[7].0);
        // From just below 4000 to 1500: 1.3 half lives or so.
        assert!((60..100).contains(&(up_at - down_at)), "{transitions:?}");
    }

    #[test]
    fn restart_goes_on_with_what_was_known() {
        let mut machine = Machine::default();
        run(&mut machine, "---++---++---++---");
        let left = Penalty::new(machine.penalty(Duration::from_secs(20), RULES.half_life), Duration::from_secs(20));
        let mut restored = Machine::restored(true, true, left);
        let up = |machine: &mut Machine| {
            (20..500).find(|secs| machine.step(true, Duration::from_secs(*secs), RULES).is_some())
        };
        assert_eq!(up(&mut restored), up(&mut machine));
    }

    proptest! {
        /// While it is not suppressed its penalty is at most 3000, and 4000 after that: more cannot decay in a time than
        /// is there, and each fall adds 1000.
        #[test]
        fn transitions_are_bounded_whatever_the_results(
            results in prop::collection::vec((any::<bool>(), 0_u64..5000), 1..2000),
            rise in 1_u8..4, fall in 1_u8..4, half_life_secs in 1_u64..120,
        ) {
            let rules = Rules { rise, fall, half_life: Duration::from_secs(half_life_secs) };
            let (mut machine, mut now, mut transitions) = (Machine::default(), Duration::ZERO, 0_u32);
            for (is_success, after_ms) in results {
                now += Duration::from_millis(after_ms);
                transitions += u32::from(machine.step(is_success, now, rules).is_some());
                let falls_max = 4.0 + 4.0 * std::f64::consts::LN_2 * now.as_secs_f64() / rules.half_life.as_secs_f64();
                prop_assert!(f64::from(transitions) <= 2.0 * falls_max, "{transitions} in {now:?}");
            }
        }

        #[test]
        fn steady_results_always_win(prefix in prop::collection::vec(any::<bool>(), 0..100), is_success: bool) {
            let (mut machine, mut now) = (Machine::default(), Duration::ZERO);
            for result in prefix.into_iter().chain(std::iter::repeat_n(is_success, 200)) {
                machine.step(result, now, RULES);
                now += Duration::from_secs(1);
            }
            prop_assert_eq!(machine.is_down(), !is_success);
        }
    }
}
