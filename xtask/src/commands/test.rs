//! `cargo xtask test`.

mod lanes;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus},
};

use anyhow::Result;
use xtask::project;

use crate::{
    commands::setup,
    counts::Counts,
    project_build::{self, DAEMON, Executable},
    run, say,
};

/// Directories of the packages whose tests need nothing but a CPU. Those of others load programs, make namespaces or speak
/// netlink.
const UNPRIVILEGED_DIRS: [&str; 2] = ["anycast-common", "xtask"];

/// Directory of the package whose tests run in a lab.
const LAB_DIR: &str = "tests";

/// How many of the test programs that take longest are shown at the end.
const SLOWEST_SHOWN: usize = 12;

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

/// Runs the tests of all crates, and the examples in their documentation.
pub fn all(filter: Option<&str>) -> Result<Counts> {
    let mut counts = programs(filter);
    say::step("examples in the documentation");
    counts.add(examples(filter)?);
    Ok(counts)
}

/// Lists what failed and what was skipped; false if something failed, or was skipped that must not be.
pub fn verdict(counts: &Counts) -> Result<bool> {
    for skip in &counts.skipped {
        say::data(format!("skipped: {}: {}", skip.name, skip.reason));
    }
    for failure in &counts.failures {
        say::data(format!("failed: {failure}"));
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

/// As cargo runs them: it compiles them anew, and their crates are there.
fn examples(filter: Option<&str>) -> Result<Counts> {
    let mut command = run::cargo();
    command.current_dir(project::root()).args(["test", "--doc", "--no-fail-fast"]).args(project_build::selection());
    // Shown even if they pass: a test says there that it was skipped.
    command.args(filter).args(["--", "--show-output"]);
    counted("cargo test --doc", &mut command, run::watched)
}

/// Builds the test programs as the invoking user, and runs them: pure code as the same user, what talks to the kernel as root.
fn programs(filter: Option<&str>) -> Counts {
    let mut counts = Counts::default();
    let ran = match build().and_then(|(daemon, programs)| in_order(programs, &daemon, filter)) {
        Ok(ran) => ran,
        Err(error) => {
            say::error(&error);
            counts.fail("build of the tests", format_args!("{error:#}"));
            return counts;
        }
    };
    say::table(&lanes::slowest(&ran, SLOWEST_SHOWN));
    for program in ran {
        counts.add(program.counts);
    }
    counts
}

/// First those that need no root, which are short.
fn in_order(programs: Vec<Executable>, daemon: &Path, filter: Option<&str>) -> Result<Vec<lanes::Ran>> {
    let is_unprivileged = |program: &Executable| UNPRIVILEGED_DIRS.iter().any(|dir| program.package_dir.ends_with(dir));
    let (unprivileged, privileged): (Vec<_>, Vec<_>) = programs.into_iter().partition(is_unprivileged);
    say::step("unit and property tests");
    let mut ran = Vec::new();
    for program in &unprivileged {
        ran.push(lanes::timed(program, |Executable { name, path, package_dir, .. }| {
            let mut command = Command::new(path);
            command.current_dir(package_dir).arg("--show-output").args(filter);
            counted(name, &mut command, run::watched)
        })?);
    }
    say::step("tests of the daemon, packet tests and namespace tests, as root");
    ran.extend(in_lanes(privileged, daemon, filter)?);
    Ok(ran)
}

/// First those that may run side by side, then the others, one after the other.
fn in_lanes(programs: Vec<Executable>, daemon: &Path, filter: Option<&str>) -> Result<Vec<lanes::Ran>> {
    let environment = [
        (project_build::DAEMON_VARIABLE, daemon.as_os_str()),
        // Snapshots are compared only: root leaves no files in the checkout, and needs no cargo to find it.
        ("INSTA_UPDATE", OsStr::new("no")),
        ("INSTA_WORKSPACE_ROOT", project::root().as_os_str()),
    ];
    let (sharing, alone) = lanes::split(programs)?;
    say::step("test programs that may run side by side: the output of each is shown when it has ended");
    let mut ran = lanes::run(&sharing, |program| test_program(program, &environment, filter, run::collected))?;
    for program in alone {
        say::step(format!("test program {}", program.name));
        ran.push(lanes::timed(&program, |program| test_program(program, &environment, filter, run::watched))?);
    }
    Ok(ran)
}

/// How a command is run and shown.
type Run = fn(&mut Command) -> Result<(ExitStatus, Vec<String>)>;

fn test_program(
    program: &Executable,
    environment: &[(&str, &OsStr)],
    filter: Option<&str>,
    run: Run,
) -> Result<Counts> {
    let Executable { name, path, package_dir, .. } = program;
    let mut command = run::as_root(path, environment)?;
    // Shown even if they pass: a test says there that it was skipped.
    command.current_dir(package_dir).arg("--nocapture").args(filter);
    if package_dir.ends_with(LAB_DIR) {
        // One at a time: labs carry real traffic and measure, and share the machine's cores.
        command.arg("--test-threads=1");
    }
    counted(name, &mut command, run)
}

/// Runs a command that runs tests. One that fails has a failure, even if no summary says so: a test program that crashed, or an
/// example that does not compile.
fn counted(name: &str, command: &mut Command, run: Run) -> Result<Counts> {
    let (status, lines) = run(command)?;
    let mut counts = Counts::of(&lines);
    if !status.success() && counts.failed == 0 {
        counts.fail(name, format_args!("ended without a summary ({status})"));
    }
    Ok(counts)
}

/// The daemon, and the test programs of all crates.
fn build() -> Result<(PathBuf, Vec<Executable>)> {
    // First: the programs that are left in the target directory are then those of everything else.
    project_build::other_abi_daemon()?;
    let mut programs = project_build::test_programs(&[])?;
    let daemon = project_build::program(&programs, DAEMON)?;
    programs.retain(|program| program.is_test);
    // Cargo tells them in the order in which they were ready.
    programs.sort_by(|a, b| (&a.package_dir, &a.name).cmp(&(&b.package_dir, &b.name)));
    Ok((daemon, programs))
}
