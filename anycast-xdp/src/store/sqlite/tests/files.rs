//! What may be in the place of the store.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt as _, PermissionsExt as _},
};

use super::*;
use crate::store::{Repository, acceptance};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

#[tokio::test]
async fn missing_directory_and_file_are_made_for_user_and_group() {
    let place = Directory::new();
    let directory = place.0.path().join("state");
    let file = directory.join("store.db");
    let store = SqliteStore::open(&file).await.expect("a store");
    commit(&store, None, "{}").await.expect("commit");
    assert_eq!(mode(&directory) & 0o027, 0, "{:o}", mode(&directory));
    for suffix in ["", "-wal", "-shm"] {
        let file = PathBuf::from(format!("{}{suffix}", file.display()));
        assert_eq!(mode(&file) & 0o137, 0, "{}: {:o}", file.display(), mode(&file));
    }
    let facts = store.facts().await.expect("facts");
    assert_eq!((facts.revisions, facts.chunks), (1, 1));
    assert!(facts.size_bytes > 4096, "{facts:?}");
}

#[tokio::test]
async fn empty_file_becomes_a_store() {
    let place = Directory::new();
    File::create(place.file()).expect("a file");
    place.open().await;
}

#[tokio::test]
async fn what_is_no_store_is_refused_and_left_alone() {
    let place = Directory::new();
    let error = refusal(place.0.path()).await;
    assert!(error.to_string().ends_with("it is a directory"), "{error}");

    let text = place.0.path().join("services.toml");
    fs::write(&text, "[[vip]]\nname = \"web\"\n".repeat(100)).expect("write");
    let error = refusal(&text).await;
    assert!(matches!(error, StoreError::Corrupt { .. }) && error.to_string().contains("no SQLite database"), "{error}");
    assert!(fs::read_to_string(&text).expect("read").starts_with("[[vip]]"));

    let other = place.0.path().join("other.db");
    Connection::open(&other)
        .and_then(|other| other.execute_batch("CREATE TABLE songs (name TEXT)"))
        .expect("a database");
    let before = fs::read(&other).expect("read");
    let error = refusal(&other).await;
    assert!(error.to_string().contains("the database of another program"), "{error}");
    assert_eq!(fs::read(&other).expect("read"), before);

    let error = refusal(&text.join("store.db")).await;
    assert!(matches!(error, StoreError::Unavailable { .. }), "below a file: {error}");
}

#[tokio::test]
async fn locked_store_says_so() {
    let place = Directory::new();
    let store = place.open().await;
    let mut other = Connection::open(place.file()).expect("open");
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).expect("a lock");
    let error = commit(&store, None, "{}").await.expect_err("locked");
    is_clear(&error, &place.file());
    assert!(error.to_string().contains("another program has locked it"), "{error}");
    drop(lock);
    commit(&store, None, "{}").await.expect("commit");
}

/// Whatever bytes are lost, nothing wrong is read: an error that says so, or what was committed.
#[tokio::test]
async fn damaged_store_is_never_read_as_something_else() {
    let place = Directory::new();
    let repository = Repository::new(place.open().await);
    let committed =
        repository.commit(None, acceptance::vips(3000), acceptance::author(), "apply").await.expect("commit");
    drop(repository);
    let whole = fs::read(place.file()).expect("read");
    let mut refused = 0;
    let pages = whole.len() / 4096;
    for page in 0..pages.min(60) {
        let at = page * pages / pages.min(60) * 4096;
        fs::write(place.file(), &whole).expect("write");
        let file = File::options().write(true).open(place.file()).expect("open");
        file.write_all_at(&[0xA5; 700], at as u64 + 1000).expect("write");
        drop(file);
        refused += u32::from(is_refused(&place, &committed).await);
    }
    println!("{refused} of {} damages were seen", pages.min(60));
    assert!(refused > 30, "{refused} of {pages} pages");

    fs::write(place.file(), &whole[..whole.len() / 2]).expect("write");
    assert!(is_refused(&place, &committed).await, "half of it");
}

async fn is_refused(place: &Directory, committed: &crate::store::Snapshot) -> bool {
    let loaded = match SqliteStore::open(place.file()).await {
        Ok(store) => Repository::new(store).load_head().await,
        Err(error) => Err(error),
    };
    match loaded {
        Ok(loaded) => {
            assert_eq!(loaded.as_ref().map(|it| &it.documents), Some(&committed.documents));
            false
        }
        Err(error) => {
            assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
            true
        }
    }
}
