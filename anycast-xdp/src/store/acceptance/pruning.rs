//! Old revisions go away.

use std::num::NonZero;

use super::*;

fn keep(count: u64) -> NonZero<u64> {
    count.try_into().expect("not zero")
}

pub(in super::super) async fn pruned_revisions_are_gone_and_kept_ones_whole<P: Place>() {
    let place = P::new();
    let repository = Repository::new(place.open().await);
    let store = repository.store();
    assert_eq!(store.prune(keep(1)).await.expect("prune"), Pruned::default(), "an empty store");
    let mut snapshots = Vec::new();
    for n in 0..10 {
        // Chunks of revision 1 are those of revision 10 again.
        let mut documents = vips(500);
        documents.remove(&vip(n % 9));
        snapshots.push(repository.commit(snapshots.last(), documents, author(), "apply").await.expect("commit"));
    }
    assert_eq!(store.prune(keep(10)).await.expect("prune"), Pruned::default(), "there are no more");
    assert_eq!(store.prune(keep(u64::MAX)).await.expect("prune"), Pruned::default());
    let all = chunks_of(store, 1..=10).await;
    let pruned = store.prune(keep(3)).await.expect("prune");
    assert_eq!(pruned.revisions, 7);
    let facts = store.facts().await.expect("facts");
    assert_eq!(facts.revisions, 3);
    let kept = chunks_of(store, 8..=10).await;
    assert_eq!(facts.chunks, kept.len() as u64, "what nothing names is gone");
    assert_eq!(pruned.chunks, (all.len() - kept.len()) as u64);
    assert!(pruned.chunks > 1, "{pruned:?}");

    for (revision, snapshot) in (1..).zip(&snapshots) {
        let loaded = repository.load(revision).await.expect("load");
        assert_eq!(loaded.as_ref(), Some(snapshot).filter(|_| revision > 7), "{revision}");
    }
    assert_eq!(repository.load_head().await.expect("head").as_ref(), snapshots.last());
    assert_eq!(store.records(None, 99).await.expect("records").len(), 3);
    let made = repository.commit(snapshots.last(), vips(1), author(), "apply").await.expect("commit");
    assert_eq!(made.record.revision, 11, "numbers go on");
    assert_eq!(store.prune(keep(1)).await.expect("prune").revisions, 3);
    assert_eq!(store.facts().await.expect("facts").chunks, 1);
}

/// Distinct ids of these revisions.
async fn chunks_of(store: &impl Store, revisions: std::ops::RangeInclusive<Revision>) -> Vec<ChunkId> {
    let mut ids = Vec::new();
    for revision in revisions {
        let manifest = store.manifest(revision).await.expect("manifest").expect("there");
        ids.extend(manifest.iter().map(|(_, id)| id));
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Both ways that a repository may know the manifest of its base: from memory and from the store.
pub(in super::super) async fn base_that_was_pruned_conflicts<P: Place>() {
    let place = P::new();
    let (behind, ahead) = (Repository::new(place.open().await), Repository::new(place.open().await));
    let old = behind.commit(None, vips(20), author(), "apply").await.expect("commit");
    let new = ahead.commit(Some(&old), Documents::default(), author(), "apply").await.expect("commit");
    ahead.store().prune(keep(1)).await.expect("prune");
    for repository in [&behind, &ahead] {
        let made = repository.commit(Some(&old), vips(21), author(), "apply").await;
        assert_eq!(conflict(made), Some(2));
    }
    assert_eq!(behind.load_head().await.expect("head"), Some(new));
}
