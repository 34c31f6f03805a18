//! `pool`: where flows of bindings are.

use clap::Subcommand;

use super::{exit::Outcome, remote::Asking, render};

/// Take flows back to a pool
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp pool failback home

Exit codes: those of `anycast-xdp pool failback`")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[command(name = "failback")]
    FailBack(FailBackArgs),
}

/// Take flows back to a pool that is usable again, of every VIP that would go back to it
///
/// This host does it now, whatever `failback` of the VIPs says. TCP flows that run stay where they are for a while.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp pool failback home
  anycast-xdp pool failback home --output json

Exit codes: 0 flows go there, or none waited for it, 1 failed, 3 no daemon, 8 no such pool")]
struct FailBackArgs {
    /// Name of the pool
    name: String,
    #[command(flatten)]
    remote: Asking,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let Verb::FailBack(args) = &args.verb;
    let answer = args.remote.ask(None, async |client| client.fail_back(&args.name).await)?;
    args.remote.write(&answer, |result, _| render::failback(result))
}
