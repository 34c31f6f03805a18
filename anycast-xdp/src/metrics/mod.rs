//! Metrics for Prometheus, in the form of OpenMetrics.
//!
//! Counters are those that the programs keep anyway: they are read from the pinned maps when somebody asks, and cost
//! packets nothing.
//!
//! | file | concern |
//! | --- | --- |
//! | `catalogue`, `descriptor` | one table of what there is; `reference` makes a page of it |
//! | `recorder` | what is measured as it happens: durations and failures |
//! | `reading` | what is read when somebody asks |
//! | `traffic`, `shown` | which VIPs have series of their own, and the sum of the others |
//! | `collect`, `writer` | series of what was read |
//! | `classic` | the text format from before OpenMetrics |
//! | `answer`, `listen`, `connections` | HTTP: for the API's socket, and at `[metrics] listen` |

mod answer;
pub mod catalogue;
mod classic;
mod collect;
mod connections;
pub mod descriptor;
pub mod listen;
mod reading;
mod recorder;
pub mod reference;
mod shown;
mod traffic;
mod writer;

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use prometheus_client::{encoding::text, registry::Registry};
use tokio::{
    sync::{Mutex as AsyncMutex, watch},
    task::spawn_blocking,
    time::timeout,
};

pub use self::{
    answer::answer,
    recorder::{ApiLabels, Recorder},
};
use self::{
    collect::Exposition,
    reading::{Datapath, Reading, Reconciler, StoreReading},
    shown::{Others, VipLabels},
};
use crate::{
    control::{Applied, Desired},
    daemon::Services,
    desired::{ControlFacts, MetricsFacts},
    health::{Watch, view::BackendHealth},
    publish::report::Publishing,
    store::{SqliteStore, Store as _},
};

/// How long the store may take to tell how large it is: a commit may be under way.
const STORE_LIMIT: Duration = Duration::from_secs(2);

/// Everything that metrics are made of.
#[derive(Debug)]
pub struct Metrics {
    instance: String,
    control: Services,
    desired: watch::Receiver<Arc<Desired>>,
    applied: watch::Receiver<Applied>,
    publishing: watch::Receiver<Arc<Publishing>>,
    health: Watch,
    store: Option<SqliteStore>,
    recorder: Arc<Recorder>,
    /// The labels, and the configuration that they are of.
    labels: Mutex<(Weak<Desired>, Arc<VipLabels>)>,
    others: Mutex<Others>,
    /// One reading at a time, however many ask, and also after they have gone.
    turn: Arc<AsyncMutex<()>>,
}

impl Metrics {
    /// The metrics of these services. Reads the counters once, in the background: the sum of VIPs without series of their
    /// own counts from then on.
    pub async fn start(
        control: Services,
        applied: watch::Receiver<Applied>,
        publishing: watch::Receiver<Arc<Publishing>>,
        health: Watch,
    ) -> Arc<Self> {
        let (desired, store, recorder) = {
            let control = control.lock().await;
            (control.watch(), control.store().cloned(), Arc::clone(control.recorder()))
        };
        let instance = desired.borrow().local().instance.clone();
        let metrics = Arc::new(Self {
            instance,
            control,
            desired,
            applied,
            publishing,
            health,
            store,
            recorder,
            labels: Mutex::default(),
            others: Mutex::default(),
            turn: Arc::default(),
        });
        let first = Arc::clone(&metrics);
        tokio::spawn(async move { first.exposition().await });
        metrics
    }

    /// What is measured as it happens.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// All of them as they are now.
    ///
    /// # Errors
    ///
    /// A library that cannot write to memory.
    pub async fn exposition(self: &Arc<Self>) -> Result<String> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        self.follow_labels();
        let store = self.read_store().await;
        let health = self.health.view().await;
        let metrics = Arc::clone(self);
        let write = move || {
            let _turn = turn;
            metrics.write(store, health)
        };
        spawn_blocking(write).await.context("the reading was given up")?
    }

    /// Reads the maps and writes what they tell. Waits for the kernel.
    fn write(&self, store: Option<StoreReading>, health: Vec<BackendHealth>) -> Result<String> {
        let began = Instant::now();
        let datapath = match Datapath::read(&self.instance) {
            Ok(datapath) => Some(datapath),
            Err(error) => {
                tracing::debug!("metrics are without those of the datapath: {error:#}");
                None
            }
        };
        let labels = Arc::clone(&self.lock_labels().1);
        let shown = datapath.as_ref().map(|datapath| {
            let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
            others.show(datapath.traffic(), &labels, self.top_vips())
        });
        let reconciler =
            Reconciler { revision: self.desired.borrow().revision, applied: self.applied.borrow().clone() };
        let publishing = Arc::clone(&self.publishing.borrow());
        let recorder = Arc::clone(&self.recorder);
        let took = began.elapsed();
        let reading = Reading { datapath, shown, labels, store, reconciler, publishing, health, recorder, took };
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Exposition(reading)));
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(text)
    }

    fn top_vips(&self) -> usize {
        let desired = self.desired.borrow();
        let ControlFacts { metrics, .. } = &desired.local().control;
        metrics.map_or(MetricsFacts::TOP_VIPS, |metrics| metrics.top_vips) as usize
    }

    /// Takes up the labels of the newest services. While they are being changed, those of the last ones are good enough:
    /// nobody waits for a change here.
    fn follow_labels(&self) {
        let newest = Arc::downgrade(&self.desired.borrow());
        if Weak::ptr_eq(&newest, &self.lock_labels().0) {
            return;
        }
        if let Ok(control) = self.control.try_lock() {
            let labels = Arc::new(control.vip_labels());
            *self.lock_labels() = (newest, labels);
        }
    }

    fn lock_labels(&self) -> std::sync::MutexGuard<'_, (Weak<Desired>, Arc<VipLabels>)> {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read_store(&self) -> Option<StoreReading> {
        let store = self.store.as_ref()?;
        let facts = timeout(STORE_LIMIT, store.facts()).await;
        Some(StoreReading(facts.ok().and_then(Result::ok)))
    }
}
