//! `status`.

use super::{
    exit::Outcome,
    options::{InstanceOption, OutputOption},
    render, writer,
};

/// Show what is attached, how full the tables are and where backends' packets go
///
/// Reads the pinned state, daemon running or not.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp status
  anycast-xdp status --output json | jq '.attachments[].mode'

Exit codes: 0 shown, 1 failed, 3 nothing is pinned for the instance")]
pub(super) struct Args {
    #[command(flatten)]
    instance: InstanceOption,
    #[command(flatten)]
    output: OutputOption,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let status = args.instance.open()?.status()?;
    writer::write(args.output.output, &status, render::status)
}
