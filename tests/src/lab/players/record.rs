//! What players count.

use std::time::{Duration, Instant};

/// What became of what was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Messages, questions or requests.
    pub sent: u64,
    /// Those without an answer in time.
    pub lost: u64,
    /// Connections that broke, or were given up.
    pub broken: u64,
    /// Longest time between two answers.
    pub longest_gap: Duration,
}

impl Record {
    /// Something was lost, or broke.
    pub fn is_hurt(&self) -> bool {
        self.lost > 0 || self.broken > 0
    }

    /// Both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            lost: self.lost + other.lost,
            broken: self.broken + other.broken,
            longest_gap: self.longest_gap.max(other.longest_gap),
        }
    }
}

/// Times between answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gaps {
    last: Instant,
    longest: Duration,
}

impl Gaps {
    /// From now on.
    pub fn new() -> Self {
        Self { last: Instant::now(), longest: Duration::ZERO }
    }

    /// An answer has come.
    pub fn answer(&mut self) {
        self.longest = self.longest();
        self.last = Instant::now();
    }

    /// Since the last answer.
    pub fn current(&self) -> Duration {
        self.last.elapsed()
    }

    /// The longest one, that which has no end yet included.
    pub fn longest(&self) -> Duration {
        self.longest.max(self.current())
    }
}
