//! `delete`: an object goes.

use super::{exit::Outcome, remote::Changing};
use crate::documents::{Key, Kind};

/// Delete a PoP, prefix, pool or VIP
///
/// What others refer to stays: a pool that a VIP is bound to is refused. `rollback` brings back what was deleted.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp delete vip web
  anycast-xdp delete pool spare --if-revision 41

Exit codes: 0 deleted, 1 failed, 2 refused: others refer to it, 3 no daemon, 7 refused without --force, or the newest \
revision is not that of --if-revision, 8 no such object")]
pub(super) struct Args {
    /// What it is
    kind: Kind,
    /// Its name
    name: String,
    #[command(flatten)]
    remote: Changing,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let key = Key::new(args.kind, &args.name);
    args.remote.change(None, async |client, query| client.delete(&key, &query).await)
}
