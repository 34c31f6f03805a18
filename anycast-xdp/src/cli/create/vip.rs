//! `create vip`.

use super::{Common, Flags};

/// Create a VIP: an anycast service address
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp create vip web --address 192.0.2.10 --pool home --listener tcp/80 --return pop
  anycast-xdp create vip game --address 192.0.2.11 --pool home --label team=game --set hash=source
  anycast-xdp create vip web -f web.toml --if-revision 41

Exit codes: 0 created, 1 failed, 2 refused as it is written, 3 no daemon, 7 it exists, or the newest revision is not \
that of --if-revision")]
pub(super) struct Args {
    /// The anycast service address
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Name of the pool that it is bound to
    #[arg(long, value_name = "POOL")]
    pool: Option<String>,
    /// Names of the pools that take its place, in this order, with commas between
    #[arg(long = "fallback-pool", value_name = "POOL", value_delimiter = ',')]
    fallback_pools: Vec<String>,
    /// Who takes its flows to the next pool: local or manual
    #[arg(long, value_name = "WHO")]
    failover: Option<String>,
    /// When they go back to a better pool: after a time such as 10m, or manual
    #[arg(long, value_name = "WHEN")]
    failback: Option<String>,
    /// What becomes of it without a usable pool: withdraw or fail-open
    #[arg(long, value_name = "WHAT")]
    all_down: Option<String>,
    /// What it takes: tcp/80, udp/5000-5100, icmp, 47; with commas between. Without: everything
    #[arg(long = "listener", value_name = "LISTENER", value_delimiter = ',')]
    listeners: Vec<String>,
    /// What decides the backend of a packet: 5-tuple, source or addresses
    #[arg(long, value_name = "WHAT")]
    hash: Option<String>,
    /// What a PoP does with pings: forward, answer or drop
    #[arg(long, value_name = "WHAT")]
    icmp_echo: Option<String>,
    /// The way that its answers take: direct or pop
    #[arg(long = "return", value_name = "WAY")]
    returns: Option<String>,
    /// What a gateway does with answers to a client of which no PoP is known: direct or drop
    #[arg(long, value_name = "WHAT")]
    return_without_pop: Option<String>,
    /// PoPs that it is published at, with commas between
    #[arg(long, value_name = "POP", value_delimiter = ',')]
    publish: Vec<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Args {
    pub(super) fn flags(&self) -> Flags {
        Flags::default()
            .text("address", self.address.as_ref())
            .text("pool", self.pool.as_ref())
            .list("fallback_pools", &self.fallback_pools)
            .text("failover", self.failover.as_ref())
            .text("failback", self.failback.as_ref())
            .text("all_down", self.all_down.as_ref())
            .list("listeners", &self.listeners)
            .text("hash", self.hash.as_ref())
            .text("icmp_echo", self.icmp_echo.as_ref())
            .text("return", self.returns.as_ref())
            .text("return_without_pop", self.return_without_pop.as_ref())
            .list("publish", &self.publish)
    }
}
