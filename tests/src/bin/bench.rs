//! `cargo xtask bench`.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anycast_tests::bench::{Options, Output, run, table};
use anyhow::Result;
use clap::Parser;

/// Measures what a packet costs, beside floor programs in the same run. Needs root.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Cli {
    #[command(flatten)]
    options: Options,
}

fn main() -> Result<ExitCode> {
    let Cli { options } = Cli::parse();
    let report = run(&options)?;
    let text = match options.output {
        Output::Table => table(&report),
        Output::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(if options.enforce && !report.all_met() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
