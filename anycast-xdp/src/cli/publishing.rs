//! `publishing`.

use super::{exit::Outcome, remote::Asking, render};
use crate::api::types::PublishingQuery;

/// Show what this host publishes, since when, and why not
///
/// One row a prefix and VIP: published, draining (its routers are being told that it will go) or withdrawn.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp publishing
  anycast-xdp publishing --output json | jq '.vips[] | select(.state == \"withdrawn\") | [.name, .reason]'

Exit codes: 0 shown, 1 failed, 3 no daemon")]
pub(super) struct Args {
    #[command(flatten)]
    remote: Asking,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let query = PublishingQuery::default();
    let answer = args.remote.ask(None, async |client| client.publishing(&query).await)?;
    args.remote.write(&answer, |publishing, style| render::publishing(publishing, style.width))
}
