//! `cargo xtask test`.

use std::process::ExitCode;

use anyhow::Result;
use xtask::{ebpf, project};

use crate::{
    commands::setup,
    counts::Counts,
    project_build::{self, Executable, TESTS},
    run, say,
};

/// Runs all tests: unit and property tests as you, packet and namespace tests as root.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// Only tests whose name contains this.
    filter: Option<String>,
}

/// Runs the command. The last line on stdout is the count.
pub fn run(args: &Args) -> Result<ExitCode> {
    setup::ensure()?;
    let counts = all(args.filter.as_deref())?;
    let is_good = verdict(&counts)?;
    say::data(counts.to_string());
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests of all crates.
pub fn all(filter: Option<&str>) -> Result<Counts> {
    let mut counts = unit(filter)?;
    counts.add(privileged(filter)?);
    Ok(counts)
}

/// Lists what was skipped; false if something failed, or was skipped that must not be.
pub fn verdict(counts: &Counts) -> Result<bool> {
    for skip in &counts.skipped {
        say::data(format!("skipped: {}: {}", skip.name, skip.reason));
    }
    let forbidden = counts.forbidden_skips()?;
    for skip in &forbidden {
        say::step(format!("{} was skipped, and tests/skips.allowed does not name it", skip.name));
    }
    if counts.passed + counts.failed == 0 && counts.skipped.is_empty() {
        say::step("no test has such a name");
    }
    Ok(counts.failed == 0 && forbidden.is_empty())
}

/// What needs no privileges: everything but the tests crate, and the programs that only compile for BPF.
fn unit(filter: Option<&str>) -> Result<Counts> {
    say::step("unit and property tests");
    let mut command = run::cargo();
    command.current_dir(project::root()).args(["test", "--workspace", "--no-fail-fast"]);
    command.args(["--exclude", ebpf::PACKAGE, "--exclude", TESTS]).args(filter);
    let (status, lines) = run::watched(&mut command)?;
    let mut counts = Counts::of(&lines);
    // A crate that does not compile, a test program that crashed: cargo fails, and no summary says so.
    if !status.success() && counts.failed == 0 {
        counts.failed = 1;
    }
    Ok(counts)
}

/// Built as the invoking user, run as root.
fn privileged(filter: Option<&str>) -> Result<Counts> {
    say::step("packet and namespace tests, as root");
    let daemon = project_build::daemon(false)?;
    // Tests that look for the bench or the demo find them beside the daemon.
    let programs = project_build::executables(&["test", "--quiet", "--package", TESTS, "--no-run"])?;
    let mut counts = Counts::default();
    for Executable { name, path } in programs {
        say::step(format!("{TESTS}: {name}"));
        let mut command = project_build::lab_command(&path, &daemon)?;
        // One at a time: they measure, they attach programs and they share two cores. Shown as it comes, because a
        // test says there why it was skipped.
        command.args(["--nocapture", "--test-threads=1"]).args(filter);
        let (status, lines) = run::watched(&mut command)?;
        let mut own = Counts::of(&lines);
        if !status.success() && own.failed == 0 {
            say::step(format!("{name} ended without a summary ({status})"));
            own.failed = 1;
        }
        counts.add(own);
    }
    Ok(counts)
}
