//! `get`: one object.

use super::{exit::Outcome, remote::Asking, render};
use crate::documents::{Key, Kind};

/// Show a PoP, prefix, pool or VIP as it was written
///
/// Keys that were not written have their defaults, and are not shown.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp get vip web
  anycast-xdp get pool home --output json | jq '.object.backend[].address'

Exit codes: 0 shown, 1 failed, 3 no daemon, 8 no such object")]
pub(super) struct Args {
    /// What it is
    kind: Kind,
    /// Its name
    name: String,
    #[command(flatten)]
    remote: Asking,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let key = Key::new(args.kind, &args.name);
    let answer = args.remote.ask(None, async |client| client.get(&key).await)?;
    args.remote.write(&answer, |answer, style| render::object(args.kind, answer, style))
}
