//! `cargo xtask demo`.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;

use crate::project_build;

/// Runs the main job: two PoPs and one home region, a client at each PoP, real HTTP over one VIP.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// What the demo is asked: `--keep` leaves it up, `down` removes it; `--world` shows a small Internet and its failures.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<ExitCode> {
    project_build::run_lab_program("demo", &args.arguments)
}
