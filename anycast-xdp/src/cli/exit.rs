//! How a command ends.

use std::{io, process::ExitCode};

use super::writer;
use crate::config::{ConfigErrors, LoadError, host::Misfits};

/// What a command returns.
pub(super) type Outcome = Result<(), Failure>;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// Exit code 1.
    Failed(anyhow::Error),
    /// Exit code 2: the configuration, or how the command was called. The message is complete.
    Refused(String),
    /// Exit code 3.
    NothingThere {
        /// The instance that was asked for.
        instance: String,
    },
    /// Exit code 4: `doctor` found warnings, and has told them.
    FoundWarnings,
    /// Exit code 5: `doctor` found errors, and has told them.
    FoundErrors,
    /// Whoever read stdout has gone, as `head` does: exit code 0 without a word.
    ReaderGone,
}

impl Failure {
    /// Tells it on stderr.
    pub(super) fn report(self) -> ExitCode {
        let (code, message) = match self {
            Self::Failed(error) => (1, format!("error: {}", chain(&error))),
            Self::Refused(message) => (2, message),
            Self::NothingThere { instance } => (
                3,
                format!(
                    "nothing is running or pinned for instance `{instance}`\n  help: start it with `anycast-xdp run --config FILE`, or choose another with --instance"
                ),
            ),
            Self::FoundWarnings => return ExitCode::from(4),
            Self::FoundErrors => return ExitCode::from(5),
            Self::ReaderGone => return ExitCode::SUCCESS,
        };
        writer::tell(&format!("{message}\n"));
        ExitCode::from(code)
    }
}

impl From<Failure> for anyhow::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Failed(error) => error,
            Failure::Refused(message) => Self::msg(message),
            Failure::NothingThere { instance } => Self::msg(format!("nothing is pinned for instance `{instance}`")),
            Failure::FoundWarnings | Failure::FoundErrors => Self::msg("something was found"),
            Failure::ReaderGone => Self::msg("nobody reads what is written"),
        }
    }
}

/// An error and its causes as one line, each said once: some errors repeat their cause in their own message.
fn chain(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if message.is_empty() {
            message = cause;
        } else if !message.contains(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    message
}

impl From<anyhow::Error> for Failure {
    /// A refused configuration has the exit code of one, however deep it was found.
    fn from(error: anyhow::Error) -> Self {
        let is_refusal = error.is::<ConfigErrors>() || error.is::<Misfits>();
        if is_refusal { Self::Refused(error.to_string()) } else { Self::Failed(error) }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::ReaderGone } else { Self::Failed(error.into()) }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Refused(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn chain_joins_causes_and_says_each_once() {
        let error = Err::<(), _>(anyhow!("no such device")).context("attach in0: no such device").context("start");
        assert_eq!(chain(&error.unwrap_err()), "start: attach in0: no such device");
    }

    #[test]
    fn broken_pipe_is_not_a_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(matches!(failure, Failure::ReaderGone));
    }
}
