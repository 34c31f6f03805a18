//! Why there is no good answer.

use std::{io, path::PathBuf, time::Duration};

use serde_json::Value;

use crate::api::types::ApiError;

/// What the daemon said in place of an answer.
#[derive(Debug)]
pub struct Refusal {
    /// What this program knows of it.
    pub error: ApiError,
    /// All of it.
    pub json: Value,
}

/// Why a request has no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("nobody listens at {}", socket.display())]
    NoDaemon {
        /// Where.
        socket: PathBuf,
    },
    /// The socket is not for this user.
    #[error("no permission to use {}", socket.display())]
    Denied {
        /// The socket.
        socket: PathBuf,
        /// The group that may use it, if that can be seen.
        group: Option<String>,
    },
    /// The daemon said no.
    #[error("{}", .0.error)]
    Refused(Box<Refusal>),
    /// No answer in time. What was asked for may have been done.
    #[error("no answer within {} s", after.as_secs())]
    Timeout {
        /// How long it was waited for.
        after: Duration,
    },
    /// The connection ended before the answer did. What was asked for may have been done.
    #[error("the connection broke: {reason}")]
    Broken {
        /// What the connection said.
        reason: String,
    },
    /// What answers is none of this API.
    #[error("an answer that this program does not understand: {reason}")]
    Alien {
        /// What is wrong with it.
        reason: String,
    },
    /// The socket could not be opened.
    #[error("cannot open {}: {source}", socket.display())]
    Open {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
