//! The reconciler: brings the maps to what is desired, and keeps them there.

mod due;
mod maps;
mod retry;
mod verify;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::{sync::watch, time::Instant};

use self::{maps::MapsOf, retry::Retry, verify::VERIFY_AFTER_CHANGE};
use super::{
    health::Checks,
    publishing::Publishing,
    running::Running,
    take::{NotTaken, change_or_go_back},
};
use crate::{
    control::{Applied, Command, Desired},
    dataplane::{
        generations::Target,
        inventory::DownSet,
        loader::{self, Loaded},
        pins::Pins,
    },
    desired::{Config, Role},
    metrics::Recorder,
};

/// Loads the programs, and brings maps and links to what the configuration asks for, without the backends that are down.
pub(super) async fn start(pins: &Pins, config: &Config, down: DownSet) -> Result<(Loaded, Running)> {
    let seed = match &config.local.role {
        Role::Pop(role) => Some(&role.hash_seed),
        Role::Gateway(_) => None,
    };
    let target = Target::choose(pins, &config.local.limits)?;
    let mut loaded = loader::load(Some(target.maps()), &config.local.limits, seed)?;
    let running = Running::start(&mut loaded, pins, config, target, Some(down)).await?;
    Ok((loaded, running))
}

/// Brings the maps to what is desired.
pub(super) struct Reconciler {
    pins: Pins,
    loaded: Loaded,
    running: Running,
    /// What the maps have.
    current: Arc<Desired>,
    /// They may have something between that and what they did not take.
    is_between: bool,
    applied: watch::Sender<Applied>,
    retry: Option<Retry>,
    verify_at: Instant,
    recorder: Arc<Recorder>,
    publishing: Publishing,
    checks: Checks,
}

impl Reconciler {
    /// Takes over what was started, and begins to look for what others write.
    pub(super) fn new(
        pins: Pins,
        (loaded, running): (Loaded, Running),
        current: Arc<Desired>,
        applied: watch::Sender<Applied>,
        recorder: Arc<Recorder>,
        publishing: Publishing,
        checks: Checks,
    ) -> Result<Self> {
        let verify_at = Instant::now() + VERIFY_AFTER_CHANGE;
        let mut reconciler = Self {
            pins,
            loaded,
            running,
            current,
            is_between: false,
            applied,
            retry: None,
            verify_at,
            recorder,
            publishing,
            checks,
        };
        reconciler.loaded.kernel.watch()?;
        reconciler.checks.follow(&reconciler.current.config(), reconciler.running.inventory());
        reconciler.publish();
        Ok(reconciler)
    }

    /// What the maps have.
    pub(super) fn current(&self) -> &Desired {
        &self.current
    }

    /// Looks at what is published.
    fn publish(&mut self) {
        self.publishing.follow(&self.current, &self.running, &self.pins);
    }

    /// Does what the operator says, and answers.
    pub(super) async fn obey(&mut self, command: Command) {
        match command {
            Command::FailBack(pool, answer) => {
                self.publishing.mark();
                let moved = self.running.fail_back(&mut self.loaded, &pool).await;
                // Who asked may have gone.
                let _ = answer.send(moved.map_err(|error| format!("{error:#}")));
            }
        }
    }

    /// Writes what is not written yet.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.running.save()
    }

    /// Changes the services, and nothing else if nothing else has changed.
    pub(super) async fn take(&mut self, next: Arc<Desired>) -> Result<()> {
        if next.local() != self.current.local() {
            return self.take_whole(next).await;
        }
        let is_between = self.is_between;
        let maps =
            &mut MapsOf { running: &mut self.running, loaded: &mut self.loaded, current: &self.current, is_between };
        let began = Instant::now();
        let taken = change_or_go_back(maps, &*self.current, &*next).await;
        self.recorder.applied(began.elapsed(), taken.is_ok());
        match taken {
            Ok(()) => self.has_taken(next),
            Err(NotTaken { error, is_between }) => {
                self.is_between = is_between;
                self.has_failed(next, &error);
            }
        }
        Ok(())
    }

    /// Starts once more with all of it, as another process would.
    pub(super) async fn take_whole(&mut self, next: Arc<Desired>) -> Result<()> {
        let began = Instant::now();
        let started = start(&self.pins, &next.config(), self.checks.down()).await;
        self.recorder.applied(began.elapsed(), started.is_ok());
        match started {
            Ok((loaded, running)) => {
                (self.loaded, self.running) = (loaded, running);
                self.loaded.kernel.watch()?;
                tracing::info!(vips = next.config().services.vips.len(), "the configuration is applied");
                self.has_taken(next);
            }
            Err(error) => {
                tracing::error!("the configuration is not applied, and the last one is taken up again: {error:#}");
                let started = start(&self.pins, &self.current.config(), self.checks.down()).await;
                (self.loaded, self.running) = started.context("cannot take up the last configuration again")?;
                self.loaded.kernel.watch()?;
                self.checks.follow(&self.current.config(), self.running.inventory());
                self.is_between = false;
                self.has_failed(next, &error);
            }
        }
        Ok(())
    }

    async fn retry(&mut self) -> Result<()> {
        match &self.retry {
            Some(retry) => self.take(Arc::clone(&retry.wanted)).await,
            None => Ok(()),
        }
    }

    fn has_taken(&mut self, next: Arc<Desired>) {
        let revision = next.revision;
        self.publishing.mark();
        match next.since(&self.current) {
            Some(vips) => self.checks.follow_vips(&vips, self.running.inventory()),
            None => self.checks.follow(&next.config(), self.running.inventory()),
        }
        (self.current, self.is_between, self.retry) = (next, false, None);
        self.verify_at = self.verify_at.min(Instant::now() + VERIFY_AFTER_CHANGE);
        self.applied.send_modify(|applied| (applied.revision, applied.failure) = (Some(revision), None));
    }

    fn has_failed(&mut self, wanted: Arc<Desired>, error: &anyhow::Error) {
        let revision = wanted.revision;
        let retry = Retry::after(self.retry.as_ref(), wanted);
        tracing::error!(revision, "the maps have the last services still, next try in {:?}: {error:#}", retry.pause);
        self.applied.send_modify(|applied| applied.failure = Some((revision, format!("{error:#}"))));
        self.retry = Some(retry);
    }
}
