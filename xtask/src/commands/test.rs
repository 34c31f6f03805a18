//! `cargo xtask test`.

use std::{ffi::OsStr, path::PathBuf, process::ExitCode};

use anyhow::Result;
use xtask::project;

use crate::{
    commands::setup,
    counts::Counts,
    project_build::{self, Executable, TESTS},
    run, say,
};

/// Crates whose tests need nothing but a CPU.
const UNPRIVILEGED: [&str; 2] = ["anycast-common", "xtask"];

/// Crates whose tests load programs, make namespaces or speak netlink.
const PRIVILEGED: [&str; 2] = ["anycast-xdp", TESTS];

/// Directory of the package whose tests run in a lab.
const LAB_DIR: &str = "tests";

/// Runs all tests: pure code as you, what talks to the kernel as root.
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
    let mut counts = unprivileged(filter)?;
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

/// Pure code, run as the invoking user; and the examples in everybody's documentation.
fn unprivileged(filter: Option<&str>) -> Result<Counts> {
    say::step("unit and property tests");
    let mut counts = cargo_test(UNPRIVILEGED, &["--no-fail-fast", "--features=anycast-common/user"], filter)?;
    counts.add(cargo_test(PRIVILEGED, &["--doc"], filter)?);
    Ok(counts)
}

fn cargo_test(packages: [&str; 2], options: &[&str], filter: Option<&str>) -> Result<Counts> {
    let mut command = run::cargo();
    command.current_dir(project::root()).arg("test").args(options);
    command.args(packages.map(|package| format!("--package={package}"))).args(filter);
    // Shown even if they pass: a test says there that it was skipped.
    command.args(["--", "--show-output"]);
    let (status, lines) = run::watched(&mut command)?;
    let mut counts = Counts::of(&lines);
    // A crate that does not compile, a test program that crashed: cargo fails, and no summary says so.
    if !status.success() && counts.failed == 0 {
        counts.failed = 1;
    }
    Ok(counts)
}

/// Crates that talk to the kernel: built as the invoking user, run as root.
fn privileged(filter: Option<&str>) -> Result<Counts> {
    say::step("tests of the daemon, packet tests and namespace tests, as root");
    let mut counts = Counts::default();
    let (daemon, programs) = match build() {
        Ok(built) => built,
        Err(error) => {
            say::error(&error);
            counts.failed = 1;
            return Ok(counts);
        }
    };
    let environment = [
        (project_build::DAEMON_VARIABLE, daemon.as_os_str()),
        // Snapshots are compared only: root leaves no files in the checkout, and needs no cargo to find it.
        ("INSTA_UPDATE", OsStr::new("no")),
        ("INSTA_WORKSPACE_ROOT", project::root().as_os_str()),
    ];
    for Executable { name, path, package_dir, .. } in programs {
        say::step(format!("test program {name}"));
        let mut command = run::as_root(&path, &environment)?;
        // Shown as it comes: a test says there that it was skipped.
        command.current_dir(&package_dir).arg("--nocapture").args(filter);
        if package_dir.ends_with(LAB_DIR) {
            // One at a time: labs carry real traffic and measure, and share the machine's cores.
            command.arg("--test-threads=1");
        }
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

/// The daemon, and the test programs of the privileged crates.
fn build() -> Result<(PathBuf, Vec<Executable>)> {
    // First: the programs that are left in the target directory are then those of everything else.
    project_build::other_abi_daemon()?;
    let daemon = project_build::daemon(false)?;
    let packages = PRIVILEGED.map(|package| format!("--package={package}"));
    let mut programs = project_build::executables(&["test", "--quiet", "--no-run", &packages[0], &packages[1]])?;
    programs.retain(|program| program.is_test);
    // Cargo tells them in the order in which they were ready.
    programs.sort_by(|a, b| (&a.package_dir, &a.name).cmp(&(&b.package_dir, &b.name)));
    Ok((daemon, programs))
}
