//! `create pop`.

use super::{Common, Flags};

/// Create a PoP: what is to be known of a site on all of its hosts
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp create pop beijing --label country=cn
  anycast-xdp create pop beijing --state drain

Exit codes: 0 created, 1 failed, 2 refused as it is written, 3 no daemon, 7 it exists, or the newest revision is not \
that of --if-revision")]
pub(super) struct Args {
    /// Whether it publishes: up or drain
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Args {
    pub(super) fn flags(&self) -> Flags {
        Flags::default().text("state", self.state.as_ref())
    }
}
