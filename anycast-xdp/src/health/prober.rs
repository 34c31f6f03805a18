//! The daemon's handle of the prober.

use std::{path::Path, thread::JoinHandle};

use anyhow::{Context as _, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    DownSet, Target, checked,
    memory::Memory,
    view::{BackendHealth, CheckQuery, ProbeTold},
    worker::{Command, Worker},
};
use crate::{desired::HealthFacts, path_mtu::monotonic_now};

/// Sockets of probes that are under way at once, and everything else.
const FILES_MAX: u64 = 65_536;

/// Probes backends on a thread of its own, which ends with it.
#[derive(Debug)]
pub struct Prober {
    /// None: it is being dropped.
    commands: Option<mpsc::UnboundedSender<Command>>,
    watch: Watch,
    down: watch::Receiver<DownSet>,
    thread: Option<JoinHandle<()>>,
}

/// Asks what a prober knows, from anywhere. It does not keep it alive.
#[derive(Clone, Debug)]
pub struct Watch(mpsc::WeakUnboundedSender<Command>);

impl Prober {
    /// Starts the thread, in the network namespace of the caller. It probes nobody until [`Self::follow`], and goes on with what another
    /// process of this runtime directory knew: [`Self::down`] has it at once.
    ///
    /// # Errors
    ///
    /// No thread.
    pub fn start(directory: &Path) -> Result<Self> {
        let now = monotonic_now()?;
        let memory = Memory::read(directory, now).unwrap_or_else(|error| {
            tracing::warn!("backends are taken to be up until they are probed: {error:#}");
            Memory::default()
        });
        raise_file_limit();
        let (commands, received) = mpsc::unbounded_channel();
        let (published, down) = watch::channel(memory.down());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let directory = directory.to_owned();
        let run =
            move || runtime.block_on(async { Worker::new(received, published, directory, memory, now).run().await });
        let thread = std::thread::Builder::new().name("health".to_owned()).spawn(run);
        let thread = thread.context("cannot start the thread of probes")?;
        Ok(Self { watch: Watch(commands.downgrade()), commands: Some(commands), down, thread: Some(thread) })
    }

    /// Probes these from now on, from these addresses. What is known of backends that stay stays known.
    pub fn follow(&self, facts: HealthFacts, targets: Vec<Target>) {
        if let Some(commands) = &self.commands {
            // Without the thread nothing is probed, which its end has told.
            let _ = commands.send(Command::Follow(facts, targets));
        }
    }

    /// Waits until [`Self::down`] has something new. Cancel-safe.
    pub async fn changed(&mut self) {
        if self.down.changed().await.is_err() {
            tracing::error!("the thread of probes has ended; backends stay as they are");
            std::future::pending::<()>().await;
        }
    }

    /// The backends whose probes fail. It counts as seen.
    pub fn down(&mut self) -> DownSet {
        self.down.borrow_and_update().clone()
    }

    /// Something to ask it with.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.commands = None;
        // It writes its file, and whoever comes next reads that.
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the thread of probes has panicked");
        }
    }
}

impl Watch {
    /// What is known of every backend, by pool and address; none, where there is no prober any more.
    pub async fn view(&self) -> Vec<BackendHealth> {
        self.ask(Command::View).await
    }

    /// Probes backends of a pool once, from where the caller is; none: there is no such pool with a check, or no such backend.
    pub async fn check(&self, query: &CheckQuery) -> Vec<ProbeTold> {
        let targets = self.ask(|answer| Command::Targets(query.clone(), answer)).await;
        checked::check(targets).await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<Vec<T>>) -> Command) -> Vec<T> {
        let (answer, answered) = oneshot::channel();
        let is_asked = self.0.upgrade().is_some_and(|commands| commands.send(command(answer)).is_ok());
        if is_asked { answered.await.unwrap_or_default() } else { Vec::new() }
    }
}

/// Thousands of probes have a socket each, and the soft limit is 1024 where nobody has raised it.
fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let wanted = hard.min(FILES_MAX);
        if soft < wanted { setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) } else { Ok(()) }
    });
    if let Err(error) = raised {
        tracing::warn!("the limit of open files stays as it is: {error}");
    }
}
