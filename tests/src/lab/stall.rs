//! How long the machine itself stood still: what others compute must not be taken for a fault of what is measured.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};

/// Pause of the thread that watches.
const TICK: Duration = Duration::from_millis(1);
/// That of routers' daemons: when they wait for the processor, it does.
const NICE: libc::c_int = -5;

/// A thread that sleeps for a millisecond again and again, and notes by how much it overslept.
#[derive(Debug)]
pub struct Stall {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Duration>>,
}

impl Stall {
    /// Begins to watch.
    pub fn watch() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            // SAFETY: no pointers. On Linux the 0 means the calling thread alone.
            unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
            let mut longest = Duration::ZERO;
            while !stopped.load(Ordering::Relaxed) {
                let began = Instant::now();
                std::thread::sleep(TICK);
                longest = longest.max(began.elapsed().saturating_sub(TICK));
            }
            longest
        });
        Self { stop, thread: Some(thread) }
    }

    /// The longest time that it overslept.
    pub fn stop(mut self) -> Result<Duration> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("it is stopped once")?;
        thread.join().map_err(|_| anyhow!("the watching thread panicked"))
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
