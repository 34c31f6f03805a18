//! Between the API and the reconciler: what is asked for is judged, kept, and handed on.
//!
//! | file | concern |
//! | --- | --- |
//! | `commands` | what is told the reconciler beside services |
//! | `changes` | from what is asked for to what is handed on |
//! | `edit` | what each verb makes of the documents |
//! | `diff` | what is different, and whether that is much |
//! | `narrow` | a change of one VIP, judged without the others |
//! | `judge` | what is not valid, or does not fit this host, as the API tells it |
//! | `desired` | what is handed on |
//! | `reads` | lists, history, exports |
//! | `watched` | what metrics are made of |

mod changes;
mod commands;
mod desired;
mod diff;
mod edit;
mod judge;
mod narrow;
mod reads;
#[cfg(test)]
mod tests;
mod watched;

use std::{path::Path, sync::Arc};

use tokio::sync::watch;

pub use self::{
    commands::{Command, Commands, commands},
    desired::{Desired, VipChange},
    diff::{diff, removes_much},
    edit::Edit,
    judge::store_failed,
};
use self::{judge::of_head, narrow::Index};
use crate::{
    api::types::{Change, Source},
    config::Host,
    desired::{Config, Local},
    documents::Documents,
    metrics::Recorder,
    store::{Repository, Snapshot, Store, StoreError},
};

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

/// A file of the host that was read again, and what it makes of the services.
#[derive(Debug)]
pub struct Reread {
    host: Host,
    documents: Option<Documents>,
    desired: Desired,
}

impl Reread {
    /// What the reconciler would make of the maps.
    pub fn desired(&self) -> &Desired {
        &self.desired
    }
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

    /// The host's file as it is now, with the same services where they are in the store.
    ///
    /// # Errors
    ///
    /// As at a start.
    pub fn reread(&self) -> anyhow::Result<Reread> {
        let host = Host::read(self.host.file())?;
        let config = host.config()?;
        let documents = host.documents();
        let desired = match (&self.kept, &documents) {
            (Kept::File(_), Some(_)) => Desired::whole(0, config),
            (Kept::Store { head, .. }, None) => of_head(&host, head.as_ref(), config)?,
            (Kept::File(_), None) | (Kept::Store { .. }, Some(_)) => {
                anyhow::bail!("services moved between the file and the store: that takes effect at the next start")
            }
        };
        Ok(Reread { host, documents, desired })
    }

    /// Goes on with a file that was read again, and hands on what it makes of the services.
    pub fn take_up(&mut self, Reread { host, documents, desired }: Reread) {
        match (&mut self.kept, documents) {
            (Kept::File(known), Some(read)) => *known = read,
            (Kept::Store { index, .. }, _) => **index = Index::of(desired.base()),
            (Kept::File(_), None) => {}
        }
        self.host = host;
        self.publish(Arc::new(desired));
    }

    /// Hands on what the reconciler is to make of the maps.
    fn publish(&self, desired: Arc<Desired>) {
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
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The revision that has it.
    pub revision: u64,
    /// What is different.
    pub changes: Vec<Change>,
}
