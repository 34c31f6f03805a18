//! Looking, now and then, whether the tables hold what was written.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::Reconciler;

/// How often the tables are looked at for what others wrote, and how soon after a change.
const VERIFY_EVERY: Duration = Duration::from_secs(10);
pub(super) const VERIFY_AFTER_CHANGE: Duration = Duration::from_millis(500);

impl Reconciler {
    /// Looks whether the tables hold what was written, and takes back what others wrote.
    pub(super) fn verify(&mut self) -> Result<()> {
        let drift = self.loaded.kernel.restore()?;
        if drift.entries() > 0 {
            tracing::warn!("others wrote to the tables, and what was there before is there again: {drift}");
        }
        self.applied.send_if_modified(|applied| {
            let found = Some(drift.entries() as u64);
            applied.repaired += drift.entries() as u64;
            std::mem::replace(&mut applied.drift, found) != found
        });
        self.checks.keep_route();
        give_back_memory();
        self.verify_at = Instant::now() + VERIFY_EVERY;
        Ok(())
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
