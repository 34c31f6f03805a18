//! Compares the loaded programs with the model, packet by packet.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anycast_tests::oracle::{
    coverage::{Coverage, Interpreted},
    differential::{self, CASES_FOR_EVERY_OUTCOME, Options, Summary},
    kernel::Kernel,
    place,
    subject::Subject,
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
    /// Interpret the programs instead of running them in the kernel, and tell which of their lines the packets reached
    #[arg(long)]
    coverage: bool,
    /// Fail if fewer lines in a hundred are reached
    #[arg(long, value_name = "PERCENT", requires = "coverage")]
    at_least: Option<f64>,
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

fn run(Arguments { cases, seed, first, coverage, at_least, output }: Arguments) -> Result<ExitCode> {
    let options = Options { first, cases, seed };
    if !coverage {
        let Some(summary) = compare(&mut Kernel::new(), options)? else { return Ok(ExitCode::FAILURE) };
        match output {
            Output::Text => write!(io::stdout(), "{summary}")?,
            Output::Json => writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&summary)?)?,
        }
        return judge(&summary);
    }
    let mut interpreted = Interpreted::new()?;
    let Some(summary) = compare(&mut interpreted, options)? else { return Ok(ExitCode::FAILURE) };
    let coverage = interpreted.coverage()?;
    match output {
        Output::Text => write!(io::stdout(), "{summary}\n{coverage}")?,
        Output::Json => {
            let both = serde_json::json!({ "summary": summary, "coverage": coverage });
            writeln!(io::stdout(), "{both:#}")?;
        }
    }
    let code = judge(&summary)?;
    Ok(if is_enough(&coverage, at_least)? { code } else { ExitCode::FAILURE })
}

/// `None`: the two differ, and how was told.
fn compare(subject: &mut (dyn Subject + Send), options: Options) -> Result<Option<Summary>> {
    match place::with_interfaces(|interfaces| differential::run(subject, interfaces, options))? {
        Ok(summary) => Ok(Some(summary)),
        Err(failure) => {
            write!(io::stderr(), "{failure}")?;
            Ok(None)
        }
    }
}

fn judge(summary: &Summary) -> Result<ExitCode> {
    if summary.cases >= CASES_FOR_EVERY_OUTCOME && !summary.missing.is_empty() {
        writeln!(io::stderr(), "these outcomes were never generated: {}", summary.missing.join(", "))?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn is_enough(coverage: &Coverage, at_least: Option<f64>) -> Result<bool> {
    let Some(bar) = at_least.filter(|bar| coverage.percent() < *bar) else { return Ok(true) };
    writeln!(io::stderr(), "only {:.1} % of the lines were reached; the bar is {bar} %", coverage.percent())?;
    Ok(false)
}
