//! `backend`: state and weight of one backend of a pool.

use clap::Subcommand;

use super::{exit::Outcome, remote::Changing};
use crate::{api::types::BackendPatch, desired::State};

/// Drain a backend, take it back, or give it another weight
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp backend drain home 10.4.0.2
  anycast-xdp backend undrain home 10.4.0.2
  anycast-xdp backend weight home 10.4.0.2 50

Exit codes: 0 changed, or it was so before, 1 failed, 2 refused as it is written, 3 no daemon, 7 the newest revision is \
not that of --if-revision, 8 no such pool or backend")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Give it no new flows; it keeps the TCP flows that it has
    #[command(
        after_long_help = "Example:\n  anycast-xdp backend drain home 10.4.0.2\n\nExit codes: those of `anycast-xdp backend`"
    )]
    Drain(Which),
    /// Give it new flows again: its state is up
    #[command(
        after_long_help = "Example:\n  anycast-xdp backend undrain home 10.4.0.2\n\nExit codes: those of `anycast-xdp backend`"
    )]
    Undrain(Which),
    /// Give it another share of the flows, relative to the other backends of the pool
    #[command(
        after_long_help = "Example:\n  anycast-xdp backend weight home 10.4.0.2 50\n\nExit codes: those of `anycast-xdp backend`"
    )]
    Weight(WeightArgs),
}

#[derive(clap::Args, Debug)]
struct Which {
    /// Name of the pool
    pool: String,
    /// Tunnel address of the backend
    address: String,
    #[command(flatten)]
    remote: Changing,
}

#[derive(clap::Args, Debug)]
struct WeightArgs {
    #[command(flatten)]
    which: Which,
    /// From 1 to 65535
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    weight: u16,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let state = |state| BackendPatch { state: Some(state), weight: None };
    let (which, patch) = match &args.verb {
        Verb::Drain(which) => (which, state(State::Drain)),
        Verb::Undrain(which) => (which, state(State::Up)),
        Verb::Weight(args) => (&args.which, BackendPatch { state: None, weight: Some(args.weight) }),
    };
    which
        .remote
        .change(None, async |client, query| client.patch_backend(&which.pool, &which.address, &patch, &query).await)
}
