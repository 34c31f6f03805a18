//! `apply`: the services become those of a file.

use super::{exit::Outcome, input::file, remote::Changing};

/// Make the services those of a file
///
/// The file has all services: objects that it has not are deleted. It is one change: all of it is made, or nothing. `plan`
/// shows it first; with its revision as --if-revision nothing else happens than what it showed.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp apply -f services.toml
  anycast-xdp apply -f services.toml --if-revision 41
  anycast-xdp export --revision 40 | anycast-xdp apply -f - --force

Exit codes: 0 done, or it was so before, 1 failed, 2 the file is refused, 3 no daemon, 7 refused without --force, or the \
newest revision is not that of --if-revision")]
pub(super) struct Args {
    /// File of the services, TOML or what `export --output json` writes; - is stdin
    #[arg(short, long, value_name = "FILE")]
    file: String,
    #[command(flatten)]
    remote: Changing,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let source = file::read(&args.file)?;
    let name = source.name.clone();
    args.remote.change(Some(&name), async |client, query| client.apply(source.into_body(), &query).await)
}
