//! Waiting for something to become true.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Calls `ready` every few milliseconds until it gives a value, for at most `limit`; `what` completes "no ... within".
pub fn wait_for<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = ready() {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            bail!("no {what} within {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
