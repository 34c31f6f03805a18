//! `cargo xtask oracle`.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;

use crate::project_build;

/// Compares the loaded programs with the model in plain Rust on generated packets and tables.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// What the oracle is asked: `--cases N --seed S`; with `--coverage --at-least PERCENT` also which lines of the
    /// programs the packets reach.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<ExitCode> {
    project_build::run_lab_program("oracle", &args.arguments)
}
