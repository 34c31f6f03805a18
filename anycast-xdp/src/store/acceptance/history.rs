//! Revisions that are not the head.

use super::*;

pub(in super::super) async fn history_comes_in_pages<P: Place>() {
    let place = P::new();
    let store = place.open().await;
    let mut all = Vec::new();
    for base in [None].into_iter().chain((1..10).map(Some)) {
        let (draft, chunks) = draft("{}");
        all.insert(0, store.commit(base, draft, chunks).await.expect("commit"));
    }
    assert_eq!(store.records(None, usize::MAX).await.expect("records"), all);
    assert_eq!(store.records(None, 0).await.expect("records"), []);
    assert_eq!(store.records(Some(1), 5).await.expect("records"), []);
    assert_eq!(store.records(Some(99), 2).await.expect("records"), all[..2]);
    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let page = store.records(before, 3).await.expect("records");
        let Some(last) = page.last() else { break };
        before = Some(last.revision);
        pages.push(page);
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 3, 1]);
    assert_eq!(pages.concat(), all);
}

pub(in super::super) async fn old_revisions_stay_what_they_were<P: Place>() {
    let place = P::new();
    let repository = Repository::new(place.open().await);
    let mut snapshots = Vec::new();
    for n in 0..6 {
        let mut documents = vips(200 + n);
        documents.remove(&vip(n));
        let made = repository.commit(snapshots.last(), documents, author(), &format!("change {n}")).await;
        snapshots.push(made.expect("commit"));
    }
    for snapshot in snapshots {
        assert_eq!(repository.load(snapshot.record.revision).await.expect("load"), Some(snapshot));
    }
    for revision in [0, 7, u64::MAX] {
        assert_eq!(repository.load(revision).await.expect("load"), None);
    }
}

pub(in super::super) async fn clock_that_jumps_back_does_not_disturb_the_order<P: Place>() {
    let place = P::new();
    let store = place.open().await;
    let times = [5_000, 4_000, u64::MAX, 0, 4_500];
    for (base, at_unix_ms) in [None, Some(1), Some(2), Some(3), Some(4)].into_iter().zip(times) {
        let (draft, chunks) = draft("{}");
        store.commit(base, Draft { at_unix_ms, ..draft }, chunks).await.expect("commit");
        assert_eq!(store.head().await.expect("head").expect("some").at_unix_ms, at_unix_ms);
    }
    let records = store.records(None, 10).await.expect("records");
    let told: Vec<_> = records.iter().rev().map(|record| (record.revision, record.at_unix_ms)).collect();
    assert_eq!(told, (1..).zip(times).collect::<Vec<_>>());
    store.prune(2.try_into().expect("not zero")).await.expect("prune");
    let kept = store.records(None, 10).await.expect("records");
    assert_eq!(kept.iter().map(|record| record.revision).collect::<Vec<_>>(), [5, 4], "the newest by number");
}
