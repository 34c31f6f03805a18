//! `doctor`: why does this host not forward, and what mends it?

use std::path::PathBuf;

use super::{
    exit::{Failure, Outcome},
    options::{OutputOption, instance_name},
    render, writer,
};
use crate::{
    config,
    doctor::{self, Severity, checklist::checklists, facts::Facts},
};

/// Find why this host does not forward, and what mends it
///
/// Looks at kernel, drivers, interfaces, MTUs, routes, neighbours, sysctls, and what is pinned and running; before the
/// first start, too. Each finding has a stable code, says what is wrong in one sentence, and what to paste or write.
/// Changes nothing. Where an instance is running, its counters are watched for a second.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp doctor
  anycast-xdp doctor --config pop.toml --all
  anycast-xdp doctor --output json | jq '.findings[] | select(.severity == \"error\")'
  anycast-xdp doctor --backends                   # what a home-region host needs that does not run this program

Exit codes: 0 nothing but infos, 1 failed, 2 the configuration is refused, 4 warnings, 5 errors")]
pub(super) struct Args {
    /// Configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/anycast-xdp.toml")]
    config: PathBuf,
    /// Instance whose pinned state is looked at, in place of the `instance` of the configuration
    #[arg(long, value_name = "NAME", env = "ANYCAST_XDP_INSTANCE", hide_env_values = true, value_parser = instance_name)]
    instance: Option<String>,
    /// List the checks that found nothing, too (JSON always does)
    #[arg(long)]
    all: bool,
    /// Print what each backend must have that does not run this program, and look at nothing else
    #[arg(long)]
    backends: bool,
    #[command(flatten)]
    output: OutputOption,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let config = config::load(&args.config)?;
    let instance = args.instance.as_ref().unwrap_or(&config.local.instance);
    let facts = super::run::runtime()?.block_on(Facts::gather(&config, instance))?;
    if args.backends {
        return writer::write(args.output.output, &checklists(&config, &facts), |lists, _| render::checklists(lists));
    }
    let report = doctor::examine(&config, &facts);
    writer::write(args.output.output, &report, |report, width| render::doctor(report, args.all, width))?;
    match report.worst() {
        Some(Severity::Error) => Err(Failure::FoundErrors),
        Some(Severity::Warning) => Err(Failure::FoundWarnings),
        Some(Severity::Info) | None => Ok(()),
    }
}
