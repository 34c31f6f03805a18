//! Asking the daemon: which one, how a change is made, and what its refusals look like here.

use std::path::PathBuf;

use clap::{Args, ValueEnum, builder::PossibleValue};

use super::{
    exit::{Failure, Outcome},
    options::{Output, OutputOption, instance_name},
    render, writer,
};
use crate::{
    api::{
        SOCKET,
        types::{ChangeQuery, ChangeResult, ErrorCode},
    },
    client::{Answer, Client, ClientError, Refusal},
    dataplane::pins::Pins,
    documents::Kind,
};

/// Which daemon is asked.
#[derive(Args, Debug)]
pub(super) struct DaemonOption {
    /// Instance whose daemon is asked: `instance` of its configuration
    #[arg(long, value_name = "NAME", env = "ANYCAST_XDP_INSTANCE", hide_env_values = true, default_value = "default", value_parser = instance_name)]
    instance: String,
    /// Socket of the daemon, in place of the instance's: /run/anycast-xdp/INSTANCE/api.sock
    #[arg(long, value_name = "PATH", env = "ANYCAST_XDP_SOCKET", hide_env_values = true)]
    socket: Option<PathBuf>,
}

/// How a change is made.
#[derive(Args, Clone, Copy, Debug)]
struct ChangeOptions {
    /// Refuse the change unless this revision is the newest
    #[arg(long, value_name = "N")]
    if_revision: Option<u64>,
    /// Change it even if that removes more than a tenth of the VIPs, or the last one
    #[arg(long)]
    force: bool,
    /// Wait until the datapath has the change: the default
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Do not wait for the datapath: the store has the change, and the datapath will
    #[arg(long, overrides_with = "wait")]
    no_wait: bool,
}

impl ChangeOptions {
    fn query(self) -> ChangeQuery {
        ChangeQuery { if_revision: self.if_revision, force: self.force, wait: !self.no_wait }
    }
}

impl ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.singular()).alias(self.plural()))
    }
}

/// What a command has that asks the daemon.
#[derive(Args, Debug)]
pub(super) struct Asking {
    #[command(flatten)]
    daemon: DaemonOption,
    #[command(flatten)]
    pub(super) output: OutputOption,
}

impl Asking {
    /// Asks the daemon. `file`: what was sent, as findings in it name it.
    ///
    /// # Errors
    ///
    /// No daemon, no right to ask it, or its refusal, which is written in JSON if that is wanted.
    pub(super) fn ask<T>(
        &self,
        file: Option<&str>,
        question: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
    ) -> Result<T, Failure> {
        self.daemon.ask(self.output.output, file, question)
    }

    /// Writes an answer: in JSON all of it, also what this program does not know.
    ///
    /// # Errors
    ///
    /// Stdout cannot be written to.
    pub(super) fn write<T>(&self, answer: &Answer<T>, text: impl FnOnce(&T, render::Style) -> String) -> Outcome {
        writer::write(self.output.output, &answer.json, |_, width| text(&answer.value, render::Style::of_stdout(width)))
    }
}

/// What a command has that changes services.
#[derive(Args, Debug)]
pub(super) struct Changing {
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    asking: Asking,
}

impl Changing {
    /// Makes a change, and tells what it did. `file`: see [`Asking::ask`].
    ///
    /// # Errors
    ///
    /// Those of [`Asking::ask`].
    pub(super) fn change(
        &self,
        file: Option<&str>,
        request: impl AsyncFnOnce(Client, ChangeQuery) -> Result<Answer<ChangeResult>, ClientError>,
    ) -> Outcome {
        let unknown = "the change may have been made all the same, `anycast-xdp history` tells; ";
        let Asking { daemon, output } = &self.asking;
        let made = async |client| request(client, self.change.query()).await;
        let answer = daemon.asked(output.output, made, |error| failure(error, &daemon.instance, file, unknown))?;
        self.asking.write(&answer, render::change_result)
    }
}

impl DaemonOption {
    /// Asks the daemon: see [`Asking::ask`].
    pub(super) fn ask<T>(
        &self,
        output: Output,
        file: Option<&str>,
        question: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
    ) -> Result<T, Failure> {
        self.asked(output, question, |error| failure(error, &self.instance, file, ""))
    }

    fn asked<T>(
        &self,
        output: Output,
        question: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
        failure: impl FnOnce(ClientError) -> Failure,
    ) -> Result<T, Failure> {
        let socket = self.socket.clone().unwrap_or_else(|| Pins::of(&self.instance).run().join(SOCKET));
        let answer = super::run::runtime()?.block_on(question(Client::new(socket)));
        answer.or_else(|error| {
            if let (ClientError::Refused(refusal), Output::Json) = (&error, output) {
                writer::write(Output::Json, &refusal.json, |_, _| String::new())?;
            }
            Err(failure(error))
        })
    }
}

/// `unknown`: what there is to say when it is not known what the daemon did.
fn failure(error: ClientError, instance: &str, file: Option<&str>, unknown: &str) -> Failure {
    match error {
        ClientError::NoDaemon { socket } => Failure::NoDaemon { instance: instance.to_owned(), socket },
        ClientError::Denied { ref group, .. } => {
            let help = denied_help(group.as_deref());
            Failure::Failed(anyhow::anyhow!("{error}\n  help: {help}"))
        }
        ClientError::Refused(refusal) => {
            let Refusal { error, .. } = *refusal;
            let message = render::api_error(&error, file);
            match error.code {
                ErrorCode::BadRequest | ErrorCode::Invalid => Failure::Refused(message),
                ErrorCode::Exists | ErrorCode::Conflict | ErrorCode::NeedsForce | ErrorCode::ReadOnly => {
                    Failure::NotAsThingsAre(message)
                }
                ErrorCode::NotFound => Failure::NoSuchThing(message),
                ErrorCode::StoreFailed | ErrorCode::NotApplied => Failure::Told(message),
            }
        }
        ClientError::Timeout { .. } | ClientError::Broken { .. } => {
            Failure::Failed(anyhow::anyhow!("{error}\n  help: {unknown}the daemon's log tells why"))
        }
        ClientError::Alien { .. } => Failure::Failed(anyhow::anyhow!(
            "{error}\n  help: look whether the daemon is of the version of this program, and whether --socket is its socket"
        )),
        ClientError::Open { .. } => Failure::Failed(error.into()),
    }
}

fn denied_help(group: Option<&str>) -> String {
    match group.filter(|group| *group != "root") {
        Some(group) => {
            format!("it is for root and group `{group}`: `usermod --append --groups {group} USER`, or use sudo")
        }
        None => "it is for root: use sudo".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::types::ApiError;

    fn of_code(code: ErrorCode) -> u8 {
        let refusal = Refusal { error: ApiError::new(code, "no"), json: serde_json::Value::Null };
        failure(ClientError::Refused(Box::new(refusal)), "default", None, "").code()
    }

    #[test]
    fn each_refusal_has_its_exit_code() {
        let codes = ErrorCode::ALL.map(|code| (code.label(), of_code(code)));
        assert_eq!(
            codes,
            [
                ("bad_request", 2),
                ("not_found", 8),
                ("exists", 7),
                ("conflict", 7),
                ("needs_force", 7),
                ("read_only", 7),
                ("invalid", 2),
                ("store_failed", 1),
                ("not_applied", 1)
            ]
        );
    }

    #[test]
    fn who_may_not_is_told_which_group_may() {
        assert!(denied_help(Some("anycast")).contains("group `anycast`"));
        assert_eq!(denied_help(Some("root")), "it is for root: use sudo");
        assert_eq!(denied_help(None), "it is for root: use sudo");
    }
}
