//! What SQLite says, for the person who has to do something about it.

use std::{io, path::Path};

use rusqlite::ErrorCode;

use crate::store::{Revision, StoreError};

/// Why a statement did not do what it should; the file is told by [`Trouble::explain`].
#[derive(Debug)]
pub(super) enum Trouble {
    /// The head is another one.
    Conflict { head: Option<Revision> },
    /// SQLite said so.
    Sqlite(rusqlite::Error),
    /// SQLite is content, and what it gave is not what was written.
    Damaged(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Trouble {
    /// With the name of the file and what to do.
    pub(super) fn explain(self, file: &Path) -> StoreError {
        match self {
            Self::Conflict { head } => StoreError::Conflict { head },
            Self::Damaged(problem) => damaged(file, &problem),
            Self::Sqlite(error) => of_sqlite(file, error),
        }
    }
}

fn of_sqlite(file: &Path, error: rusqlite::Error) -> StoreError {
    let name = file.display();
    let (problem, help) = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => return no_store(file, "it is no SQLite database"),
        Some(ErrorCode::DatabaseCorrupt) => return damaged(file, &error.to_string()),
        Some(ErrorCode::DiskFull) => ("its file system has no space left", free_space(file)),
        Some(ErrorCode::ReadOnly) => ("it cannot be written", make_writable(file)),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            ("another program has locked it", format!("end that program; `fuser {name}` finds it"))
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            ("it or a file beside it cannot be opened", make_writable(file))
        }
        Some(ErrorCode::SystemIoFailure) => {
            ("reading or writing it failed", format!("look at its disk: space (`df {name}`), errors (`dmesg`)"))
        }
        _ => ("SQLite refused", "report this, it is an error of the program".to_owned()),
    };
    let problem = format!("cannot use the store {name}: {problem} ({error})");
    StoreError::Unavailable { problem, help, source: Some(error.into()) }
}

/// Opening, or making, a file of the store failed.
pub(super) fn of_system(file: &Path, error: io::Error) -> StoreError {
    let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let help = if is_full { free_space(file) } else { make_writable(file) };
    let problem = format!("cannot open the store {}: {error}", file.display());
    StoreError::Unavailable { problem, help, source: Some(error.into()) }
}

/// The file is something else.
pub(super) fn no_store(file: &Path, problem: &str) -> StoreError {
    StoreError::Corrupt {
        what: format!("{} is no store: {problem}", file.display()),
        help: "name another file as the store, or move this one away".to_owned(),
    }
}

/// The file may only be read.
pub(super) fn read_only(file: &Path) -> StoreError {
    StoreError::Unavailable {
        problem: format!("cannot use the store {}: it cannot be written", file.display()),
        help: make_writable(file),
        source: None,
    }
}

fn damaged(file: &Path, problem: &str) -> StoreError {
    StoreError::Corrupt {
        what: format!("the store {} is damaged: {problem}", file.display()),
        help: "move it away and put a backup in its place, or apply the services again".to_owned(),
    }
}

fn free_space(file: &Path) -> String {
    format!("free space: `df {}` shows the file system; nothing was changed", file.display())
}

fn make_writable(file: &Path) -> String {
    let directory = file.parent().unwrap_or(file).display();
    format!("let the user of this program write {} and in {directory}, on a file system mounted rw", file.display())
}
