//! Killed at any instant, the store is whole.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    thread,
    time::Duration,
};

use super::*;
use crate::{
    documents::{Documents, Key, Kind},
    store::{Repository, acceptance::author},
};

const KILLS: u32 = 50;

/// Objects of each revision: each has its number, so that a mixture of two would be seen.
const OBJECTS: u32 = 40;

fn documents(revision: Revision) -> Documents {
    let number = serde_json::json!({ "revision": revision });
    let object = |n| (Key::new(Kind::Vip, format!("vip-{n}")), number.as_object().expect("an object").clone());
    (0..OBJECTS).map(object).collect()
}

/// Commits until it is killed, and says so of each revision. Prunes as well: that is interrupted, too.
#[tokio::test]
async fn child_that_commits() {
    let Some(file) = given() else { return };
    let repository = Repository::new(SqliteStore::open(file).await.expect("a store"));
    let mut head = repository.load_head().await.expect("head");
    loop {
        let next = head.as_ref().map_or(1, |head| head.record.revision + 1);
        let made = repository.commit(head.as_ref(), documents(next), author(), "apply").await.expect("commit");
        println!("committed {}", made.record.revision);
        head = Some(made);
        if next.is_multiple_of(5) {
            repository.store().prune(10.try_into().expect("not zero")).await.expect("prune");
        }
    }
}

#[tokio::test]
async fn store_is_whole_after_kills_at_any_instant() {
    let place = Directory::new();
    let mut known = 0;
    for kill in 0..KILLS {
        let mut child = child(&[], "crash::child_that_commits", &place.file());
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("its stdout"));
        let reader = thread::spawn(move || {
            let lines = lines.lines().map_while(Result::ok);
            let told = lines.filter_map(|line| line.rsplit_once("committed ")?.1.parse::<Revision>().ok());
            told.last()
        });
        // From before it has opened the store to many commits later, in steps that share no period with commits.
        thread::sleep(Duration::from_micros(u64::from(kill) * 4_987 % 211_003));
        child.kill().expect("kill");
        let end = child.wait_with_output().expect("its end");
        assert_eq!(end.status.code(), None, "it ended by itself: {}", String::from_utf8_lossy(&end.stderr));
        known = reader.join().expect("a reader").unwrap_or(known);

        let repository = Repository::new(place.open().await);
        let Some(head) = repository.load_head().await.expect("a whole head") else {
            assert_eq!(known, 0, "a committed revision is gone");
            continue;
        };
        let revision = head.record.revision;
        assert!(revision == known || revision == known + 1, "{known} was committed, the head is {revision}");
        known = revision;
        for record in repository.store().records(None, usize::MAX).await.expect("records") {
            let snapshot = repository.load(record.revision).await.expect("whole").expect("there");
            assert_eq!(snapshot.documents, documents(record.revision));
        }
        // Pages that nothing refers to would be seen here as well.
        let check = repository
            .store()
            .run(|connection| Ok(connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))?));
        assert_eq!(check.await.expect("a check"), "ok");
    }
    println!("{KILLS} kills, {known} revisions");
    assert!(known > u64::from(KILLS), "it was killed before it did anything: {known}");
}
