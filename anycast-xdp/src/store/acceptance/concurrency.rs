//! Commits at the same time.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::*;

const ROUNDS: u64 = 10;

/// Two tasks of each of three handles.
pub(in super::super) async fn one_of_several_commits_wins_each_round<P: Place>() {
    let place = P::new();
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(Arc::new(place.open().await));
    }
    for round in 0..ROUNDS {
        let base = round.checked_sub(1).map(|_| round);
        let mut tasks = JoinSet::new();
        for (task, store) in stores.iter().chain(&stores).enumerate() {
            let store = Arc::clone(store);
            let body = format!("round {round} task {task}");
            tasks.spawn(async move { (commit(store.as_ref(), base, &body).await, body) });
        }
        let (won, lost): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().partition(|(made, _)| made.is_ok());
        let [(Ok(revision), body)] = &won[..] else { panic!("winners: {won:?}") };
        assert_eq!(*revision, round + 1);
        for (made, _) in lost {
            assert_eq!(conflict(made), Some(*revision));
        }
        for store in &stores {
            let head = store.head().await.expect("head").expect("some");
            assert_eq!((head.revision, head.parent), (*revision, base));
            let manifest = store.manifest(head.revision).await.expect("manifest").expect("there");
            assert_eq!(manifest.get(0), Some(Chunk::new(body.clone().into()).id()), "the winner's");
        }
    }
    // The losers' chunks are not there.
    assert_eq!(stores[0].facts().await.expect("facts").chunks, ROUNDS);
}
