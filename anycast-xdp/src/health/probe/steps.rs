//! What happened in a probe, step by step.

use std::time::{Duration, Instant};

/// The steps of a probe as they happen.
#[derive(Debug)]
pub struct Steps {
    began: Instant,
    /// None: nobody asked.
    told: Option<Vec<Step>>,
    awaited: &'static str,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// After the beginning of the probe.
    pub after: Duration,
    /// What happened.
    pub what: String,
}

impl Steps {
    /// Of a probe whose steps are told.
    pub fn told() -> Self {
        Self { told: Some(Vec::new()), ..Self::untold() }
    }

    /// Of a probe of which only the result counts.
    pub fn untold() -> Self {
        Self { began: Instant::now(), told: None, awaited: "answer" }
    }

    /// Notes what happened; the words are made only if somebody asked.
    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(told) = &mut self.told {
            told.push(Step { after: self.began.elapsed(), what: what() });
        }
    }

    /// Says what is waited for from now on.
    pub(super) fn wait_for(&mut self, what: &'static str) {
        self.awaited = what;
    }

    /// What was waited for last.
    pub(super) fn awaited(&self) -> &'static str {
        self.awaited
    }

    /// All of them, in order.
    pub fn into_steps(self) -> Vec<Step> {
        self.told.unwrap_or_default()
    }
}
