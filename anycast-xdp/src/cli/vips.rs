//! `vips`.

use super::{
    exit::Outcome,
    options::{InstanceOption, OutputOption},
    render, writer,
};

/// List the VIPs that the datapath has, their listeners and their pools
///
/// Reads the pinned state, daemon running or not.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp vips
  anycast-xdp vips --output json | jq -r '.[].address'

Exit codes: 0 shown, 1 failed, 3 nothing is pinned for the instance")]
pub(super) struct Args {
    #[command(flatten)]
    instance: InstanceOption,
    #[command(flatten)]
    output: OutputOption,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let vips = args.instance.open()?.vips();
    writer::write(args.output.output, &vips, |vips, width| render::vips(vips, width))
}
