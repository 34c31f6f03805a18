//! File systems without space and without writing, each in a process with mounts of its own.

use super::*;
use crate::store::{Repository, acceptance};

/// Runs this test again with its own mounts, and an empty directory to mount on. False: this is that process, or there
/// can be none.
fn runs_with_own_mounts(test: &str) -> bool {
    if given().is_some() {
        return false;
    }
    let may_mount = Command::new("unshare").args(["--mount", "true"]).output().is_ok_and(|end| end.status.success());
    if !may_mount {
        println!("SKIPPED {test}: needs root");
        return true;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let end = child(&["unshare", "--mount"], &format!("mounts::{test}"), directory.path()).output().expect("a child");
    let told = String::from_utf8_lossy(&end.stdout);
    println!("{told}{}", String::from_utf8_lossy(&end.stderr));
    assert!(end.status.success() && told.contains("1 passed"), "{test} failed with its own mounts");
    true
}

fn mount(words: &[&str], at: &Path) {
    let status = Command::new("mount").args(words).arg(at).status().expect("mount");
    assert!(status.success(), "mount {words:?}");
}

#[tokio::test]
async fn full_disk_is_told_and_changes_nothing() {
    if runs_with_own_mounts("full_disk_is_told_and_changes_nothing") {
        return;
    }
    let Some(directory) = given() else { return };
    mount(&["-t", "tmpfs", "-o", "size=2m", "tmpfs"], &directory);
    let file = directory.join("store.db");
    let repository = Repository::new(SqliteStore::open(&file).await.expect("a store"));
    let mut head = None;
    let mut count = 0;
    let error = loop {
        count += 100;
        match repository.commit(head.as_ref(), acceptance::vips(count), acceptance::author(), "apply").await {
            Ok(made) => head = Some(made),
            Err(error) => break error,
        }
    };
    println!("after {count} VIPs: {error}\n  help: {}", error.help());
    is_clear(&error, &file);
    assert!(matches!(&error, StoreError::Unavailable { problem, .. } if problem.contains("no space left")), "{error}");
    assert!(head.is_some(), "a few went in");
    assert_eq!(repository.load_head().await.expect("head"), head);
    drop(repository);
    let repository = Repository::new(SqliteStore::open(&file).await.expect("it opens"));
    assert_eq!(repository.load_head().await.expect("head"), head);

    mount(&["-o", "remount,size=64m"], &directory);
    let made = repository.commit(head.as_ref(), acceptance::vips(count), acceptance::author(), "apply").await;
    let made = made.expect("with space it goes on");
    assert_eq!(made.record.parent, head.map(|head| head.record.revision));
    assert_eq!(repository.load_head().await.expect("head"), Some(made));
}

#[tokio::test]
async fn no_space_for_a_new_store_is_told() {
    if runs_with_own_mounts("no_space_for_a_new_store_is_told") {
        return;
    }
    let Some(directory) = given() else { return };
    mount(&["-t", "tmpfs", "-o", "size=64k", "tmpfs"], &directory);
    fs::write(directory.join("other"), vec![0; 65_536]).expect("fill");
    let error = refusal(&directory.join("store.db")).await;
    println!("{error}\n  help: {}", error.help());
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    fs::remove_file(directory.join("other")).expect("remove");
    mount(&["-o", "remount,size=1m"], &directory);
    SqliteStore::open(directory.join("store.db")).await.expect("a store");
}

#[tokio::test]
async fn read_only_file_system_is_told_and_changes_nothing() {
    if runs_with_own_mounts("read_only_file_system_is_told_and_changes_nothing") {
        return;
    }
    let Some(directory) = given() else { return };
    mount(&["-t", "tmpfs", "tmpfs"], &directory);
    let file = directory.join("store.db");
    let store = SqliteStore::open(&file).await.expect("a store");
    commit(&store, None, "{}").await.expect("commit");
    drop(store);
    mount(&["-o", "remount,ro"], &directory);
    for file in [file.clone(), directory.join("new.db"), directory.join("new/store.db")] {
        let error = refusal(&file).await;
        println!("{error}\n  help: {}", error.help());
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    }
    mount(&["-o", "remount,rw"], &directory);
    let store = SqliteStore::open(&file).await.expect("a store");
    assert_eq!(store.head().await.expect("head").map(|head| head.revision), Some(1));
}
