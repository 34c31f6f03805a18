//! Commits, one after the other.

use super::*;

pub(in super::super) async fn store_without_commits_is_empty<P: Place>() {
    let place = P::new();
    let store = place.open().await;
    assert_eq!(store.head().await.expect("head"), None);
    assert_eq!(store.record(1).await.expect("record"), None);
    assert_eq!(store.manifest(1).await.expect("manifest"), None);
    assert_eq!(store.records(None, 10).await.expect("records"), []);
    assert_eq!(store.chunks(Vec::new()).await.expect("chunks"), []);
    let facts = store.facts().await.expect("facts");
    assert_eq!((facts.revisions, facts.chunks), (0, 0));
    assert_eq!(conflict(commit(&store, Some(1), "{}").await), None);
    assert_eq!(Repository::new(store).load_head().await.expect("head"), None);
}

pub(in super::super) async fn first_commit_is_revision_one<P: Place>() {
    let place = P::new();
    let store = place.open().await;
    let (draft, chunks) = draft("{}");
    let made = store.commit(None, draft.clone(), chunks.clone()).await.expect("commit");
    assert_eq!(made, draft.clone().after(None).0);
    assert_eq!((made.revision, made.parent), (1, None));
    assert_eq!(store.head().await.expect("head"), Some(made.clone()));
    assert_eq!(store.record(1).await.expect("record"), Some(made));
    assert_eq!(store.manifest(1).await.expect("manifest"), Some(draft.manifest));
    assert_eq!(store.chunks(vec![chunks[0].id()]).await.expect("chunks"), chunks);
}

pub(in super::super) async fn commit_for_another_head_conflicts_and_changes_nothing<P: Place>() {
    let place = P::new();
    let store = place.open().await;
    commit(&store, None, "one").await.expect("commit");
    commit(&store, Some(1), "two").await.expect("commit");
    let before = (store.head().await.expect("head"), store.facts().await.expect("facts"));
    for base in [None, Some(1), Some(3), Some(u64::MAX)] {
        assert_eq!(conflict(commit(&store, base, "three").await), Some(2), "{base:?}");
    }
    assert_eq!((store.head().await.expect("head"), store.facts().await.expect("facts")), before);
}

pub(in super::super) async fn identical_chunks_are_stored_once<P: Place>() {
    let place = P::new();
    let repository = Repository::new(place.open().await);
    let mut head = repository.commit(None, vips(3000), author(), "apply").await.expect("commit");
    assert_eq!(repository.store().facts().await.expect("facts").chunks, count(head.record.revision, &repository).await);
    let original = head.documents.clone();
    for n in 0..4 {
        // There and back again: the second way has no new chunk.
        let mut changed = original.clone();
        changed.remove(&vip(7));
        head = repository.commit(Some(&head), changed, author(), "vip delete").await.expect("commit");
        head = repository.commit(Some(&head), original.clone(), author(), "rollback").await.expect("commit");
        let facts = repository.store().facts().await.expect("facts");
        assert_eq!(facts.revisions, 3 + 2 * n);
        assert_eq!(facts.chunks, count(1, &repository).await + 1);
    }
}

async fn count(revision: Revision, repository: &Repository<impl Store>) -> u64 {
    let manifest = repository.store().manifest(revision).await.expect("manifest").expect("there");
    manifest.iter().count() as u64
}

pub(in super::super) async fn missing_chunk_is_corrupt<P: Place>() {
    let place = P::new();
    let store = place.open().await;
    let (draft, chunks) = draft("{}");
    store.commit(None, draft, Vec::new()).await.expect("the store does not look");
    let error = store.chunks(vec![chunks[0].id()]).await.expect_err("missing");
    assert!(
        matches!(&error, StoreError::Corrupt { what, .. } if what.contains(&chunks[0].id().to_string())),
        "{error}"
    );
    let error = Repository::new(store).load_head().await.expect_err("missing");
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

pub(in super::super) async fn reopened_store_has_what_was_committed<P: Place>() {
    let place = P::new();
    let repository = Repository::new(place.open().await);
    let first = repository.commit(None, vips(5), author(), "apply").await.expect("commit");
    drop(repository);
    let repository = Repository::new(place.open().await);
    assert_eq!(repository.load_head().await.expect("head"), Some(first.clone()));
    let second = repository.commit(Some(&first), vips(6), author(), "apply").await.expect("commit");
    assert_eq!((second.record.revision, second.record.parent), (2, Some(1)));
    assert_eq!((second.record.created, second.record.updated, second.record.deleted), (1, 0, 0));
    drop(repository);
    assert_eq!(Repository::new(place.open().await).load_head().await.expect("head"), Some(second));
}
