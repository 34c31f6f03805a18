//! Documents in a store.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    Author, Change, Chunk, Draft, Manifest, Record, Revision, Store, StoreError, bucket_of, chunk::Objects, difference,
};
use crate::documents::{Document, Documents, Key};

/// The services of a revision, and who made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Which revision it is.
    pub record: Record,
    /// Its services.
    pub documents: Documents,
}

/// Documents in a store: loads whole revisions, and writes of a new one the chunks that are different.
#[derive(Debug)]
pub struct Repository<S> {
    store: S,
    /// The manifest of the last revision that was loaded or made here, which is the base of most commits.
    newest: Mutex<Option<(Revision, Arc<Manifest>)>>,
}

impl<S: Store> Repository<S> {
    /// The documents in `store`.
    pub fn new(store: S) -> Self {
        Self { store, newest: Mutex::new(None) }
    }

    /// Where they are.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The newest revision; none: there is none yet.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn load_head(&self) -> Result<Option<Snapshot>, StoreError> {
        // The head may be pruned while it is loaded, if others commit; then there is a newer one.
        while let Some(record) = self.store.head().await? {
            if let Some(snapshot) = self.load_record(record).await? {
                return Ok(Some(snapshot));
            }
        }
        Ok(None)
    }

    /// A revision; none: it is not there yet, or not any more.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn load(&self, revision: Revision) -> Result<Option<Snapshot>, StoreError> {
        match self.store.record(revision).await? {
            Some(record) => self.load_record(record).await,
            None => Ok(None),
        }
    }

    /// Makes `documents` the revision after `base`, which was loaded or made by this repository or another one of the
    /// same store; `None`: the store is empty. The revision is made even if nothing is different.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`]: the head is not `base`. [`StoreError::TooLarge`], [`StoreError::Unavailable`],
    /// [`StoreError::Corrupt`].
    pub async fn commit(
        &self,
        base: Option<&Snapshot>,
        documents: Documents,
        author: Author,
        action: &str,
    ) -> Result<Snapshot, StoreError> {
        let parent = base.map(|base| base.record.revision);
        let nothing = Documents::default();
        let changes = difference(base.map_or(&nothing, |base| &base.documents), &documents);
        let count =
            |wanted: fn(&Change<'_>) -> bool| changes.iter().filter(|(_, change)| wanted(change)).count() as u64;
        let mut draft = Draft {
            at_unix_ms: now_unix_ms(),
            author,
            action: action.to_owned(),
            created: count(|change| matches!(change, Change::Created(_))),
            updated: count(|change| matches!(change, Change::Updated { .. })),
            deleted: count(|change| matches!(change, Change::Deleted(_))),
            manifest: match parent {
                Some(parent) => self.manifest_of_base(parent).await?.as_ref().clone(),
                None => Manifest::default(),
            },
        };
        let chunks = match self.change(&mut draft.manifest, changes).await {
            // Chunks that went away with the base are not missing.
            Err(StoreError::Corrupt { .. }) if self.head().await? != parent => return Err(self.conflict().await?),
            chunks => chunks?,
        };
        let manifest = Arc::new(draft.manifest.clone());
        let record = self.store.commit(parent, draft, chunks).await?;
        self.remember(record.revision, manifest);
        Ok(Snapshot { record, documents })
    }

    /// Makes the changes in a manifest; returns its new chunks. What else is in a bucket is taken from its old chunk, not
    /// from the documents: to find it among 100,000 would need the hash of each name.
    async fn change(
        &self,
        manifest: &mut Manifest,
        changes: Vec<(&Key, Change<'_>)>,
    ) -> Result<Vec<Chunk>, StoreError> {
        let mut by_bucket = BTreeMap::<u16, Vec<(&Key, Option<&Document>)>>::new();
        for (key, change) in changes {
            let after = match change {
                Change::Created(after) | Change::Updated { after, .. } => Some(after),
                Change::Deleted(_) => None,
            };
            by_bucket.entry(bucket_of(key)).or_default().push((key, after));
        }
        let mut old =
            self.objects(manifest.iter().filter(|(bucket, _)| by_bucket.contains_key(bucket)).collect()).await?;
        let mut chunks = Vec::new();
        for (bucket, changes) in by_bucket {
            let mut objects = old.remove(&bucket).unwrap_or_default();
            for (key, after) in changes {
                let named = objects.entry(key.kind).or_default();
                match after {
                    Some(after) => drop(named.insert(key.name.clone(), after.clone())),
                    None => drop(named.remove(&key.name)),
                }
            }
            objects.retain(|_, named| !named.is_empty());
            let chunk = if objects.is_empty() { None } else { Some(Chunk::of(&objects)?) };
            manifest.set(bucket, chunk.as_ref().map(Chunk::id));
            chunks.extend(chunk);
        }
        Ok(chunks)
    }

    async fn load_record(&self, record: Record) -> Result<Option<Snapshot>, StoreError> {
        let Some(manifest) = self.store.manifest(record.revision).await? else { return Ok(None) };
        let objects = match self.objects(manifest.iter().collect()).await {
            Ok(objects) => objects,
            // Chunks that went away with their revision are not missing.
            Err(StoreError::Corrupt { .. }) if self.store.record(record.revision).await?.is_none() => return Ok(None),
            Err(error) => return Err(error),
        };
        self.remember(record.revision, Arc::new(manifest));
        let objects = objects.into_values().flatten();
        let objects =
            objects.flat_map(|(kind, named)| named.into_iter().map(move |(name, it)| (Key { kind, name }, it)));
        Ok(Some(Snapshot { record, documents: objects.collect() }))
    }

    /// What is in these buckets.
    async fn objects(&self, entries: Vec<(u16, super::ChunkId)>) -> Result<BTreeMap<u16, Objects>, StoreError> {
        let chunks = self.store.chunks(entries.iter().map(|(_, id)| *id).collect()).await?;
        let chunks = entries.into_iter().zip(chunks);
        chunks.map(|((bucket, _), chunk)| Ok((bucket, chunk.objects(bucket)?))).collect()
    }

    async fn manifest_of_base(&self, base: Revision) -> Result<Arc<Manifest>, StoreError> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, manifest)) = newest.filter(|(revision, _)| *revision == base) {
            return Ok(manifest);
        }
        match self.store.manifest(base).await? {
            Some(manifest) => Ok(Arc::new(manifest)),
            // It was pruned, so it is not the head.
            None => Err(self.conflict().await?),
        }
    }

    async fn head(&self) -> Result<Option<Revision>, StoreError> {
        Ok(self.store.head().await?.map(|head| head.revision))
    }

    async fn conflict(&self) -> Result<StoreError, StoreError> {
        Ok(StoreError::Conflict { head: self.head().await? })
    }

    /// Keeps the manifest if it is of the newest revision so far.
    fn remember(&self, revision: Revision, manifest: Arc<Manifest>) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.as_ref().is_none_or(|(known, _)| *known < revision) {
            *newest = Some((revision, manifest));
        }
    }
}

/// Milliseconds since 1970; 0 for a clock that is set before.
fn now_unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{SqliteStore, acceptance};

    fn is_send(_: &impl Send) {}

    #[tokio::test]
    async fn futures_may_be_spawned() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open(directory.path().join("store.db")).await.expect("a store");
        let repository = Repository::new(store);
        is_send(&repository.load_head());
        is_send(&repository.load(1));
        is_send(&repository.commit(None, Documents::default(), acceptance::author(), "apply"));
    }
}
