//! What every store has to do. An implementation says where its stores are, and runs all of it: see `sqlite/tests`.

mod concurrency;
mod documents;
mod history;
mod pruning;
mod revisions;
mod size;

use serde_json::json;

use super::{Author, BUCKETS, Chunk, ChunkId, Draft, Manifest, Pruned, Repository, Revision, Store, StoreError};
use crate::documents::{Documents, Key, Kind};

pub(super) use self::{
    concurrency::one_of_several_commits_wins_each_round,
    documents::documents_come_out_as_they_went_in,
    history::{
        clock_that_jumps_back_does_not_disturb_the_order, history_comes_in_pages, old_revisions_stay_what_they_were,
    },
    pruning::{base_that_was_pruned_conflicts, pruned_revisions_are_gone_and_kept_ones_whole},
    revisions::{
        commit_for_another_head_conflicts_and_changes_nothing, first_commit_is_revision_one,
        identical_chunks_are_stored_once, missing_chunk_is_corrupt, reopened_store_has_what_was_committed,
        store_without_commits_is_empty,
    },
    size::one_change_among_a_hundred_thousand_writes_one_chunk,
};

/// Somewhere to keep a store, empty at first. It goes away with this.
pub(super) trait Place: Send + Sync {
    /// What is kept there.
    type Store: Store;

    /// Another one.
    fn new() -> Self;

    /// A new handle of the same store, as another process has it.
    fn open(&self) -> impl Future<Output = Self::Store> + Send;
}

/// A test for each acceptance function, in the place that is named.
macro_rules! acceptance_tests {
    ($place:ty: $($name:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                $crate::store::acceptance::$name::<$place>().await;
            }
        )+
    };
    ($place:ty) => {
        $crate::store::acceptance::acceptance_tests! { $place:
            store_without_commits_is_empty,
            first_commit_is_revision_one,
            commit_for_another_head_conflicts_and_changes_nothing,
            identical_chunks_are_stored_once,
            missing_chunk_is_corrupt,
            reopened_store_has_what_was_committed,
            one_of_several_commits_wins_each_round,
            history_comes_in_pages,
            old_revisions_stay_what_they_were,
            clock_that_jumps_back_does_not_disturb_the_order,
            pruned_revisions_are_gone_and_kept_ones_whole,
            base_that_was_pruned_conflicts,
            documents_come_out_as_they_went_in,
            one_change_among_a_hundred_thousand_writes_one_chunk,
        }
    };
}
pub(super) use acceptance_tests;

pub(super) fn author() -> Author {
    Author { uid: 1000, gid: 100, pid: 42, user: Some("ada".to_owned()) }
}

/// A revision of one chunk, which holds `body`.
pub(super) fn draft(body: &str) -> (Draft, Vec<Chunk>) {
    let chunk = Chunk::new(body.into());
    let mut manifest = Manifest::default();
    manifest.set(0, Some(chunk.id()));
    let (author, action) = (author(), "apply".to_owned());
    (Draft { at_unix_ms: 1, author, action, created: 3, updated: 2, deleted: 1, manifest }, vec![chunk])
}

/// Commits a revision of one chunk.
pub(super) async fn commit(store: &impl Store, base: Option<Revision>, body: &str) -> Result<Revision, StoreError> {
    let (draft, chunks) = draft(body);
    Ok(store.commit(base, draft, chunks).await?.revision)
}

/// The head of a conflict.
pub(super) fn conflict<T: std::fmt::Debug>(result: Result<T, StoreError>) -> Option<Revision> {
    match result {
        Err(StoreError::Conflict { head }) => head,
        other => panic!("no conflict: {other:?}"),
    }
}

/// VIPs from `vip-0` on, each with its number.
pub(super) fn vips(count: u32) -> Documents {
    let document = |n: u32| {
        json!({
            "address": format!("fd00::{:x}:{:x}", n >> 16, n & 0xffff), "listeners": ["tcp/443", "udp/443"],
            "pool": format!("pool-{}", n % 1000), "version": n
        })
    };
    let vip = |n| (vip(n), document(n).as_object().expect("an object").clone());
    (0..count).map(vip).collect()
}

/// The key of `vip-n`.
pub(super) fn vip(n: u32) -> Key {
    Key::new(Kind::Vip, format!("vip-{n}"))
}
