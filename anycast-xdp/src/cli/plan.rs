//! `plan`: what `apply` would change.

use super::{
    exit::{Failure, Outcome},
    input::file,
    remote::Asking,
    render,
};

/// Show what `apply` of a file would change, and change nothing
///
/// The file has all services: objects that it has not would be deleted. All that is wrong with it is told at once, with
/// line, column, field and what to do.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp plan -f services.toml
  anycast-xdp export | sed 's/guangzhou/shenzhen/' | anycast-xdp plan -f -
  anycast-xdp plan -f services.toml --output json | jq '.changes[] | {action, kind, name}'

Exit codes: 0 nothing to do, 1 failed, 2 the file is refused, 3 no daemon, 6 there are changes")]
pub(super) struct Args {
    /// File of the services, TOML or what `export --output json` writes; - is stdin
    #[arg(short, long, value_name = "FILE")]
    file: String,
    #[command(flatten)]
    remote: Asking,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let source = file::read(&args.file)?;
    let name = source.name.clone();
    let answer = args.remote.ask(Some(&name), async |client| client.plan(source.into_body()).await)?;
    args.remote.write(&answer, |plan, style| render::plan(plan, &name, style))?;
    if answer.value.changes.is_empty() { Ok(()) } else { Err(Failure::FoundChanges) }
}
