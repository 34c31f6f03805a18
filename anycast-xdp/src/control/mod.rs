//! Between the API and the reconciler: what is asked for is judged, kept, and handed on.
//!
//! | file | concern |
//! | --- | --- |
//! | `edit` | what each verb makes of the documents |
//! | `diff` | what is different, and whether that is much |
//! | `narrow` | a change of one VIP, judged without the others |
//! | `judge` | what is not valid, or does not fit this host, as the API tells it |
//! | `desired` | what is handed on |
//! | `reads` | lists, history, exports |
//! | `watched` | what metrics are made of |

mod desired;
mod diff;
mod edit;
mod judge;
mod narrow;
mod reads;
#[cfg(test)]
mod tests;
mod watched;

use std::{num::NonZero, path::Path, sync::Arc, time::Instant};

use tokio::sync::watch;

pub use self::{
    desired::{Desired, VipChange},
    diff::{diff, removes_much},
    edit::Edit,
    judge::store_failed,
};
use self::{
    judge::{fits, invalid, of_head},
    narrow::{Index, Judged},
};
use crate::{
    api::types::{ApiError, Change, ChangeQuery, ErrorCode, Plan, Source},
    config::{self, Host, Stored},
    desired::{Config, Local},
    documents::Documents,
    metrics::Recorder,
    store::{Author, Repository, Snapshot, Store, StoreError},
};

/// Revisions between two looks for those that are no longer kept.
const PRUNE_EVERY: u64 = 64;

/// How far the reconciler is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The revision that the maps have; none: no one yet.
    pub revision: Option<u64>,
    /// The newest revision that it did not get into the maps, and why.
    pub failure: Option<(u64, String)>,
    /// Map entries that others had changed at the last look, which took them back; none: nobody looked.
    pub drift: Option<u64>,
    /// Such entries since the start.
    pub repaired: u64,
}

/// The services of an instance and their store.
#[derive(Debug)]
pub struct Control<S> {
    host: Host,
    kept: Kept<S>,
    /// Newest first in, newest first out: who falls behind gets the newest only.
    desired: watch::Sender<Arc<Desired>>,
    /// Does this host fit? Not asked in tests.
    looks_at_host: bool,
    recorder: Arc<Recorder>,
}

/// Where the services are.
#[derive(Debug)]
enum Kept<S> {
    File(Documents),
    Store {
        repository: Box<Repository<S>>,
        head: Option<Snapshot>,
        /// Of the head's VIPs.
        index: Box<Index>,
    },
}

/// The documents that a change is to make.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// All services as a file says.
    File {
        /// Its text.
        text: &'a str,
        /// Its name, for errors.
        name: &'a Path,
    },
    /// These services.
    Documents(&'a Documents),
}

impl<S: Store> Control<S> {
    /// Takes up the services: those of the host's file, or those of the store, which `open` opens.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file or with the services on this host; a store that cannot be read.
    pub async fn start(
        host: Host,
        open: impl AsyncFnOnce(&Config) -> Result<S, StoreError>,
    ) -> anyhow::Result<(Self, watch::Receiver<Arc<Desired>>)> {
        let config = host.config()?;
        let (kept, desired) = if let Some(documents) = host.documents() {
            (Kept::File(documents), Desired::whole(0, config))
        } else {
            let repository = Box::new(Repository::new(open(&config).await?));
            let head = repository.load_head().await?;
            let desired = of_head(&host, head.as_ref(), config)?;
            let index = Box::new(Index::of(desired.base()));
            (Kept::Store { repository, head, index }, desired)
        };
        let (desired, receiver) = watch::channel(Arc::new(desired));
        Ok((Self { host, kept, desired, looks_at_host: true, recorder: Arc::default() }, receiver))
    }

    /// The host's file as it is now, with the same store.
    ///
    /// # Errors
    ///
    /// As at a start; nothing has changed then.
    pub fn reread(&mut self) -> anyhow::Result<Arc<Desired>> {
        let host = Host::read(self.host.file())?;
        let config = host.config()?;
        let desired = match (&mut self.kept, host.documents()) {
            (Kept::File(documents), Some(read)) => {
                *documents = read;
                Desired::whole(0, config)
            }
            (Kept::Store { head, index, .. }, None) => {
                let desired = of_head(&host, head.as_ref(), config)?;
                **index = Index::of(desired.base());
                desired
            }
            (Kept::File(_), None) | (Kept::Store { .. }, Some(_)) => {
                anyhow::bail!("services moved between the file and the store: that takes effect at the next start")
            }
        };
        self.host = host;
        Ok(Arc::new(desired))
    }

    /// Hands on what the reconciler is to make of the maps.
    pub fn publish(&self, desired: Arc<Desired>) {
        self.desired.send_replace(desired);
    }

    /// Where the services are.
    pub fn source(&self) -> Source {
        match self.kept {
            Kept::File(_) => Source::File,
            Kept::Store { .. } => Source::Store,
        }
    }

    /// The newest revision; 0: none.
    pub fn revision(&self) -> u64 {
        match &self.kept {
            Kept::Store { head: Some(head), .. } => head.record.revision,
            Kept::File(_) | Kept::Store { head: None, .. } => 0,
        }
    }

    /// The services of the newest revision.
    pub fn documents(&self) -> Documents {
        match &self.kept {
            Kept::File(documents) => documents.clone(),
            Kept::Store { head, .. } => head.as_ref().map(|head| head.documents.clone()).unwrap_or_default(),
        }
    }

    /// The host's facts.
    pub fn local(&self) -> Local {
        self.desired.borrow().local().clone()
    }

    /// Changes one thing.
    ///
    /// # Errors
    ///
    /// Nothing has changed, but of `store_failed` that names a revision.
    pub async fn edit(&mut self, edit: Edit, query: ChangeQuery, author: Author) -> Result<Made, ApiError> {
        self.may_change(query)?;
        let action = edit.action();
        let vip = edit.vip().map(str::to_owned);
        let before = self.documents();
        let after = edit.apply(&before)?;
        if let Some(name) = vip
            && let Some(Judged(next)) = self.narrow(&after, &name).await
        {
            let changes = diff(&before, &after);
            let change = |revision: u64, desired: &Desired| desired.with(revision, &name, next);
            return self.commit(after, changes, query, author, &action, change).await;
        }
        self.replace(Wanted::Documents(&after), query, author, &action).await
    }

    /// The VIP as it would be, if it can be judged without the others.
    async fn narrow(&self, after: &Documents, name: &str) -> Option<Judged> {
        let Kept::Store { index, .. } = &self.kept else { return None };
        let desired = self.desired.borrow().clone();
        let next = narrow::judge(&self.host, index, desired.base(), after, name, self.looks_at_host).await?;
        let before = desired.vip(name);
        (!narrow::moves_answers(before.as_deref(), next.0.as_deref())).then_some(next)
    }

    /// Makes the services those of `wanted`.
    ///
    /// # Errors
    ///
    /// As [`Self::edit`].
    pub async fn replace(
        &mut self,
        wanted: Wanted<'_>,
        query: ChangeQuery,
        author: Author,
        action: &str,
    ) -> Result<Made, ApiError> {
        self.may_change(query)?;
        let before = self.documents();
        let Stored { config, documents } = self.judge(wanted).await?;
        let changes = diff(&before, &documents);
        let whole = |revision: u64, _: &Desired| Desired::whole(revision, config);
        self.commit(documents, changes, query, author, action, whole).await
    }

    /// Keeps valid documents and hands on what `next` makes of the new revision and of what was desired before.
    async fn commit(
        &mut self,
        documents: Documents,
        changes: Vec<Change>,
        query: ChangeQuery,
        author: Author,
        action: &str,
        next: impl FnOnce(u64, &Desired) -> Desired,
    ) -> Result<Made, ApiError> {
        if changes.is_empty() {
            return Ok(Made { revision: self.revision(), changes });
        }
        if let Some(much) = removes_much(&self.documents(), &changes).filter(|_| !query.force) {
            return Err(ApiError::new(ErrorCode::NeedsForce, much).hint("say --force (`force=true`) if it is meant"));
        }
        let earlier = self.desired.borrow().clone();
        let Kept::Store { repository, head, index } = &mut self.kept else { return Err(read_only()) };
        let began = Instant::now();
        let committed = repository.commit(head.as_ref(), documents, author, action).await;
        let has_failed = committed.as_ref().is_err_and(|error| !matches!(error, StoreError::Conflict { .. }));
        self.recorder.committed(began.elapsed(), has_failed);
        let snapshot = match committed {
            Ok(snapshot) => snapshot,
            Err(error) => {
                // Another process may have written to the store: its head is what the next change is made for.
                if matches!(error, StoreError::Conflict { .. }) {
                    *head = repository.load_head().await.map_err(|error| store_failed(&error))?;
                }
                return Err(store_failed(&error));
            }
        };
        let revision = snapshot.record.revision;
        *head = Some(snapshot);
        let desired = next(revision, &earlier);
        match desired.since(&earlier) {
            Some(vips) => vips.iter().for_each(|vip| index.change(vip.before.as_deref(), vip.after.as_deref())),
            None => **index = Index::of(desired.base()),
        }
        let keep = u64::from(desired.local().control.revisions);
        if revision.is_multiple_of(PRUNE_EVERY)
            && let Err(error) = repository.store().prune(NonZero::new(keep).unwrap_or(NonZero::<u64>::MIN)).await
        {
            tracing::warn!("old revisions are still in the store: {error}");
        }
        self.publish(Arc::new(desired));
        tracing::info!(revision, action, "services changed");
        Ok(Made { revision, changes })
    }

    /// What [`Self::replace`] would do.
    ///
    /// # Errors
    ///
    /// What is invalid.
    pub async fn plan(&self, wanted: Wanted<'_>) -> Result<Plan, ApiError> {
        let before = self.documents();
        let after = self.judge(wanted).await?.documents;
        let changes = diff(&before, &after);
        let needs_force = removes_much(&before, &changes).is_some();
        Ok(Plan { base_revision: self.revision(), changes, needs_force })
    }

    /// Is `wanted` valid, and does this host carry it?
    async fn judge(&self, wanted: Wanted<'_>) -> Result<Stored, ApiError> {
        let source = match wanted {
            Wanted::File { text, name } => config::Source::File { text, name },
            Wanted::Documents(documents) => config::Source::Documents(documents),
        };
        let stored = self.host.judge(source).map_err(invalid)?;
        if self.looks_at_host {
            fits(&stored.config, matches!(wanted, Wanted::Documents(_))).await?;
        }
        Ok(stored)
    }

    fn may_change(&self, query: ChangeQuery) -> Result<(), ApiError> {
        if self.source() == Source::File {
            return Err(read_only());
        }
        match query.if_revision {
            Some(wanted) if wanted != self.revision() => {
                let message = format!("the services are of revision {}, not {wanted}", self.revision());
                Err(ApiError::new(ErrorCode::Conflict, message)
                    .hint("look at what has changed (`anycast-xdp diff`), and make the change for that revision"))
            }
            _ => Ok(()),
        }
    }
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The revision that has it.
    pub revision: u64,
    /// What is different.
    pub changes: Vec<Change>,
}

fn read_only() -> ApiError {
    ApiError::new(ErrorCode::ReadOnly, "the services of this host are those of its file")
        .hint("change the file and reload the daemon; or take the services out of it, start again, and `anycast-xdp apply` them")
}
