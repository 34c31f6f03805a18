//! `export`: the services as a file.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;

use super::{exit::Outcome, options::Output, remote::DaemonOption, writer};
use crate::api::types::ExportQuery;

/// Write the services as a file that `apply` takes
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp export -o services.toml
  anycast-xdp export --revision 40 | diff services.toml -
  anycast-xdp export --output json | jq '.vips[].address'

Exit codes: 0 written, 1 failed, 3 no daemon, 8 no such revision")]
pub(super) struct Args {
    /// Revision whose services are written; without: the newest
    #[arg(long, value_name = "N")]
    revision: Option<u64>,
    /// File that is written in place of stdout
    #[arg(short = 'o', long, value_name = "FILE")]
    out_file: Option<PathBuf>,
    #[command(flatten)]
    daemon: DaemonOption,
    /// Form of the services
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    output: Form,
}

/// Form of the services.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Form {
    /// TOML, as people write it
    #[default]
    Toml,
    /// JSON, for programs
    Json,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let query = ExportQuery { revision: args.revision };
    let output = match args.output {
        Form::Toml => Output::Text,
        Form::Json => Output::Json,
    };
    let text = args.daemon.ask(output, None, async |client| match args.output {
        Form::Toml => client.export_toml(&query).await,
        Form::Json => client.export_json(&query).await.map(|json| format!("{json:#}\n")),
    })?;
    let Some(file) = &args.out_file else {
        return writer::write_text(&text);
    };
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(())
}
