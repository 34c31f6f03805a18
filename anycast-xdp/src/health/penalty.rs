//! The penalty of a backend that flaps (RFC 2439 section 4.2, the figure of merit): more for each time that it goes down, halved
//! with time.

use std::time::Duration;

/// What going down once costs.
pub const PENALTY: f64 = 1000.0;
/// Above it a backend stays down (the cutoff threshold).
pub const SUPPRESS_ABOVE: f64 = 3000.0;
/// At it a backend may be up again (the reuse threshold).
pub const REUSE_AT: f64 = 1500.0;

/// A penalty as it was at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Penalty {
    value: f64,
    at: Duration,
}

impl Penalty {
    /// What a penalty was at a time.
    pub fn new(value: f64, at: Duration) -> Self {
        Self { value: if value.is_finite() { value.max(0.0) } else { 0.0 }, at }
    }

    /// What is left of it.
    pub fn now(self, now: Duration, half_life: Duration) -> f64 {
        self.value * (-now.saturating_sub(self.at).as_secs_f64() / half_life.as_secs_f64()).exp2()
    }

    /// One more time down.
    pub fn add(&mut self, now: Duration, half_life: Duration) {
        *self = Self { value: self.now(now, half_life) + PENALTY, at: now };
    }

    /// When it is so low that a suppressed backend may be up again.
    pub fn reuse_at(self, half_life: Duration) -> Duration {
        let half_lives = (self.value / REUSE_AT).log2().max(0.0);
        self.at + half_life.mul_f64(half_lives)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_LIFE: Duration = Duration::from_mins(1);

    #[test]
    fn penalty_is_halved_and_reused_when_it_is_low_enough() {
        let mut penalty = Penalty::default();
        penalty.add(Duration::ZERO, HALF_LIFE);
        assert!((penalty.now(HALF_LIFE, HALF_LIFE) - 500.0).abs() < 1e-9);
        assert_eq!(penalty.reuse_at(HALF_LIFE), Duration::ZERO);
        for _ in 0..2 {
            penalty.add(Duration::ZERO, HALF_LIFE);
        }
        assert_eq!(penalty.reuse_at(HALF_LIFE), HALF_LIFE);
        assert!((penalty.now(HALF_LIFE, HALF_LIFE) - REUSE_AT).abs() < 1e-9);
    }

    #[test]
    fn what_a_file_says_is_no_trap() {
        for value in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(Penalty::new(value, Duration::ZERO).now(HALF_LIFE, HALF_LIFE).abs() < 1e-9);
        }
    }
}
