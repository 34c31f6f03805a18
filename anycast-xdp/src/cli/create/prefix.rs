//! `create prefix`.

use super::{Common, Flags};

/// Create a prefix: what BGP announces
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp create prefix anycast-v4 --prefix 192.0.2.0/24 --publish beijing,shanghai
  anycast-xdp create prefix anycast-v6 --prefix 2001:db8:80::/48 --label team=game

Exit codes: 0 created, 1 failed, 2 refused as it is written, 3 no daemon, 7 it exists, or the newest revision is not \
that of --if-revision")]
pub(super) struct Args {
    /// The prefix: 192.0.2.0/24
    #[arg(long, value_name = "CIDR")]
    prefix: Option<String>,
    /// PoPs that announce it, with commas between
    #[arg(long, value_name = "POP", value_delimiter = ',')]
    publish: Vec<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Args {
    pub(super) fn flags(&self) -> Flags {
        Flags::default().text("prefix", self.prefix.as_ref()).list("publish", &self.publish)
    }
}
