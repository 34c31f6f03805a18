//! The reconciler: brings the maps to what is desired, and keeps them there.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    running::{self, Running},
    take::{Maps, NotTaken, change_or_go_back},
};
use crate::{
    control::{Applied, Desired},
    dataplane::{
        generations::Target,
        loader::{self, Loaded},
        pins::Pins,
    },
    desired::{Config, Role},
    metrics::Recorder,
};

/// How long after a failure the reconciler tries again; doubled each time, up to the last.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// How often the tables are looked at for what others wrote, and how soon after a change.
const VERIFY_EVERY: Duration = Duration::from_secs(10);
const VERIFY_AFTER_CHANGE: Duration = Duration::from_millis(500);

/// Loads the programs, and brings maps and links to what the configuration asks for.
pub(super) async fn start(pins: &Pins, config: &Config) -> Result<(Loaded, Running)> {
    let seed = match &config.local.role {
        Role::Pop(role) => Some(&role.hash_seed),
        Role::Gateway(_) => None,
    };
    let target = Target::choose(pins, &config.local.limits)?;
    let mut loaded = loader::load(Some(target.maps()), &config.local.limits, seed)?;
    let running = Running::start(&mut loaded, pins, config, target).await?;
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
}

/// What is due.
pub(super) enum Event {
    /// Something outside has changed.
    Outside(running::Event),
    /// A transition ends, or flows go back to a better pool.
    Bindings,
    /// The inventory's file is behind.
    Save,
    /// What the maps did not take is tried again.
    Retry,
    /// The tables are looked at.
    Verify,
}

/// Waits until then; for ever, if there is no such time.
async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}

/// The maps of a running daemon.
struct MapsOf<'a> {
    running: &'a mut Running,
    loaded: &'a mut Loaded,
    current: &'a Desired,
    is_between: bool,
}

impl Maps for MapsOf<'_> {
    type Services = Desired;

    async fn change(&mut self, next: &Desired) -> Result<()> {
        if self.is_between {
            return self.change_all(next).await;
        }
        if let Some(vips) = next.since(self.current)
            && self.running.change_vips(self.loaded, &vips)?
        {
            return Ok(());
        }
        // Once: each is a copy of everything where VIPs changed one by one.
        let next = next.config();
        if next.services == self.current.config().services {
            return Ok(());
        }
        self.running.change(self.loaded, &next).await
    }

    async fn change_all(&mut self, last: &Desired) -> Result<()> {
        self.running.change(self.loaded, &last.config()).await
    }
}

/// Something that the maps did not take.
struct Retry {
    wanted: Arc<Desired>,
    at: Instant,
    pause: Duration,
}

impl Reconciler {
    /// Takes over what was started, and begins to look for what others write.
    pub(super) fn new(
        pins: Pins,
        (loaded, running): (Loaded, Running),
        current: Arc<Desired>,
        applied: watch::Sender<Applied>,
        recorder: Arc<Recorder>,
    ) -> Result<Self> {
        let verify_at = Instant::now() + VERIFY_AFTER_CHANGE;
        let mut reconciler =
            Self { pins, loaded, running, current, is_between: false, applied, retry: None, verify_at, recorder };
        reconciler.loaded.kernel.watch()?;
        Ok(reconciler)
    }

    /// What the maps have.
    pub(super) fn current(&self) -> &Desired {
        &self.current
    }

    /// Waits until there is something to do for [`Self::follow`]. Cancel-safe.
    pub(super) async fn event(&mut self) -> Result<Event> {
        let bindings_at = self.running.next_change(&mut self.loaded).map(Instant::from_std);
        let (save_at, retry_at) = (self.running.save_at(), self.retry.as_ref().map(|retry| retry.at));
        tokio::select! {
            event = self.running.event() => Ok(Event::Outside(event.context("lost the kernel's route and neighbour events")?)),
            () = at(bindings_at) => Ok(Event::Bindings),
            () = at(save_at) => Ok(Event::Save),
            () = at(retry_at) => Ok(Event::Retry),
            () = at(Some(self.verify_at)) => Ok(Event::Verify),
        }
    }

    /// Does what is due.
    pub(super) async fn follow(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Outside(event) => self.running.follow(&mut self.loaded, event).await,
            Event::Bindings => self.running.update_bindings(&mut self.loaded).await,
            Event::Save => self.running.save(),
            Event::Retry => self.retry().await,
            Event::Verify => self.verify(),
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
        let started = start(&self.pins, &next.config()).await;
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
                let started = start(&self.pins, &self.current.config()).await;
                (self.loaded, self.running) = started.context("cannot take up the last configuration again")?;
                self.loaded.kernel.watch()?;
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

    /// Looks whether the tables hold what was written, and takes back what others wrote.
    fn verify(&mut self) -> Result<()> {
        let drift = self.loaded.kernel.restore()?;
        if drift.entries() > 0 {
            tracing::warn!("others wrote to the tables, and what was there before is there again: {drift}");
        }
        self.applied.send_if_modified(|applied| {
            let found = Some(drift.entries() as u64);
            applied.repaired += drift.entries() as u64;
            std::mem::replace(&mut applied.drift, found) != found
        });
        give_back_memory();
        self.verify_at = Instant::now() + VERIFY_EVERY;
        Ok(())
    }

    fn has_taken(&mut self, next: Arc<Desired>) {
        let revision = next.revision;
        (self.current, self.is_between, self.retry) = (next, false, None);
        self.verify_at = self.verify_at.min(Instant::now() + VERIFY_AFTER_CHANGE);
        self.applied.send_modify(|applied| (applied.revision, applied.failure) = (Some(revision), None));
    }

    fn has_failed(&mut self, wanted: Arc<Desired>, error: &anyhow::Error) {
        let pause = match &self.retry {
            Some(last) if Arc::ptr_eq(&last.wanted, &wanted) => (last.pause * 2).min(RETRY_MAX),
            _ => RETRY_MIN,
        };
        let revision = wanted.revision;
        tracing::error!(revision, "the maps have the last services still, next try in {pause:?}: {error:#}");
        self.applied.send_modify(|applied| applied.failure = Some((revision, format!("{error:#}"))));
        self.retry = Some(Retry { wanted, at: Instant::now() + pause, pause });
    }
}

/// A change or a plan of everything needs several times what stays; without this the C library keeps all of it.
fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no arguments to be wrong; free memory goes back to the system (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
}
