//! Why the store did not do what it was asked.

use super::Revision;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The head is not the revision that the change was made for.
    #[error("{}", conflict(*head))]
    Conflict {
        /// The head; none: the store is empty.
        head: Option<Revision>,
    },
    /// The store cannot be read or written now: no space, no permission, locked, away. A commit whose answer was lost may
    /// have been made: the head tells.
    #[error("{problem}")]
    Unavailable {
        /// What is wrong, with the name of the store.
        problem: String,
        /// What to do.
        help: String,
        /// What the system or the library said.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// What is there is not what was written, or is no store.
    #[error("{what}")]
    Corrupt {
        /// What is wrong with what, with the name of the store.
        what: String,
        /// What to do.
        help: String,
    },
    /// Objects that have to be in one chunk are larger than a chunk may be.
    #[error("the {key} and the objects beside it have {bytes} bytes together, and at most {limit_bytes} are possible")]
    TooLarge {
        /// The largest of the objects.
        key: crate::documents::Key,
        /// Bytes of all of them.
        bytes: usize,
        /// Most bytes of a chunk.
        limit_bytes: usize,
    },
}

impl StoreError {
    /// What to do about it.
    pub fn help(&self) -> &str {
        match self {
            Self::Conflict { .. } => "look at what has changed, and make the change for that revision",
            Self::Unavailable { help, .. } | Self::Corrupt { help, .. } => help,
            Self::TooLarge { .. } => "make several objects of it",
        }
    }
}

fn conflict(head: Option<Revision>) -> String {
    match head {
        Some(head) => format!("the services have changed: revision {head} is the newest one"),
        None => "the store is empty, and the change was made for a revision".to_owned(),
    }
}
