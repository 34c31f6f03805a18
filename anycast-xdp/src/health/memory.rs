//! What is known of backends, in a file that outlives the daemon: a restart takes no dead backend back in, and no good one out.
//!
//! Times are of the kernel's monotonic clock, which all processes share. Backends of which there is nothing to know are left out: they
//! are up.

use std::{collections::BTreeMap, fs, io, net::IpAddr, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::DownSet;
use crate::dataplane::inventory::replace;

/// In the runtime directory.
const FILE: &str = "health.json";

/// What is known of one backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Name of its pool.
    pub pool: String,
    /// Its tunnel address.
    pub backend: IpAddr,
    /// It is in the down set.
    pub is_down: bool,
    /// It flaps, and stays down until its penalty is low enough.
    pub is_suppressed: bool,
    /// Its penalty, as it was at `at_ms`.
    pub penalty: f64,
    /// When this was written.
    pub at_ms: u64,
    /// Since when it is what it is.
    pub since_ms: u64,
    /// How often it has changed.
    pub transitions: u64,
}

/// What is known, by pool and backend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory(BTreeMap<(String, IpAddr), Record>);

impl Memory {
    /// The backends that were down.
    pub fn down(&self) -> DownSet {
        self.0.values().filter(|record| record.is_down).map(|record| (record.pool.clone(), record.backend)).collect()
    }

    /// What is known of a backend, and from now on nobody else is told.
    pub fn take(&mut self, pool: &str, backend: IpAddr) -> Option<Record> {
        self.0.remove(&(pool.to_owned(), backend))
    }

    /// What the daemon of a runtime directory knew at `now`; a missing file is nothing, and so is one of another boot.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is something else.
    pub fn read(directory: &Path, now: Duration) -> Result<Self> {
        let path = directory.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let records: Vec<Record> = serde_json::from_slice(&text)
            .with_context(|| format!("{} does not hold the health of backends", path.display()))?;
        let now_ms = now.as_millis() as u64;
        let records = records.into_iter().filter(|record| record.at_ms <= now_ms && record.since_ms <= now_ms);
        Ok(Self(records.map(|record| ((record.pool.clone(), record.backend), record)).collect()))
    }

    /// Replaces the file.
    ///
    /// # Errors
    ///
    /// The file system refuses; the old one is still there.
    pub fn write(directory: &Path, records: &[Record]) -> Result<()> {
        replace(&directory.join(FILE), &records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_reads_back_without_what_is_of_another_boot() {
        let directory = tempfile::tempdir().unwrap();
        let now = Duration::from_secs(100);
        assert_eq!(Memory::read(directory.path(), now).unwrap(), Memory::default());
        let record = |pool: &str, at_ms| Record {
            pool: pool.to_owned(),
            backend: [10, 4, 0, 2].into(),
            is_down: true,
            is_suppressed: false,
            penalty: 1000.0,
            at_ms,
            since_ms: 5,
            transitions: 1,
        };
        Memory::write(directory.path(), &[record("home", 99_000), record("later", 101_000)]).unwrap();
        let mut memory = Memory::read(directory.path(), now).unwrap();
        assert_eq!(memory.down(), [("home".to_owned(), [10, 4, 0, 2].into())].into());
        assert_eq!(memory.take("home", [10, 4, 0, 2].into()), Some(record("home", 99_000)));
        assert_eq!(memory.take("home", [10, 4, 0, 2].into()), None);
        for broken in ["", "{", "[1]"] {
            fs::write(directory.path().join(FILE), broken).unwrap();
            assert!(Memory::read(directory.path(), now).is_err(), "{broken}");
        }
    }
}
