//! What two readings tell.

use std::time::Instant;

use anycast_common::outcome::{Class, Outcome};

use super::super::rates::{Rate, Rates};
use crate::{
    api::types::ReconcilerStatus,
    view::{BackendStatus, Stats, Status},
};

/// What is read at one time.
#[derive(Clone, Debug)]
pub struct Reading {
    /// When.
    pub at: Instant,
    /// The counters.
    pub stats: Stats,
    /// What is attached, and where packets go.
    pub status: Status,
    /// How far the maps are; none: the daemon does not tell.
    pub reconciler: Option<ReconcilerStatus>,
}

/// What is shown.
#[derive(Clone, Debug)]
pub struct Now {
    /// The later of the readings.
    pub reading: Reading,
    /// Rates of VIPs.
    pub rates: Rates,
    /// What was dropped in between, most first.
    pub drops: Vec<(String, Rate)>,
    /// Backends in the order of `status`, and what was forwarded to them.
    pub backends: Vec<(BackendStatus, Rate)>,
}

impl Now {
    /// What `later` tells after `earlier`.
    pub fn between(earlier: &Reading, later: Reading) -> Self {
        let interval = later.at.saturating_duration_since(earlier.at);
        let rates = Rates::between(&earlier.stats, &later.stats, interval);
        let mut drops: Vec<_> = Outcome::ALL
            .iter()
            .filter(|outcome| outcome.class() == Class::Dropped)
            .filter_map(|outcome| {
                let count = later.stats.outcomes.get(outcome.label())?;
                let before = earlier.stats.outcomes.get(outcome.label()).copied();
                let rate = Rate::between(before, *count, interval);
                (rate.packets > 0).then(|| (outcome.label().to_owned(), rate))
            })
            .collect();
        drops.sort_by_key(|(_, rate)| std::cmp::Reverse(rate.packets));
        let backends = later.status.backends.iter().map(|backend| {
            let forwarded = |stats: &Stats| {
                let mut rows = stats.backends.iter();
                let row = rows.find(|row| row.pool == backend.pool && row.address == backend.address);
                row.map(|row| row.forwarded)
            };
            let count = forwarded(&later.stats).unwrap_or_default();
            (backend.clone(), Rate::between(forwarded(&earlier.stats), count, interval))
        });
        let backends = backends.collect();
        Self { rates, drops, backends, reading: later }
    }
}
