//! `cargo xtask`: everything that a person or CI runs.

mod apt;
mod commands;
mod counts;
mod project_build;
mod run;
mod say;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{bench, build_ebpf, ci, demo, docs, oracle, setup, test, vm};

/// Everything that a person or CI runs. All commands look first whether this machine has what they need, and install
/// what is missing.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Setup(setup::Args),
    BuildEbpf(build_ebpf::Args),
    Test(test::Args),
    Demo(demo::Args),
    Bench(bench::Args),
    Oracle(oracle::Args),
    Vm(vm::Args),
    Docs(docs::Args),
    Ci(ci::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Setup(args) => setup::run(args),
        Command::BuildEbpf(args) => build_ebpf::run(args),
        Command::Test(args) => test::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Oracle(args) => oracle::run(&args),
        Command::Vm(args) => vm::run(&args),
        Command::Docs(args) => docs::run(args),
        Command::Ci(args) => ci::run(args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            say::error(&error);
            ExitCode::FAILURE
        }
    }
}
