//! `rollback`: the services of an earlier revision.

use super::{exit::Outcome, remote::Changing};
use crate::api::types::RollbackRequest;

/// Make the services those of an earlier revision again, as a new revision
///
/// `diff REV` shows what that undoes.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp rollback 40
  anycast-xdp rollback 40 --if-revision 41

Exit codes: 0 done, or it was so before, 1 failed, 2 they are not valid on this host any more, 3 no daemon, 7 refused \
without --force, or the newest revision is not that of --if-revision, 8 no such revision")]
pub(super) struct Args {
    /// The revision
    revision: u64,
    #[command(flatten)]
    remote: Changing,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let request = RollbackRequest { revision: args.revision };
    args.remote.change(None, async |client, query| client.rollback(&request, &query).await)
}
