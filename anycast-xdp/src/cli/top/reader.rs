//! Reads again and again, on a thread of its own: keys are answered meanwhile.

use std::{
    sync::mpsc::{Receiver, sync_channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    api::{SOCKET, types::ReconcilerStatus},
    cli::{exit::Failure, options::InstanceOption, render::top::Reading, run::runtime},
    client::Client,
    dataplane::pins::Pins,
};

/// How long the daemon may take to tell how far it is: it may be judging a change.
const API_LIMIT: Duration = Duration::from_millis(300);

/// What is pinned, and how far the daemon is.
pub(super) fn read(instance: &InstanceOption) -> Result<Reading, Failure> {
    let inspector = instance.open()?;
    let (status, stats) = (inspector.status()?, inspector.stats()?);
    let at = Instant::now();
    // A daemon that does not tell keeps nothing from being shown.
    let reconciler = status.daemon_pid.and_then(|_| ask(&instance.instance).ok());
    Ok(Reading { at, stats, status, reconciler })
}

/// Reads every `interval` from now on, until nobody listens any more.
pub(super) fn spawn(instance: InstanceOption, interval: Duration) -> Result<Receiver<Result<Reading, Failure>>> {
    let (sender, receiver) = sync_channel(1);
    let mut began = Instant::now();
    let work = move || {
        loop {
            thread::sleep(interval.saturating_sub(began.elapsed()));
            began = Instant::now();
            if sender.send(read(&instance)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("reader".to_owned()).spawn(work)?;
    Ok(receiver)
}

fn ask(instance: &str) -> Result<ReconcilerStatus> {
    let client = Client::new(Pins::of(instance).run().join(SOCKET)).with_timeout(API_LIMIT);
    Ok(runtime()?.block_on(client.reconciler())?.value)
}
