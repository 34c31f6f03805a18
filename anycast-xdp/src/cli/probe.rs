//! `probe`: how a VIP is from here.

mod input;

use std::{net::IpAddr, path::PathBuf, time::Duration};

use super::{
    exit::{Failure, Outcome},
    options::OutputOption,
    render::{self, Style},
    writer,
};
use crate::probe;

/// Measure a VIP from here as a client does, and tell which PoP the way enters at
///
/// Each attempt looks the name up, connects anew and gets the URL once; times are those of curl's --write-out, since the
/// start of the attempt. With --compare both URLs are measured in turn, and the differences are told with how sure they are.
/// Before and after, the routers on the way to the VIP are asked for by datagrams with a growing TTL or hop limit; the last one
/// of them is the PoP, see docs/probe.md for how certain that is. Needs no root, no daemon and no configuration. Ctrl-C ends
/// the attempts, and what was measured is told.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp probe https://www.example.com/
  anycast-xdp probe https://www.example.com/ --compare https://origin.example.com/ --count 50
  anycast-xdp probe https://www.example.com/ --compare https://www.example.com/ --compare-address 198.51.100.7
  anycast-xdp probe https://www.example.com/ --resolve www.example.com:192.0.2.80 --insecure
  anycast-xdp probe tcp://[2001:db8::80]:443 --pop hongkong=2001:db8:1::1 --pop paris=2001:db8:2::1
  anycast-xdp probe http://192.0.2.80/ --pops pops.txt --output json | jq '.path.entry.name'

Exit codes: 0 measured, and no attempt failed, 1 failed, 2 wrong usage, 9 some attempts failed, 10 all attempts failed. An attempt
with an HTTP status from 400 on has failed")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Args {
    /// What is measured: an http, https or tcp URL; of tcp://HOST:PORT only the connection
    url: String,
    /// Measure this URL in turn with the other one, and tell the differences: the way that does not lead through a PoP
    #[arg(long, value_name = "URL")]
    compare: Option<String>,
    /// Connect to this address for the compared URL, whatever its host is: so both have the same name, and certificate
    #[arg(long, value_name = "ADDRESS", requires = "compare")]
    compare_address: Option<IpAddr>,
    /// Attempts at each URL
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// From the start of one attempt to that of the next: seconds, or with a unit (200ms, 1s)
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = input::duration)]
    interval: Duration,
    /// An attempt that takes longer has failed
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = input::timeout)]
    timeout: Duration,
    /// Use the name's first IPv4 address
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// Use the name's first IPv6 address
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Use this address for a name, whatever the resolver says; also several times
    #[arg(long, value_name = "HOST:ADDRESS")]
    resolve: Vec<String>,
    /// Take any certificate
    #[arg(short = 'k', long)]
    insecure: bool,
    /// A PoP and an address that it answers from (its `[icmp] source_ipv4` or `source_ipv6`); also several times
    #[arg(long, value_name = "NAME=ADDRESS")]
    pop: Vec<String>,
    /// A file of PoPs, one NAME=ADDRESS a line
    #[arg(long, value_name = "FILE")]
    pops: Option<PathBuf>,
    /// Look up no names of routers
    #[arg(short = 'n', long)]
    numeric: bool,
    #[command(flatten)]
    output: OutputOption,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let options = input::options(args)?;
    let report = super::run::runtime()?.block_on(probe::run(&options, interrupted()))?;
    writer::write(args.output.output, &report, |report, width| render::probe(report, Style::of_stdout(width)))?;
    match report.attempted_and_failed() {
        (_, 0) => Ok(()),
        (attempted, failed) if attempted == failed => Err(Failure::AllFailed),
        _ => Err(Failure::SomeFailed),
    }
}

/// Ends with the first Ctrl-C; never, where it cannot be heard: then it ends the process.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
