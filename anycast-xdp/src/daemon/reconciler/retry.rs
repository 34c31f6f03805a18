//! Services that the maps did not take are tried again, after longer and longer pauses.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::control::Desired;

/// How long after a failure the reconciler tries again; doubled each time, up to the last.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Something that the maps did not take.
pub(super) struct Retry {
    pub wanted: Arc<Desired>,
    pub at: Instant,
    pub pause: Duration,
}

impl Retry {
    /// The next try after one that has just failed; `last`: the one that waited, if any.
    pub(super) fn after(last: Option<&Self>, wanted: Arc<Desired>) -> Self {
        let pause = match last {
            Some(last) if Arc::ptr_eq(&last.wanted, &wanted) => (last.pause * 2).min(RETRY_MAX),
            _ => RETRY_MIN,
        };
        Self { wanted, at: Instant::now() + pause, pause }
    }
}
