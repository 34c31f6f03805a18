//! The command line: one command a file, data on stdout by one [`writer`], everything for people on stderr.

mod apply;
mod backend;
mod check;
mod completions;
mod create;
mod delete;
mod detach;
mod diff;
mod docs;
mod doctor;
mod drain;
mod exit;
mod explain;
mod export;
mod get;
mod health;
mod history;
mod input;
mod list;
mod man;
mod options;
mod plan;
mod pool;
mod prepare;
mod probe;
mod publishing;
mod remote;
pub mod render;
mod rollback;
mod run;
mod stats;
mod status;
mod top;
mod update;
mod vip;
mod vips;
mod watchdog;
mod writer;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::exit::Outcome;

/// The exit codes, as `--help` and the reference print them.
const EXIT_CODES: &str = "\
Exit codes:
  0  it worked
  1  it failed; stderr says why
  2  wrong usage, or what was written is refused: a configuration, an object, a file of services
  3  nothing is running or pinned for the instance
  4  doctor found warnings
  5  doctor found errors
  6  plan found changes
  7  refused as things are: name taken, much would go, another revision, services of a file
  8  no such object, backend or revision
  9  some attempts of probe failed
 10  all attempts of probe failed
 11  drain waited in vain: packets still arrive";

const EXAMPLES: &str = "\
Examples:
  anycast-xdp check /etc/anycast-xdp.toml
  anycast-xdp run --config /etc/anycast-xdp.toml
  anycast-xdp doctor
  anycast-xdp stats --watch
  anycast-xdp explain tcp 203.0.113.7:4321 192.0.2.80:443
  anycast-xdp probe https://www.example.com/ --compare https://origin.example.com/
  anycast-xdp create vip web --address 192.0.2.10 --pool home --listener tcp/80
  anycast-xdp plan -f services.toml

Environment:
  ANYCAST_XDP_INSTANCE  instance that the commands read, unless --instance says so
  ANYCAST_XDP_SOCKET    socket of the daemon that is asked, unless --socket says so
  ANYCAST_XDP_LOG       what `run` logs: error, warn, info (default), debug, or a filter
  NO_COLOR              no colours, whatever its value
";

/// Anycast ingress on XDP: takes packets for anycast addresses at a PoP and tunnels them to their home region.
#[derive(Debug, Parser)]
#[command(
    name = "anycast-xdp",
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = EXIT_CODES,
    after_long_help = format!("{EXAMPLES}\n{EXIT_CODES}")
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Check(check::Args),
    Doctor(doctor::Args),
    Status(status::Args),
    Vips(vips::Args),
    Stats(stats::Args),
    Top(top::Args),
    Explain(explain::Args),
    Probe(probe::Args),
    Health(health::Args),
    Create(create::Args),
    Get(get::Args),
    List(list::Args),
    Update(update::Args),
    Delete(delete::Args),
    Vip(vip::Args),
    Pool(pool::Args),
    Backend(backend::Args),
    Plan(plan::Args),
    Apply(apply::Args),
    Export(export::Args),
    History(history::Args),
    Diff(diff::Args),
    Rollback(rollback::Args),
    Publishing(publishing::Args),
    Drain(drain::Args),
    Undrain(drain::UndrainArgs),
    Detach(detach::Args),
    Completions(completions::Args),
    Man(man::Args),
    Prepare(prepare::Args),
    Watchdog(watchdog::Args),
    #[command(hide = true)]
    Docs(docs::Args),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    // Usage errors leave from here, with code 2 and a message of clap's.
    match Cli::parse().command.execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

impl Command {
    fn execute(self) -> Outcome {
        match self {
            Self::Run(args) => run::execute(&args),
            Self::Check(args) => check::execute(&args),
            Self::Doctor(args) => doctor::execute(&args),
            Self::Status(args) => status::execute(&args),
            Self::Vips(args) => vips::execute(&args),
            Self::Stats(args) => stats::execute(&args),
            Self::Top(args) => top::execute(args),
            Self::Explain(args) => explain::execute(&args),
            Self::Probe(args) => probe::execute(&args),
            Self::Health(args) => health::execute(&args),
            Self::Create(args) => create::execute(&args),
            Self::Get(args) => get::execute(&args),
            Self::List(args) => list::execute(&args),
            Self::Update(args) => update::execute(&args),
            Self::Delete(args) => delete::execute(&args),
            Self::Vip(args) => vip::execute(&args),
            Self::Pool(args) => pool::execute(&args),
            Self::Backend(args) => backend::execute(&args),
            Self::Plan(args) => plan::execute(&args),
            Self::Apply(args) => apply::execute(&args),
            Self::Export(args) => export::execute(&args),
            Self::History(args) => history::execute(&args),
            Self::Diff(args) => diff::execute(&args),
            Self::Rollback(args) => rollback::execute(&args),
            Self::Publishing(args) => publishing::execute(&args),
            Self::Drain(args) => drain::execute(&args),
            Self::Undrain(args) => drain::undrain(&args),
            Self::Detach(args) => detach::execute(&args),
            Self::Completions(args) => completions::execute(&args),
            Self::Man(args) => man::execute(&args),
            Self::Prepare(args) => prepare::execute(&args),
            Self::Watchdog(args) => watchdog::execute(&args),
            Self::Docs(args) => docs::execute(&args),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn definitions_contradict_nothing() {
        super::Cli::command().debug_assert();
    }
}
