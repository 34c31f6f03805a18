//! `vip`: which pools a VIP is bound to.

use clap::Subcommand;

use super::{exit::Outcome, remote::Changing};
use crate::api::types::BindRequest;

/// Bind a VIP to pools, or take its pools away
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp vip bind web home spare
  anycast-xdp vip unbind web

Exit codes: 0 changed, or it was so before, 1 failed, 2 refused: no such pool, 3 no daemon, 7 the newest revision is not \
that of --if-revision, 8 no such VIP")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Bind(BindArgs),
    Unbind(UnbindArgs),
}

/// Bind a VIP to a pool and its fall-backs, in place of those that it has
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp vip bind web home
  anycast-xdp vip bind web home spare last
  anycast-xdp vip bind web home spare --failback manual

Exit codes: 0 bound, 1 failed, 2 refused: no such pool, 3 no daemon, 7 the newest revision is not that of --if-revision, \
8 no such VIP")]
struct BindArgs {
    /// Name of the VIP
    name: String,
    /// Name of the pool, then of those that take its place, in this order
    #[arg(value_name = "POOL", required = true)]
    pools: Vec<String>,
    /// Who takes its flows to the next pool, local or manual; without: as it was
    #[arg(long, value_name = "WHO")]
    failover: Option<String>,
    /// When they go back to a better pool, after a time such as 10m, or manual; without: as it was
    #[arg(long, value_name = "WHEN")]
    failback: Option<String>,
    #[command(flatten)]
    remote: Changing,
}

/// Take a VIP's pools away: its packets are dropped and counted
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp vip unbind web

Exit codes: 0 unbound, 1 failed, 3 no daemon, 7 the newest revision is not that of --if-revision, 8 no such VIP")]
struct UnbindArgs {
    /// Name of the VIP
    name: String,
    #[command(flatten)]
    remote: Changing,
}

pub(super) fn execute(args: &Args) -> Outcome {
    match &args.verb {
        Verb::Bind(BindArgs { name, pools, failover, failback, remote }) => {
            let request = BindRequest { pools: pools.clone(), failover: failover.clone(), failback: failback.clone() };
            remote.change(None, async |client, query| client.bind(name, &request, &query).await)
        }
        Verb::Unbind(UnbindArgs { name, remote }) => {
            remote.change(None, async |client, query| client.unbind(name, &query).await)
        }
    }
}
