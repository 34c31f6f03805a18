//! Wall-clock time as kernel time stamps have it, and figures of several runs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970.
pub fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos() as u64)
}

/// Least, median and greatest of some runs, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Least.
    pub min_ms: f64,
    /// Median.
    pub median_ms: f64,
    /// Greatest.
    pub max_ms: f64,
}

impl Figures {
    /// Of durations in nanoseconds; panics if there are none.
    pub fn of(runs_ns: &[u64]) -> Self {
        let mut runs: Vec<f64> = runs_ns.iter().map(|ns| Duration::from_nanos(*ns).as_secs_f64() * 1e3).collect();
        runs.sort_unstable_by(f64::total_cmp);
        Self { min_ms: runs[0], median_ms: runs[runs.len() / 2], max_ms: runs[runs.len() - 1] }
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "min {:.1} ms, median {:.1} ms, max {:.1} ms", self.min_ms, self.median_ms, self.max_ms)
    }
}
