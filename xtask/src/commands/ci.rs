//! `cargo xtask ci`.

use std::{
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::Result;
use xtask::{ebpf, project};

use crate::{
    commands::{docs, setup, test, vm},
    counts::{Counts, Skip},
    project_build, run, say,
};

mod miri;

/// What the oracle compares; the same cases every time, so that a failure is of the change.
const ORACLE: [&str; 4] = ["--cases", "50000", "--seed", "1"];
/// Interpreted, which is faster, these must reach so many of a hundred lines of the programs; ARCHITECTURE.md tells what the others are.
const COVERAGE: [&str; 7] = ["--cases", "100000", "--seed", "1", "--coverage", "--at-least", "99"];

/// Everything that must hold before a change goes in.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Leaves out what `cargo xtask test` runs.
    #[arg(long)]
    without_tests: bool,
}

/// How a step ended.
#[derive(Debug)]
enum Outcome {
    /// A check that holds or not.
    Checked(bool),
    /// Tests, counted one by one.
    Tested(Counts),
    /// It cannot be had here; CI goes on.
    Unavailable(String),
}

/// A step by name. Those of a group run at the same time.
type Step = (&'static str, fn() -> Result<Outcome>);

/// Runs the command: all steps, also after one that fails. The last line on stdout is the count.
pub fn run(args: Args) -> Result<ExitCode> {
    setup::ensure()?;
    let mut groups: Vec<&[Step]> = vec![
        &[("format", format)],
        &[("lints", lints)],
        &[("lints of the eBPF programs", ebpf_lints)],
        &[("docs are fresh", fresh_docs)],
    ];
    if !args.without_tests {
        groups.push(&[("tests", tests)]);
    }
    // Miri keeps one core busy, in a target directory of its own.
    groups.extend([
        &[("miri on anycast-common", miri::run as fn() -> _), ("oracle", oracle)],
        &[("coverage of the oracle", coverage as fn() -> _)] as &[Step],
        &[("kernels", kernels)],
    ]);

    let mut summary = Summary::default();
    for group in groups {
        let done = run::side_by_side(group.len(), group, |(name, step)| {
            say::step(format!("ci: {name}"));
            let started = Instant::now();
            Ok((*name, step(), started.elapsed()))
        })?;
        for (name, outcome, took) in done {
            summary.add(name, outcome, took)?;
        }
    }
    say::table(&summary.rows);
    say::data(summary.counts.to_string());
    Ok(if summary.is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Debug)]
struct Summary {
    rows: Vec<[String; 3]>,
    counts: Counts,
    is_good: bool,
}

impl Default for Summary {
    fn default() -> Self {
        Self { rows: vec![["step", "result", "took"].map(str::to_owned)], counts: Counts::default(), is_good: true }
    }
}

impl Summary {
    /// A check counts as one test. A step that cannot even be tried has failed.
    fn add(&mut self, name: &str, outcome: Result<Outcome>, took: Duration) -> Result<()> {
        let result = match outcome {
            Ok(Outcome::Checked(holds)) => {
                self.is_good &= holds;
                if holds {
                    self.counts.passed += 1;
                    "ok".to_owned()
                } else {
                    self.counts.fail(name, "does not hold: see above");
                    "FAILED".to_owned()
                }
            }
            Ok(Outcome::Tested(counts)) => {
                self.is_good &= test::verdict(&counts)?;
                let result = counts.to_string();
                self.counts.add(counts);
                result
            }
            Ok(Outcome::Unavailable(reason)) => {
                let result = format!("skipped: {reason}");
                self.counts.skipped.push(Skip { name: name.to_owned(), reason });
                result
            }
            Err(error) => {
                say::error(&error);
                self.counts.fail(name, format_args!("{error:#}"));
                self.is_good = false;
                "FAILED".to_owned()
            }
        };
        let took = format!("{:.1} s", took.as_secs_f64());
        say::note(format!("{name}: {result} ({took})"));
        self.rows.push([name.to_owned(), result, took]);
        Ok(())
    }
}

fn checked(command: &mut Command) -> Result<Outcome> {
    Ok(Outcome::Checked(run::open(command.current_dir(project::root()))?.success()))
}

fn format() -> Result<Outcome> {
    checked(run::cargo().args(["fmt", "--all", "--check"]))
}

fn lints() -> Result<Outcome> {
    let mut command = run::cargo();
    command.args(["clippy", "--quiet", "--workspace", "--exclude", ebpf::PACKAGE, "--all-targets"]);
    checked(command.args(["--", "-D", "warnings"]))
}

/// On the host's target: the compiler that builds the programs may come without clippy.
fn ebpf_lints() -> Result<Outcome> {
    checked(run::cargo().args(["clippy", "--quiet", "--package", ebpf::PACKAGE, "--", "-D", "warnings"]))
}

fn fresh_docs() -> Result<Outcome> {
    Ok(Outcome::Checked(docs::check()?))
}

fn tests() -> Result<Outcome> {
    Ok(Outcome::Tested(test::all(None)?))
}

fn oracle() -> Result<Outcome> {
    run_oracle(&ORACLE)
}

fn coverage() -> Result<Outcome> {
    run_oracle(&COVERAGE)
}

fn run_oracle(arguments: &[&str]) -> Result<Outcome> {
    let arguments: Vec<_> = arguments.iter().map(Into::into).collect();
    // What the step `kernels` needs, too: one build for both.
    let built = vm::build()?;
    Ok(Outcome::Checked(project_build::run_built(&built, "oracle", &arguments)? == ExitCode::SUCCESS))
}

/// The oldest kernel that is supported, and a new one.
fn kernels() -> Result<Outcome> {
    let emulator = match setup::Emulator::ensure() {
        Ok(emulator) => emulator,
        Err(error) => return Ok(Outcome::Unavailable(format!("no virtual machines here: {error:#}"))),
    };
    Ok(Outcome::Tested(vm::oldest_and_newest(&emulator)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(outcomes: Vec<Result<Outcome>>) -> Summary {
        let mut summary = Summary::default();
        for outcome in outcomes {
            summary.add("step", outcome, Duration::ZERO).unwrap();
        }
        summary
    }

    #[test]
    fn checks_and_tests_are_counted_together() {
        let tests = Counts { passed: 40, ..Counts::default() };
        let summary = summary(vec![Ok(Outcome::Checked(true)), Ok(Outcome::Tested(tests))]);
        assert_eq!(summary.counts.to_string(), "41 passed, 0 failed, 0 skipped");
        assert!(summary.is_good);
    }

    #[test]
    fn step_that_cannot_be_tried_fails() {
        let summary = summary(vec![Ok(Outcome::Checked(true)), Err(anyhow::anyhow!("no such program"))]);
        assert_eq!(summary.counts.to_string(), "1 passed, 1 failed, 0 skipped");
        assert!(!summary.is_good);
    }

    #[test]
    fn unavailable_step_is_skipped_and_does_not_fail() {
        let summary = summary(vec![Ok(Outcome::Unavailable("no miri".to_owned()))]);
        assert_eq!(summary.counts.to_string(), "0 passed, 0 failed, 1 skipped");
        assert!(summary.is_good);
    }
}
