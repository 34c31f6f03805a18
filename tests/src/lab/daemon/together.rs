//! Several daemons at once.

use std::{sync::Arc, thread};

use anyhow::{Result, anyhow};

use super::{super::Namespace, Daemon, Scratch};

impl Daemon {
    /// Starts daemons at the same time, by namespace, instance and configuration, and waits until all of them are ready: each keeps one core
    /// busy with verifying programs. In the same order.
    pub fn start_all(scratch: &Scratch, wanted: &[(&Arc<Namespace>, &str, &str)]) -> Result<Vec<Self>> {
        thread::scope(|scope| {
            let start =
                |&(namespace, instance, config)| scope.spawn(move || Self::start(namespace, scratch, instance, config));
            let threads: Vec<_> = wanted.iter().map(start).collect();
            let died = |_| Err(anyhow!("a thread that started a daemon died"));
            // All of them are waited for, also after one that failed.
            let started: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap_or_else(died)).collect();
            started.into_iter().collect()
        })
    }
}
