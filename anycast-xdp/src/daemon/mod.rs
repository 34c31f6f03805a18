//! `run`: take up the services, load and attach the programs, follow the kernel and the services, stay.

mod running;
pub(crate) mod take;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Mutex, watch},
    time::{Instant, sleep_until},
};

use self::{
    running::Running,
    take::{Maps, NotTaken, change_or_go_back},
};
use crate::{
    api,
    config::{self, Host, host::HostFacts},
    control::{Applied, Control, Desired},
    dataplane::{
        generations::Target,
        loader::{self, Loaded},
        pins::Pins,
    },
    desired::{Config, Local, Role},
    metrics::{
        Metrics, Recorder,
        listen::{self, Listening},
    },
    store::SqliteStore,
};

/// How long after a failure the reconciler tries again; doubled each time, up to the last.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// How often the tables are looked at for what others wrote, and how soon after a change.
const VERIFY_EVERY: Duration = Duration::from_secs(10);
const VERIFY_AFTER_CHANGE: Duration = Duration::from_millis(500);

/// The services and their store, shared by the API and the daemon.
pub type Services = Arc<Mutex<Control<SqliteStore>>>;

/// Runs until SIGTERM or SIGINT. Forwarding goes on after it: `detach` ends that. SIGHUP rereads the host's file.
///
/// # Errors
///
/// A start that fails changes nothing that forwards; a running daemon fails only if netlink does, or if neither a new
/// configuration nor the last one can be applied.
pub async fn run(host: Host) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let host_file = host.file().to_owned();
    let (control, mut desired) = Control::start(host, open_store).await?;
    let first = desired.borrow_and_update().clone();
    fits(&first.config(), host_file.as_path()).await?;
    let instance = first.local().instance.clone();
    let bound = metrics_address(first.local()).map(listen::bind).transpose()?;
    let pins = Pins::of(&instance);
    let is_first_start = !pins.exist();
    pins.create()?;
    let _lock = pins.lock()?;

    let started = start(&pins, &first.config()).await;
    if started.is_err() && is_first_start {
        // Nothing forwarded before, so nothing of the attempt has to stay.
        if let Err(error) = pins.remove() {
            tracing::warn!("what the failed start made is still there, `anycast-xdp detach` removes it: {error:#}");
        }
    }
    let (loaded, running) = started?;
    let recorder = Arc::clone(control.recorder());
    let control = Arc::new(Mutex::new(control));
    let (applied, watched) = watch::channel(Applied { revision: Some(first.revision), ..Applied::default() });
    let metrics = Metrics::start(Arc::clone(&control), watched.clone()).await;
    let mut listening = Listening::start(Arc::clone(&metrics), bound)?;
    let _api = api::serve(Arc::clone(&control), watched, metrics, first.local(), pins.run())?;
    let verify_at = Instant::now() + VERIFY_AFTER_CHANGE;
    let mut reconciler = Reconciler {
        pins,
        loaded,
        running,
        current: first,
        is_between: false,
        applied,
        retry: None,
        verify_at,
        recorder,
    };
    reconciler.loaded.kernel.watch()?;
    give_back_memory();
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tracing::info!(instance, vips = reconciler.current.config().services.vips.len(), "ready");

    loop {
        let Reconciler { loaded, running, retry, verify_at, .. } = &mut reconciler;
        let next_change = running.next_change(loaded).map(Instant::from_std);
        let save_at = running.save_at();
        let retry_at = retry.as_ref().map(|retry| retry.at);
        tokio::select! {
            event = running.event() => {
                let event = event.context("lost the kernel's route and neighbour events")?;
                running.follow(loaded, event).await?;
            }
            () = sleep_until(next_change.unwrap_or_else(Instant::now)), if next_change.is_some() => {
                running.update_bindings(loaded).await?;
            }
            Ok(()) = desired.changed() => {
                let next = desired.borrow_and_update().clone();
                reconciler.take(next).await?;
            }
            () = sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() => {
                reconciler.retry().await?;
            }
            () = sleep_until(save_at.unwrap_or_else(Instant::now)), if save_at.is_some() => running.save()?,
            () = sleep_until(*verify_at) => reconciler.verify()?,
            _ = hangup.recv() => {
                if let Some(next) = reread(&control, &host_file, &instance).await {
                    reconciler.take_whole(Arc::clone(&next)).await?;
                    control.lock().await.publish(next);
                    listening.follow(metrics_address(reconciler.current.local()));
                    desired.mark_unchanged();
                }
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    reconciler.running.save()?;
    tracing::info!("stopping; forwarding goes on until `anycast-xdp detach`");
    Ok(())
}

async fn open_store(config: &Config) -> Result<SqliteStore, crate::store::StoreError> {
    let path = config.local.control.store_of(&config.local.instance);
    SqliteStore::open(&path).await
}

fn metrics_address(local: &Local) -> Option<SocketAddr> {
    local.control.metrics.map(|metrics| metrics.listen)
}

/// Does this host fit? What might not be as meant is logged.
///
/// # Errors
///
/// [`Misfits`](config::host::Misfits).
async fn fits(config: &Config, file: &Path) -> Result<()> {
    let remarks = config::remarks(config, Some(&HostFacts::read().await?));
    for remark in config::host::refuse_misfits(&file.display().to_string(), remarks)? {
        tracing::warn!("{}: {} (help: {})", remark.field, remark.problem, remark.help);
    }
    Ok(())
}

/// What the host's file says now, if it is valid and of this instance.
async fn reread(control: &Services, host_file: &Path, instance: &str) -> Option<Arc<Desired>> {
    let next = match control.lock().await.reread() {
        Ok(next) => next,
        Err(error) => {
            tracing::error!("the configuration is not applied: {error:#}");
            return None;
        }
    };
    let named = &next.local().instance;
    if named != instance {
        tracing::error!("the configuration is not applied: the instance is `{instance}`, the file says `{named}`");
        return None;
    }
    if let Err(error) = fits(&next.config(), host_file).await {
        tracing::error!("the configuration is not applied: {error:#}");
        return None;
    }
    Some(next)
}

/// Loads the programs, and brings maps and links to what the configuration asks for.
async fn start(pins: &Pins, config: &Config) -> Result<(Loaded, Running)> {
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
struct Reconciler {
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
        if next.config().services == self.current.config().services {
            return Ok(());
        }
        self.change_all(next).await
    }

    async fn change_all(&mut self, last: &Desired) -> Result<()> {
        let changed = self.running.change(self.loaded, &last.config()).await;
        give_back_memory();
        changed
    }
}

/// Something that the maps did not take.
struct Retry {
    wanted: Arc<Desired>,
    at: Instant,
    pause: Duration,
}

impl Reconciler {
    /// Changes the services, and nothing else if nothing else has changed.
    async fn take(&mut self, next: Arc<Desired>) -> Result<()> {
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
    async fn take_whole(&mut self, next: Arc<Desired>) -> Result<()> {
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

/// A change of everything needs several times what stays; without this the C library keeps all of it.
fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no arguments to be wrong; free memory goes back to the system (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
}
