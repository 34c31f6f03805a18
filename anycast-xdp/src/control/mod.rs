//! Between the API and the reconciler: what is asked for is judged, kept, and handed on.
//!
//! | file | concern |
//! | --- | --- |
//! | `edit` | what each verb makes of the documents |
//! | `diff` | what is different, and whether that is much |
//! | `reads` | lists, history, exports |
//! | `watched` | what metrics are made of |

mod diff;
mod edit;
mod reads;
#[cfg(test)]
mod tests;
mod watched;

use std::{num::NonZero, path::Path, sync::Arc, time::Instant};

use tokio::sync::watch;

pub use self::{
    diff::{diff, removes_much},
    edit::Edit,
};
use crate::{
    api::types::{ApiError, Change, ChangeQuery, ErrorCode, Finding, Plan, Source},
    config::{
        self, ConfigErrors, Host, Stored,
        host::{HostFacts, Remark, Severity},
    },
    desired::Config,
    documents::Documents,
    metrics::Recorder,
    store::{Author, Repository, Snapshot, Store, StoreError},
};

/// Revisions between two looks for those that are no longer kept.
const PRUNE_EVERY: u64 = 64;

/// What the reconciler is to make of the maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Which revision it is; 0: of no store, or an empty one.
    pub revision: u64,
    /// The host's facts and the services.
    pub config: Config,
}

/// How far the reconciler is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The revision that the maps have; none: no one yet.
    pub revision: Option<u64>,
    /// The newest revision that it did not get into the maps, and why.
    pub failure: Option<(u64, String)>,
    /// Map entries that differed at the last look; none: nobody looked.
    pub drift: Option<u64>,
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
    Store { repository: Repository<S>, head: Option<Snapshot> },
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
        let (kept, desired) = match host.documents() {
            Some(documents) => (Kept::File(documents), Desired { revision: 0, config }),
            None => {
                let repository = Repository::new(open(&config).await?);
                let head = repository.load_head().await?;
                let desired = of_head(&host, head.as_ref(), config)?;
                (Kept::Store { repository, head }, desired)
            }
        };
        let (desired, receiver) = watch::channel(Arc::new(desired));
        Ok((Self { host, kept, desired, looks_at_host: true, recorder: Arc::default() }, receiver))
    }

    /// The host's file as it is now, with the same store.
    ///
    /// # Errors
    ///
    /// As at a start; nothing has changed then.
    pub async fn reread(&mut self) -> anyhow::Result<Arc<Desired>> {
        let host = Host::read(self.host.file())?;
        let config = host.config()?;
        let desired = match (&mut self.kept, host.documents()) {
            (Kept::File(documents), Some(read)) => {
                *documents = read;
                Desired { revision: 0, config }
            }
            (Kept::Store { head, .. }, None) => of_head(&host, head.as_ref(), config)?,
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
    pub fn config(&self) -> Config {
        self.desired.borrow().config.clone()
    }

    /// Changes one thing.
    ///
    /// # Errors
    ///
    /// Nothing has changed, but of `store_failed` that names a revision.
    pub async fn edit(&mut self, edit: Edit, query: ChangeQuery, author: Author) -> Result<Made, ApiError> {
        self.may_change(query)?;
        let action = edit.action();
        let after = edit.apply(&self.documents())?;
        self.replace(Wanted::Documents(&after), query, author, &action).await
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
        if changes.is_empty() {
            return Ok(Made { revision: self.revision(), changes });
        }
        if let Some(much) = removes_much(&before, &documents).filter(|_| !query.force) {
            return Err(ApiError::new(ErrorCode::NeedsForce, much).hint("say --force (`force=true`) if it is meant"));
        }
        let Kept::Store { repository, head } = &mut self.kept else { return Err(read_only()) };
        let began = Instant::now();
        let committed = repository.commit(head.as_ref(), documents, author, action).await;
        let has_failed = committed.as_ref().is_err_and(|error| !matches!(error, StoreError::Conflict { .. }));
        self.recorder.committed(began.elapsed(), has_failed);
        let snapshot = match committed {
            Ok(snapshot) => snapshot,
            Err(error) => {
                // Another process may have written to the store: its head is what the next change is made for.
                if matches!(error, StoreError::Conflict { .. }) {
                    *head = repository.load_head().await.map_err(store_failed)?;
                }
                return Err(store_failed(error));
            }
        };
        let revision = snapshot.record.revision;
        *head = Some(snapshot);
        let keep = NonZero::new(u64::from(config.local.control.revisions)).unwrap_or(NonZero::<u64>::MIN);
        if revision.is_multiple_of(PRUNE_EVERY)
            && let Err(error) = repository.store().prune(keep).await
        {
            tracing::warn!("old revisions are still in the store: {error}");
        }
        self.publish(Arc::new(Desired { revision, config }));
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
        Ok(Plan {
            base_revision: self.revision(),
            changes: diff(&before, &after),
            needs_force: removes_much(&before, &after).is_some(),
        })
    }

    /// Is `wanted` valid, and does this host carry it?
    async fn judge(&self, wanted: Wanted<'_>) -> Result<Stored, ApiError> {
        let source = match wanted {
            Wanted::File { text, name } => config::Source::File { text, name },
            Wanted::Documents(documents) => config::Source::Documents(documents),
        };
        let stored = self.host.judge(source).map_err(invalid)?;
        if self.looks_at_host {
            let facts = HostFacts::read().await.map_err(|error| {
                ApiError::new(ErrorCode::StoreFailed, format!("the host could not be looked at: {error:#}"))
            })?;
            fits(&config::remarks(&stored.config, Some(&facts)))?;
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

fn of_head(host: &Host, head: Option<&Snapshot>, config: Config) -> Result<Desired, anyhow::Error> {
    match head {
        None => Ok(Desired { revision: 0, config: Stored::nothing(config).config }),
        Some(head) => {
            let revision = head.record.revision;
            let stored = host.judge(config::Source::Documents(&head.documents));
            let stored = stored.map_err(|errors| anyhow::anyhow!("revision {revision} of the store: {errors}"))?;
            Ok(Desired { revision, config: stored.config })
        }
    }
}

fn read_only() -> ApiError {
    ApiError::new(ErrorCode::ReadOnly, "the services of this host are those of its file")
        .hint("change the file and reload the daemon; or take the services out of it, start again, and `anycast-xdp apply` them")
}

fn invalid(errors: ConfigErrors) -> ApiError {
    let count = errors.errors.len();
    let message = format!("the services would have {count} {}", if count == 1 { "error" } else { "errors" });
    let findings = errors.errors.into_iter().map(|error| Finding {
        field: error.field,
        line: error.line,
        column: error.column,
        problem: error.problem,
        help: error.help,
    });
    ApiError { findings: findings.collect(), ..ApiError::new(ErrorCode::Invalid, message) }
}

/// What this host cannot carry is refused; what it might not is told in the log.
fn fits(remarks: &[Remark]) -> Result<(), ApiError> {
    let (errors, warnings): (Vec<_>, Vec<_>) = remarks.iter().partition(|remark| remark.severity == Severity::Error);
    for warning in warnings {
        tracing::debug!(field = warning.field, help = warning.help, "{}", warning.problem);
    }
    if errors.is_empty() {
        return Ok(());
    }
    let findings = errors.into_iter().map(|remark| Finding {
        field: remark.field.clone(),
        line: None,
        column: None,
        problem: remark.problem.clone(),
        help: remark.help.clone(),
    });
    let error = ApiError::new(ErrorCode::Invalid, "this host cannot carry these services");
    Err(ApiError { findings: findings.collect(), ..error })
}

/// The API's error for one of the store.
pub fn store_failed(error: StoreError) -> ApiError {
    let code = match error {
        StoreError::Conflict { .. } => ErrorCode::Conflict,
        StoreError::TooLarge { .. } => ErrorCode::Invalid,
        StoreError::Unavailable { .. } | StoreError::Corrupt { .. } => ErrorCode::StoreFailed,
    };
    let hint = error.help().to_owned();
    ApiError::new(code, error.to_string()).hint(hint)
}
