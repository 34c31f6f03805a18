//! The embedded store does what every store has to, and what only a file can do to it.

mod crash;
mod files;
mod migrations;
mod mounts;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::*;
use crate::store::acceptance::{Place, acceptance_tests, commit};

acceptance_tests!(Directory);

/// A directory with a store.
struct Directory(TempDir);

impl Directory {
    fn file(&self) -> PathBuf {
        self.0.path().join("store.db")
    }
}

impl Place for Directory {
    type Store = SqliteStore;

    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    async fn open(&self) -> SqliteStore {
        SqliteStore::open(self.file()).await.expect("a store")
    }
}

/// The error of opening `file`; it names the file and says what to do.
async fn refusal(file: &Path) -> StoreError {
    let error = SqliteStore::open(file).await.expect_err("refused");
    is_clear(&error, file);
    error
}

fn is_clear(error: &StoreError, file: &Path) {
    let message = error.to_string();
    assert!(message.contains(&file.display().to_string()), "{message}");
    assert!(!error.help().is_empty() && !error.help().contains("report this"), "{message}: {}", error.help());
}

/// This test in a process of its own, with the path of its store in [`CHILD`]. `before`: what starts it.
fn child(before: &[&str], test: &str, path: &Path) -> Command {
    let program = std::env::current_exe().expect("this program");
    let mut words = before.iter().map(std::ffi::OsStr::new).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words).args([&format!("store::sqlite::tests::{test}"), "--exact", "--nocapture"]).env(CHILD, path);
    command
}

/// What [`child`] was given; none: this process is no child.
fn given() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

const CHILD: &str = "ANYCAST_XDP_TEST_STORE";
