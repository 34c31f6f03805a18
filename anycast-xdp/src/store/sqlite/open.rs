//! Opens the database, and brings it up to date.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::{Trouble, no_store, of_system, read_only};
use crate::store::StoreError;

/// What the header of the file calls it: "axps".
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"axps");

/// What makes of version n, in `user_version`, version n + 1. New ones are added at the end; these stay.
pub(super) const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE chunks (
        id BLOB NOT NULL PRIMARY KEY, -- SHA-256 of the body
        body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE revisions (
        revision INTEGER NOT NULL PRIMARY KEY, -- the head is the greatest
        record TEXT NOT NULL, -- JSON
        manifest BLOB NOT NULL -- bucket (2 bytes, big-endian) and chunk id, in order; last, so that lists do not read it
    ) STRICT;
"];

/// How long a statement waits for other processes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The database in `file`, made if there is none.
pub(super) fn open(file: &Path) -> Result<Connection, StoreError> {
    make(file).map_err(|error| of_system(file, error))?;
    if file.is_dir() {
        return Err(no_store(file, "it is a directory"));
    }
    let sqlite = |error: rusqlite::Error| Trouble::from(error).explain(file);
    // Without URIs: a name that begins with `file:` is a name.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(file, flags).map_err(sqlite)?;
    // SQLite opens what it may not write for reading.
    if connection.is_readonly("main").map_err(sqlite)? {
        return Err(read_only(file));
    }
    connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
    if !is_ours(&connection).map_err(sqlite)? {
        return Err(no_store(file, "it is the database of another program"));
    }
    let version = version(&connection).map_err(sqlite)?;
    if version > MIGRATIONS.len() {
        return Err(newer(file, version));
    }
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).map_err(sqlite)?;
    if mode != "wal" {
        return Err(no_log(file, &mode));
    }
    connection.pragma_update(None, "synchronous", "full").map_err(sqlite)?;
    migrate(&mut connection, &MIGRATIONS).map_err(sqlite)?;
    Ok(connection)
}

/// Makes the file and its directory. A file that is there is not opened: closing it again would take away the locks that
/// SQLite has on it elsewhere in this process (sqlite.org/howtocorrupt.html, 2.2).
fn make(file: &Path) -> io::Result<()> {
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found.map(drop),
    }
    if let Some(directory) = file.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o750).create(directory)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o640).open(file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

/// Is it a store, or a database that nobody has used yet?
fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(id == APPLICATION_ID || id == 0 && tables == 0 && version(connection)? == 0)
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // A negative one was never written by this program; it counts as newer than any.
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// All or nothing: another process sees the old version or the new one.
pub(super) fn migrate(connection: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    if version(connection)? >= migrations.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been first.
    for migration in migrations.iter().skip(version(&transaction)?) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", migrations.len() as u32)?;
    transaction.commit()
}

fn newer(file: &Path, version: usize) -> StoreError {
    let known = MIGRATIONS.len();
    let problem = format!("the store {} has version {version}, and this program knows {known}", file.display());
    let help = "start the program that wrote it, or a newer one; or name another file as the store".to_owned();
    StoreError::Unavailable { problem, help, source: None }
}

fn no_log(file: &Path, mode: &str) -> StoreError {
    let problem = format!(
        "cannot use the store {}: its file system has no shared memory for the log (journal mode {mode})",
        file.display()
    );
    let help = "put it on a local file system".to_owned();
    StoreError::Unavailable { problem, help, source: None }
}
