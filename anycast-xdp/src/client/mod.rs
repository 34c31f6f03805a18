//! Asks the daemon of an instance over its socket: HTTP/1.1 with JSON, one connection a request.

mod error;
#[cfg(test)]
mod tests;
mod verbs;
mod wire;

use std::{path::PathBuf, time::Duration};

use serde_json::Value;

pub use self::error::{ClientError, Refusal};

/// With `wait` the daemon answers when the maps have a change: of 100,000 VIPs that takes a while.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);

/// A daemon's API.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    timeout: Duration,
}

/// What the daemon answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// All of it, also what a newer daemon says and this program does not know.
    pub json: Value,
    /// What this program knows of it.
    pub value: T,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// None.
    Empty,
    /// A value.
    Json(Value),
    /// The text of a file, as it is: errors then have the lines and columns of the file.
    Text {
        /// What it is written in.
        media_type: &'static str,
        /// The file.
        text: String,
    },
}

impl Client {
    /// The API behind this socket. Nothing is opened yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), timeout: ANSWER_TIMEOUT }
    }

    /// Waits for an answer as long as this.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}
