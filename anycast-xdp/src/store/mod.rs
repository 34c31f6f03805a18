//! The store: every revision of the services, and one head.
//!
//! A revision is a [`Manifest`] of chunks and a [`Record`] of who made it. Chunks are known by the SHA-256 of what they
//! hold, and are never changed: revisions share those that they agree on. The head is the newest revision, and is
//! replaced by compare-and-swap. [`Repository`] makes documents of that, on any [`Store`].

mod author;
mod chunk;
mod difference;
mod error;
mod manifest;
mod repository;
mod sqlite;

#[cfg(test)]
mod acceptance;

use std::num::NonZero;

use serde::{Deserialize, Serialize};

pub use self::{
    author::Author,
    chunk::{BUCKETS, Chunk, ChunkId, MAX_CHUNK_BYTES, bucket_of},
    difference::{Change, difference},
    error::StoreError,
    manifest::Manifest,
    repository::{Repository, Snapshot},
    sqlite::SqliteStore,
};

/// Number of a revision: 1 for the first one, and one more for each that follows.
pub type Revision = u64;

/// What is told of a revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number.
    pub revision: Revision,
    /// The one that it was made from; none: there was nothing.
    pub parent: Option<Revision>,
    /// When it was made, in milliseconds since 1970 by the clock of its author's host. Clocks jump: the order is that of
    /// the numbers.
    pub at_unix_ms: u64,
    /// Who made it.
    pub author: Author,
    /// How: `apply`, `vip bind web` and the like.
    pub action: String,
    /// Number of objects that it added.
    pub created: u64,
    /// Number of objects that it changed.
    pub updated: u64,
    /// Number of objects that it removed.
    pub deleted: u64,
}

/// A revision that has no number yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// When it is made, in milliseconds since 1970.
    pub at_unix_ms: u64,
    /// Who makes it.
    pub author: Author,
    /// How.
    pub action: String,
    /// Number of objects that it adds.
    pub created: u64,
    /// Number of objects that it changes.
    pub updated: u64,
    /// Number of objects that it removes.
    pub deleted: u64,
    /// All of its chunks.
    pub manifest: Manifest,
}

impl Draft {
    /// The record of this draft as the revision after `parent`, and its manifest.
    pub fn after(self, parent: Option<Revision>) -> (Record, Manifest) {
        let Self { at_unix_ms, author, action, created, updated, deleted, manifest } = self;
        let revision = parent.unwrap_or(0) + 1;
        (Record { revision, parent, at_unix_ms, author, action, created, updated, deleted }, manifest)
    }
}

/// What [`Store::prune`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Number of revisions.
    pub revisions: u64,
    /// Number of chunks.
    pub chunks: u64,
}

/// How large a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Number of revisions that are kept.
    pub revisions: u64,
    /// Number of distinct chunks that they name.
    pub chunks: u64,
    /// Bytes that the store occupies, with what is free for reuse in it.
    pub size_bytes: u64,
}

/// Where revisions are kept. Whoever has a copy of the same place sees the same revisions: another handle, process or host.
pub trait Store: Send + Sync + 'static {
    /// The newest revision; none: nothing was ever committed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    fn head(&self) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;

    /// A revision; none: it is not there yet, or not any more.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    fn record(&self, revision: Revision) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;

    /// The chunks of a revision; none: it is not there yet, or not any more.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    fn manifest(&self, revision: Revision) -> impl Future<Output = Result<Option<Manifest>, StoreError>> + Send;

    /// Chunks by their ids, in the order of these, each with the hash that it has to have.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`]: one is not there, or is another one.
    fn chunks(&self, ids: Vec<ChunkId>) -> impl Future<Output = Result<Vec<Chunk>, StoreError>> + Send;

    /// Makes the draft the revision after `base`, which is the head or, without a head, `None`. `chunks` are those of the
    /// draft that `base` does not have; the store may have them of another revision. Everything is there when this
    /// returns a record. It is made whole or not at all.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`]: the head is another one. [`StoreError::Unavailable`]: it was most likely not made, and the
    /// head tells. [`StoreError::Corrupt`].
    fn commit(
        &self,
        base: Option<Revision>,
        draft: Draft,
        chunks: Vec<Chunk>,
    ) -> impl Future<Output = Result<Record, StoreError>> + Send;

    /// At most `limit` revisions that are older than `before`, the newest first; without `before` from the head on.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    fn records(
        &self,
        before: Option<Revision>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Record>, StoreError>> + Send;

    /// Removes all but the `keep` newest revisions, and the chunks that only they had.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`]; nothing was removed.
    fn prune(&self, keep: NonZero<u64>) -> impl Future<Output = Result<Pruned, StoreError>> + Send;

    /// How large it is.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    fn facts(&self) -> impl Future<Output = Result<Facts, StoreError>> + Send;
}
