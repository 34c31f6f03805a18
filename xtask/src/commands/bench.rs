//! `cargo xtask bench`.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;

use crate::project_build;

/// Measures ns per packet, beside floor programs in the same run.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// What the bench is asked; `--help` lists it.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<ExitCode> {
    project_build::run_lab_program("bench", &args.arguments)
}
