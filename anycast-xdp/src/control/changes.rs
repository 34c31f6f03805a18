//! Changes, from what is asked for to what is handed on.

use std::{num::NonZero, sync::Arc, time::Instant};

use super::{
    Control, Desired, Edit, Kept, Made, Wanted, diff,
    judge::{fits, invalid, of_head},
    narrow::{self, Index, Judged},
    removes_much, store_failed,
};
use crate::{
    api::types::{ApiError, Change, ChangeQuery, ErrorCode, Plan, Source},
    config::{self, Stored},
    documents::Documents,
    store::{Author, Store, StoreError},
};

/// Revisions between two looks for those that are no longer kept.
const PRUNE_EVERY: u64 = 64;

impl<S: Store> Control<S> {
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
        let Kept::Store { repository, head, .. } = &self.kept else { return Err(read_only()) };
        let began = Instant::now();
        let committed = repository.commit(head.as_ref(), documents, author, action).await;
        let has_failed = committed.as_ref().is_err_and(|error| !matches!(error, StoreError::Conflict { .. }));
        self.recorder.committed(began.elapsed(), has_failed);
        let snapshot = match committed {
            Ok(snapshot) => snapshot,
            Err(error) => {
                if matches!(error, StoreError::Conflict { .. }) {
                    self.follow_head().await?;
                }
                return Err(store_failed(&error));
            }
        };
        let Kept::Store { repository, head, index } = &mut self.kept else { return Err(read_only()) };
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

    /// Another process has written to the store: its head is what the next change is made for, and what the maps get.
    async fn follow_head(&mut self) -> Result<(), ApiError> {
        let config = self.host.config().map_err(invalid)?;
        let Kept::Store { repository, head, index } = &mut self.kept else { return Ok(()) };
        *head = repository.load_head().await.map_err(|error| store_failed(&error))?;
        let desired = of_head(&self.host, head.as_ref(), config)
            .map_err(|error| ApiError::new(ErrorCode::Invalid, format!("what another process wrote: {error:#}")))?;
        **index = Index::of(desired.base());
        self.publish(Arc::new(desired));
        Ok(())
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

fn read_only() -> ApiError {
    ApiError::new(ErrorCode::ReadOnly, "the services of this host are those of its file")
        .hint("change the file and reload the daemon; or take the services out of it, start again, and `anycast-xdp apply` them")
}
