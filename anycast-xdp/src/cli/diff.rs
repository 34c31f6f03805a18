//! `diff`: what is different between revisions.

use super::{exit::Outcome, remote::Asking, render};
use crate::api::types::DiffQuery;

/// Show what is different between two revisions, or between one and the newest
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp diff 40
  anycast-xdp diff 40 41 --output json | jq '.changes[].name'

Exit codes: 0 shown, 1 failed, 3 no daemon, 8 no such revision")]
pub(super) struct Args {
    /// Revision that it was
    from: u64,
    /// Revision that it became; without: the newest
    to: Option<u64>,
    #[command(flatten)]
    remote: Asking,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let query = DiffQuery { from: args.from, to: args.to };
    let answer = args.remote.ask(None, async |client| client.diff(&query).await)?;
    args.remote.write(&answer, render::diff)
}
