//! The drain of a host: a file beside the store, so that it survives restarts and upgrades.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    /// Milliseconds since 1970.
    since_unix_ms: u64,
}

/// Keeps the drain, and tells of it. Copies share it.
#[derive(Clone, Debug)]
pub struct HostDrain {
    file: PathBuf,
    since: watch::Sender<Option<Instant>>,
}

impl HostDrain {
    /// That of the instance whose store is this file. What was kept is taken up; a file that cannot be read is a drain that
    /// began now: whoever wrote it wanted one.
    ///
    /// # Errors
    ///
    /// The file system refuses.
    pub fn open(store: &Path) -> Result<Self> {
        let file = store.with_extension("drain");
        let since = match fs::read(&file) {
            Ok(text) => Some(match serde_json::from_slice::<Written>(&text) {
                Ok(written) => instant_of(written.since_unix_ms),
                Err(error) => {
                    tracing::warn!("{} is damaged, and taken for a drain from now on: {error}", file.display());
                    Instant::now()
                }
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        Ok(Self { file, since: watch::Sender::new(since) })
    }

    /// Since when it drains, and every change of that.
    pub fn watch(&self) -> watch::Receiver<Option<Instant>> {
        self.since.subscribe()
    }

    /// Begins a drain, or ends it. One that is there goes on as it began.
    ///
    /// # Errors
    ///
    /// The file system refuses; nothing has changed.
    pub fn set(&self, drains: bool) -> Result<()> {
        let since = *self.since.borrow();
        match (since, drains) {
            (None, true) => {
                self.write().with_context(|| format!("cannot write {}", self.file.display()))?;
                self.since.send_replace(Some(Instant::now()));
            }
            (Some(_), false) => {
                let removed = fs::remove_file(&self.file).and_then(|()| self.sync_directory());
                removed.with_context(|| format!("cannot remove {}", self.file.display()))?;
                self.since.send_replace(None);
            }
            (None, false) | (Some(_), true) => {}
        }
        Ok(())
    }

    /// A reader finds nothing or all of it, also after the power failed.
    fn write(&self) -> io::Result<()> {
        if let Some(directory) = self.file.parent() {
            fs::create_dir_all(directory)?;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let draft = self.file.with_extension("drain-new");
        let mut file = File::create(&draft)?;
        file.write_all(&serde_json::to_vec(&Written { since_unix_ms: now.as_millis() as u64 })?)?;
        file.sync_all()?;
        fs::rename(&draft, &self.file)?;
        self.sync_directory()
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.file.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    }
}

/// A clock that was set back meanwhile makes it a drain that began now.
fn instant_of(unix_ms: u64) -> Instant {
    let written = UNIX_EPOCH + std::time::Duration::from_millis(unix_ms);
    let elapsed = SystemTime::now().duration_since(written).unwrap_or_default();
    let now = Instant::now();
    now.checked_sub(elapsed).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn drain_is_there_after_a_restart_and_gone_after_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let store = directory.path().join("made/a.db");
        let drain = HostDrain::open(&store).unwrap();
        assert_eq!(*drain.watch().borrow(), None);
        drain.set(true).unwrap();
        let began = drain.watch().borrow().unwrap();
        drain.set(true).unwrap();
        assert_eq!(*drain.watch().borrow(), Some(began), "it goes on as it began");
        let again = HostDrain::open(&store).unwrap();
        let since = again.watch().borrow().unwrap();
        assert!(since.duration_since(began.checked_sub(Duration::from_secs(1)).unwrap()) < Duration::from_secs(3));
        again.set(false).unwrap();
        assert_eq!(*HostDrain::open(&store).unwrap().watch().borrow(), None);
    }

    #[test]
    fn damaged_file_is_a_drain() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.drain"), "{").unwrap();
        assert!(HostDrain::open(&directory.path().join("a.db")).unwrap().watch().borrow().is_some());
    }

    #[test]
    fn uptime_shorter_than_the_drain_is_no_panic() {
        let _ = instant_of(1);
    }
}
