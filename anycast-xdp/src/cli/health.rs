//! `health`: which backends are up by their probes, and one probe now.

use clap::Subcommand;

use super::{
    exit::{Failure, Outcome},
    remote::Asking,
    render,
};
use crate::health::view::CheckQuery;

/// Show which backends of pools with a check are up by their probes
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_long_help = "\
Examples:
  anycast-xdp health
  anycast-xdp health --output json | jq '.backends[] | select(.state == \"down\")'
  anycast-xdp health check home 10.4.0.2

Exit codes: 0 shown, 1 failed, 3 no daemon"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Subcommands>,
    #[command(flatten)]
    remote: Asking,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    Check(CheckArgs),
}

/// Probe the backends of a pool once, now, and tell what happens step by step
///
/// The daemon sends the very probes that it sends on schedule, from the same address, with the same mark. What they come to is shown, and
/// changes nothing.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp health check home
  anycast-xdp health check home 10.4.0.2 --output json

Exit codes: 0 every probe was a success, 1 one was not, 3 no daemon, 8 no such pool with a check, or no such backend")]
struct CheckArgs {
    /// Name of the pool
    pool: String,
    /// Address of a backend of it; all of them without
    backend: Option<std::net::IpAddr>,
    #[command(flatten)]
    remote: Asking,
}

pub(super) fn execute(args: &Args) -> Outcome {
    match &args.command {
        None => {
            let answer = args.remote.ask(None, async |client| client.health().await)?;
            args.remote.write(&answer, |health, style| render::health(&health.backends, style))
        }
        Some(Subcommands::Check(args)) => check(args),
    }
}

fn check(args: &CheckArgs) -> Outcome {
    let query = CheckQuery { pool: args.pool.clone(), backend: args.backend };
    let answer = args.remote.ask(None, async |client| client.check_health(&query).await)?;
    args.remote.write(&answer, |checked, _| render::checked(&checked.probes))?;
    let failed = answer.value.probes.iter().filter(|probe| probe.error.is_some()).count();
    match failed {
        0 => Ok(()),
        _ => Err(Failure::Told(format!("error: {failed} of {} probes failed", answer.value.probes.len()))),
    }
}
