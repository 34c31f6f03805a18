//! How a command ends.

use std::{io, path::PathBuf, process::ExitCode};

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
    /// Exit code 3, too.
    NoDaemon {
        /// The instance that was asked.
        instance: String,
        /// Where its daemon should listen.
        socket: PathBuf,
    },
    /// Exit code 1, with a message that is complete.
    Told(String),
    /// Exit code 4: `doctor` found warnings, and has told them.
    FoundWarnings,
    /// Exit code 5: `doctor` found errors, and has told them.
    FoundErrors,
    /// Exit code 6: `plan` found changes, and has told them.
    FoundChanges,
    /// Exit code 7: as things are the daemon does not do it. The message is complete.
    NotAsThingsAre(String),
    /// Exit code 8: no such object, backend or revision. The message is complete.
    NoSuchThing(String),
    /// Exit code 9: some attempts of `probe` failed, and are told.
    SomeFailed,
    /// Exit code 10: all of them did.
    AllFailed,
    /// Exit code 11: packets still arrive where they were to be gone, and that has been told.
    StillArrives,
    /// Whoever read stdout has gone, as `head` does: exit code 0 without a word.
    ReaderGone,
}

impl Failure {
    /// Tells it on stderr.
    pub(super) fn report(self) -> ExitCode {
        let code = self.code();
        if let Some(message) = self.message() {
            writer::tell(&format!("{message}\n"));
        }
        ExitCode::from(code)
    }

    pub(super) fn code(&self) -> u8 {
        match self {
            Self::ReaderGone => 0,
            Self::Failed(_) | Self::Told(_) => 1,
            Self::Refused(_) => 2,
            Self::NothingThere { .. } | Self::NoDaemon { .. } => 3,
            Self::FoundWarnings => 4,
            Self::FoundErrors => 5,
            Self::FoundChanges => 6,
            Self::NotAsThingsAre(_) => 7,
            Self::NoSuchThing(_) => 8,
            Self::SomeFailed => 9,
            Self::AllFailed => 10,
            Self::StillArrives => 11,
        }
    }

    /// What is not told yet.
    fn message(self) -> Option<String> {
        Some(match self {
            Self::Failed(error) => format!("error: {}", chain(&error)),
            Self::Refused(message)
            | Self::Told(message)
            | Self::NotAsThingsAre(message)
            | Self::NoSuchThing(message) => message,
            Self::NothingThere { instance } => format!(
                "nothing is running or pinned for instance `{instance}`\n  help: start it with `anycast-xdp run --config FILE`, or choose another with --instance"
            ),
            Self::NoDaemon { instance, socket } => format!(
                "no daemon of instance `{instance}` listens at {}\n  help: start it with `anycast-xdp run --config FILE`, or choose another with --instance or --socket",
                socket.display()
            ),
            Self::FoundWarnings
            | Self::FoundErrors
            | Self::FoundChanges
            | Self::SomeFailed
            | Self::AllFailed
            | Self::StillArrives
            | Self::ReaderGone => return None,
        })
    }
}

impl From<Failure> for anyhow::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Failed(error) => error,
            Failure::Refused(message)
            | Failure::Told(message)
            | Failure::NotAsThingsAre(message)
            | Failure::NoSuchThing(message) => Self::msg(message),
            Failure::NothingThere { instance } => Self::msg(format!("nothing is pinned for instance `{instance}`")),
            Failure::NoDaemon { socket, .. } => Self::msg(format!("nobody listens at {}", socket.display())),
            Failure::FoundWarnings | Failure::FoundErrors | Failure::FoundChanges => Self::msg("something was found"),
            Failure::SomeFailed | Failure::AllFailed => Self::msg("attempts failed"),
            Failure::StillArrives => Self::msg("packets still arrive"),
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
