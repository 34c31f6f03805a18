//! The embedded store: one SQLite database, with nothing to install.
//!
//! A write-ahead log that is synced at each commit: what was committed survives the power, and readers of other processes
//! (`sqlite3 FILE`) do not block commits. Space of what is pruned is used again, and not given back to the file system.

mod error;
mod open;
mod statements;

#[cfg(test)]
mod tests;

use std::{
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;
use tokio::task;

use self::error::Trouble;
use super::{Chunk, ChunkId, Draft, Facts, Manifest, Pruned, Record, Revision, Store, StoreError};

/// A store in an SQLite file. A copy is another handle of the same connection.
#[derive(Clone, Debug)]
pub struct SqliteStore(Arc<Database>);

#[derive(Debug)]
struct Database {
    file: PathBuf,
    connection: Mutex<Connection>,
}

impl SqliteStore {
    /// The store in `file`. Makes the file (mode 0640) and its directory (mode 0750) if there are none, and brings a
    /// database of an older program up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]: it cannot be opened for writing, or is of a newer program. [`StoreError::Corrupt`]: it
    /// is damaged, or something else. Nothing was changed.
    pub async fn open(file: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let file = file.into();
        let name = file.clone();
        let open = move || {
            let connection = open::open(&file)?;
            Ok(Self(Arc::new(Database { file, connection: Mutex::new(connection) })))
        };
        in_background(&name, open).await
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.0.file
    }

    /// Does something with the database where it may wait for the disk. Goes on to its end even if nobody awaits that.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(&self.0);
        let work = move || {
            // A panic drops the transaction, which rolls it back.
            let mut connection = database.connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection).map_err(|trouble| trouble.explain(&database.file))
        };
        in_background(self.file(), work).await
    }
}

async fn in_background<T: Send + 'static>(
    file: &Path,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cancelled) => Err(StoreError::Unavailable {
                problem: format!("{} is not used any more: the program ends", file.display()),
                help: "start it again".to_owned(),
                source: Some(cancelled.into()),
            }),
        },
    }
}

impl Store for SqliteStore {
    async fn head(&self) -> Result<Option<Record>, StoreError> {
        self.run(|connection| statements::head(connection)).await
    }

    async fn record(&self, revision: Revision) -> Result<Option<Record>, StoreError> {
        self.run(move |connection| statements::record(connection, revision)).await
    }

    async fn manifest(&self, revision: Revision) -> Result<Option<Manifest>, StoreError> {
        self.run(move |connection| statements::manifest(connection, revision)).await
    }

    async fn chunks(&self, ids: Vec<ChunkId>) -> Result<Vec<Chunk>, StoreError> {
        self.run(move |connection| statements::chunks(connection, &ids)).await
    }

    async fn commit(&self, base: Option<Revision>, draft: Draft, chunks: Vec<Chunk>) -> Result<Record, StoreError> {
        self.run(move |connection| statements::commit(connection, base, draft, &chunks)).await
    }

    async fn records(&self, before: Option<Revision>, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.run(move |connection| statements::records(connection, before, limit)).await
    }

    async fn prune(&self, keep: NonZero<u64>) -> Result<Pruned, StoreError> {
        self.run(move |connection| statements::prune(connection, keep)).await
    }

    async fn facts(&self) -> Result<Facts, StoreError> {
        let facts = self.run(|connection| statements::facts(connection)).await?;
        let mut log = self.file().as_os_str().to_owned();
        log.push("-wal");
        let sizes = [self.file(), Path::new(&log)].map(|file| fs::metadata(file).map_or(0, |file| file.len()));
        Ok(Facts { size_bytes: sizes.iter().sum(), ..facts })
    }
}
