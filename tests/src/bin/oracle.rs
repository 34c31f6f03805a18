//! Compares the loaded programs with the model, packet by packet.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anycast_tests::oracle::{
    differential::{self, CASES_FOR_EVERY_OUTCOME, Options, Summary},
    kernel::Kernel,
    place,
};
use anyhow::Result;
use clap::{Parser, ValueEnum};

/// Feed generated packets and tables to the model of the datapath and to the loaded programs; fail where they differ
#[derive(Debug, Parser)]
struct Arguments {
    /// Packets to compare
    #[arg(long, default_value_t = 100_000)]
    cases: u64,
    /// What tables and packets follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of the first case: with `--cases 1`, one case of a run again
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Form of the summary
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Text,
    Json,
}

fn main() -> ExitCode {
    run(Arguments::parse()).unwrap_or_else(|error| {
        // Nothing is left to do where standard error is closed.
        let _ = writeln!(io::stderr(), "error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(Arguments { cases, seed, first, output }: Arguments) -> Result<ExitCode> {
    let options = Options { first, cases, seed };
    match place::with_interfaces(|interfaces| differential::run(&mut Kernel::new(), interfaces, options))? {
        Ok(summary) => report(&summary, output),
        Err(failure) => {
            write!(io::stderr(), "{failure}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn report(summary: &Summary, output: Output) -> Result<ExitCode> {
    match output {
        Output::Text => write!(io::stdout(), "{summary}")?,
        Output::Json => writeln!(io::stdout(), "{}", serde_json::to_string_pretty(summary)?)?,
    }
    if summary.cases >= CASES_FOR_EVERY_OUTCOME && !summary.missing.is_empty() {
        writeln!(io::stderr(), "these outcomes were never generated: {}", summary.missing.join(", "))?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
