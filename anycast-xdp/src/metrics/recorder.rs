//! What is measured as it happens, because no map tells it afterwards.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};

/// Upper bounds in seconds: from what one look-up takes to how long a change may wait for the maps.
const BOUNDS_SECS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// Labels of [`Recorder::api`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ApiLabels {
    /// Method and path, its variables in braces.
    pub operation: String,
    /// HTTP status.
    pub status: u16,
}

/// What is measured as it happens.
#[derive(Debug)]
pub struct Recorder {
    pub(super) started: SystemTime,
    pub(super) api: Family<ApiLabels, Histogram, fn() -> Histogram>,
    pub(super) apply: Histogram,
    pub(super) apply_failures: Counter,
    pub(super) commit: Histogram,
    pub(super) store_failures: Counter,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            started: SystemTime::now(),
            api: Family::new_with_constructor(histogram),
            apply: histogram(),
            apply_failures: Counter::default(),
            commit: histogram(),
            store_failures: Counter::default(),
        }
    }
}

fn histogram() -> Histogram {
    Histogram::new(BOUNDS_SECS)
}

impl Recorder {
    /// The API has answered.
    pub fn answered(&self, labels: &ApiLabels, took: Duration) {
        self.api.get_or_create(labels).observe(took.as_secs_f64());
    }

    /// The maps have taken a change, or have not.
    pub fn applied(&self, took: Duration, is_taken: bool) {
        self.apply.observe(took.as_secs_f64());
        if !is_taken {
            self.apply_failures.inc();
        }
    }

    /// The store has taken a revision, or has failed.
    pub fn committed(&self, took: Duration, has_failed: bool) {
        self.commit.observe(took.as_secs_f64());
        if has_failed {
            self.store_failures.inc();
        }
    }

    pub(super) fn start_time_secs(&self) -> f64 {
        self.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
    }
}
