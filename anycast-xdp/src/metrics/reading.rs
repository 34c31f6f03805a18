//! What is read when somebody asks.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};

use super::{
    Recorder,
    shown::{Shown, VipLabels},
    traffic::Traffic,
};
use crate::{
    control::Applied,
    dataplane::inspect::Inspector,
    health::view::BackendHealth,
    publish::report::Publishing,
    store::Facts,
    view::{Stats, Status, VipRow},
};

/// Everything that an exposition tells.
#[derive(Debug)]
pub struct Reading {
    /// What the maps tell; none: they could not be read.
    pub datapath: Option<Datapath>,
    /// Which VIPs have series of their own.
    pub shown: Option<Shown>,
    /// Labels of VIPs.
    pub labels: Arc<VipLabels>,
    /// The store; none: there is none.
    pub store: Option<StoreReading>,
    /// How far the maps are.
    pub reconciler: Reconciler,
    /// What is published.
    pub publishing: Arc<Publishing>,
    /// The backends of pools with a check.
    pub health: Vec<BackendHealth>,
    /// What was measured as it happened.
    pub recorder: Arc<Recorder>,
    /// How long reading took.
    pub took: Duration,
}

/// What the maps tell.
#[derive(Debug)]
pub struct Datapath {
    /// What is attached, and where packets go.
    pub status: Status,
    /// The counters.
    pub stats: Stats,
    /// The VIPs.
    pub vips: Vec<VipRow>,
}

/// What the store tells; none: it cannot be read.
#[derive(Clone, Copy, Debug)]
pub struct StoreReading(pub Option<Facts>);

/// How far the maps are.
#[derive(Debug)]
pub struct Reconciler {
    /// Newest revision.
    pub revision: u64,
    /// What the maps have.
    pub applied: Applied,
}

impl Datapath {
    /// Reads what is pinned for `instance`.
    ///
    /// # Errors
    ///
    /// Nothing is pinned, or it cannot be read.
    pub fn read(instance: &str) -> Result<Self> {
        let inspector = Inspector::open(instance)?.context("nothing is pinned")?;
        Ok(Self { status: inspector.status()?, stats: inspector.stats()?, vips: inspector.vips() })
    }

    /// Counters of VIPs by name.
    pub fn traffic(&self) -> HashMap<String, Traffic> {
        self.stats.vips.iter().map(|vip| (vip.name.clone(), Traffic::of(vip))).collect()
    }
}
