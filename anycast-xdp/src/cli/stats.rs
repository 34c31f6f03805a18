//! `stats`: counters since the instance was first started, or rates.

use std::time::{Duration, Instant};

use super::{
    exit::Outcome,
    options::{InstanceOption, OutputOption},
    render::{self, Rates},
    writer,
};

/// Show the counters of VIPs, backends, outcomes and interfaces
///
/// Per VIP, received = forwarded + answered + passed + dropped, and dropped is the sum of its reasons. Forwarded is
/// handed to the driver; what was lost after that is shown per interface. Counters are kept over a restart of the
/// daemon. Reads the pinned state, daemon running or not.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp stats
  anycast-xdp stats --watch                       # rates, every second
  anycast-xdp stats --watch=10 --output json      # one line of JSON each
  anycast-xdp stats --output json | jq '.vips[] | {name, dropped}'

Exit codes: 0 shown, 1 failed, 3 nothing is pinned for the instance")]
pub(super) struct Args {
    /// Show rates per VIP instead, every SECS seconds until stopped
    #[arg(long, value_name = "SECS", num_args = 0..=1, default_missing_value = "1",
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    watch: Option<u32>,
    #[command(flatten)]
    instance: InstanceOption,
    #[command(flatten)]
    output: OutputOption,
}

pub(super) fn execute(args: &Args) -> Outcome {
    match args.watch {
        None => writer::write(args.output.output, &args.instance.open()?.stats()?, render::stats),
        Some(secs) => watch(args, Duration::from_secs(secs.into())),
    }
}

/// The state is opened anew for each read: it may have been replaced, or be gone.
fn watch(args: &Args, interval: Duration) -> Outcome {
    let mut earlier = args.instance.open()?.stats()?;
    let mut earlier_at = Instant::now();
    loop {
        // The reading takes its time too: the pace is kept from one read to the next, and rates use what really passed.
        std::thread::sleep(interval.saturating_sub(earlier_at.elapsed()));
        let later = args.instance.open()?.stats()?;
        let later_at = Instant::now();
        let rates = Rates::between(&earlier, &later, later_at - earlier_at);
        writer::write_next(args.output.output, &rates, render::rates)?;
        (earlier, earlier_at) = (later, later_at);
    }
}
