//! `run`: take up the services, load and attach the programs, follow the kernel and the services, stay.

mod health;
mod publishing;
mod reconciler;
mod running;
pub(crate) mod take;

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Result, bail};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Mutex, watch},
};

use self::{
    health::Checks,
    publishing::Publishing,
    reconciler::{Reconciler, start},
};
use crate::{
    api,
    config::{self, Host, host::HostFacts},
    control::{self, Applied, Control, Reread},
    dataplane::pins::Pins,
    desired::{Config, Local},
    metrics::{
        Metrics,
        listen::{self, Listening},
    },
    publish::{host_drain::HostDrain, report::Board},
    store::SqliteStore,
};

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

    let mut checks = Checks::start(&pins)?;
    let started = start(&pins, &first.config(), checks.down()).await;
    if started.is_err() && is_first_start {
        // Nothing forwarded before, so nothing of the attempt has to stay.
        if let Err(error) = pins.remove() {
            tracing::warn!("what the failed start made is still there, `anycast-xdp detach` removes it: {error:#}");
        }
    }
    let started = started?;
    let recorder = Arc::clone(control.recorder());
    let control = Arc::new(Mutex::new(control));
    let (applied, watched) = watch::channel(Applied { revision: Some(first.revision), ..Applied::default() });
    let host_drain = HostDrain::open(&first.local().control.store_of(&instance))?;
    let (told, now) = watch::channel(publishing::before_the_first_look(&first));
    let board = Board { instance: instance.clone(), now, host_drain };
    let publishing = Publishing::new(&board, told)?;
    let metrics = Metrics::start(Arc::clone(&control), watched.clone(), board.now.clone(), checks.watch()).await;
    let mut listening = Listening::start(Arc::clone(&metrics), bound)?;
    let (commands, mut commanded) = control::commands();
    let shared = api::Shared {
        control: Arc::clone(&control),
        applied: watched,
        commands,
        metrics,
        publishing: board,
        health: checks.watch(),
    };
    let _api = api::serve(shared, first.local(), pins.run())?;
    let mut reconciler = Reconciler::new(pins, started, first, applied, recorder, publishing, checks)?;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tracing::info!(instance, vips = reconciler.current().config().services.vips.len(), "ready");

    loop {
        tokio::select! {
            event = reconciler.event() => reconciler.follow(event?).await?,
            Ok(()) = desired.changed() => {
                let next = desired.borrow_and_update().clone();
                reconciler.take(next).await?;
            }
            Some(command) = commanded.recv() => reconciler.obey(command).await,
            _ = hangup.recv() => {
                if reread(&control, &host_file, &instance).await {
                    // Or what was changed since, which has the file's facts as well.
                    let next = desired.borrow_and_update().clone();
                    reconciler.take_whole(next).await?;
                    listening.follow(metrics_address(reconciler.current().local()));
                }
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    reconciler.stop()?;
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

/// Takes up what the host's file says now, if it is valid and of this instance; false: it is not, and nothing has changed.
async fn reread(control: &Services, host_file: &Path, instance: &str) -> bool {
    // Held to the end: a change that came between would be lost.
    let mut control = control.lock().await;
    match reread_for(&control, host_file, instance).await {
        Ok(reread) => {
            control.take_up(reread);
            true
        }
        Err(error) => {
            tracing::error!("the configuration is not applied: {error:#}");
            false
        }
    }
}

async fn reread_for(control: &Control<SqliteStore>, host_file: &Path, instance: &str) -> Result<Reread> {
    let reread = control.reread()?;
    let named = &reread.desired().local().instance;
    if named != instance {
        bail!("the instance is `{instance}`, the file says `{named}`");
    }
    fits(&reread.desired().config(), host_file).await?;
    Ok(reread)
}
