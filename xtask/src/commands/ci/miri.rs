//! The step that interprets the tests of anycast-common, looking for undefined behaviour.

use std::{process::Command, time::Duration};

use anyhow::Result;
use xtask::{
    project,
    toolchain::{Origin, installed_compilers},
};

use super::Outcome;
use crate::{run, say};

/// A machine that cannot reach rustup's server must not hang.
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(2);

/// Miri is a thousand times slower than the machine: a property needs few cases to show undefined behaviour.
const PROPERTY_CASES: &str = "4";

/// Looks for miri in rustup's nightlies, adds it where rustup can, and runs it.
pub fn run() -> Result<Outcome> {
    let nightlies = installed_compilers().into_iter().filter_map(|compiler| match compiler.origin {
        Origin::Rustup(name) => Some(name),
        Origin::Distribution => None,
    });
    let Some(toolchain) = nightlies.into_iter().find(|toolchain| has_miri(toolchain) || add_miri(toolchain)) else {
        return Ok(Outcome::Unavailable("no nightly of rustup has miri, or can get it".to_owned()));
    };
    let mut command = Command::new("rustup");
    command.current_dir(project::root()).args(["run", &toolchain, "cargo", "miri", "test"]);
    // Without features: the half that is compiled into the programs. What only userspace has is safe code, with tests
    // over all ports and millions of flows.
    command.args(["--package", "anycast-common", "--lib"]);
    // Reading PROPTEST_CASES and the directory of regressions needs the host.
    command.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("PROPTEST_CASES", PROPERTY_CASES);
    // Something else writes at the same time.
    Ok(Outcome::Checked(run::collected(&mut command)?.0.success()))
}

fn has_miri(toolchain: &str) -> bool {
    run::stdout_of(Command::new("rustup").args(["run", toolchain, "cargo", "miri", "--version"])).is_ok()
}

fn add_miri(toolchain: &str) -> bool {
    say::note(format!("adding miri to {toolchain}"));
    let mut command = Command::new("rustup");
    command.args(["component", "add", "miri", "rust-src", "--toolchain", toolchain]);
    command.env("RUSTUP_MAX_RETRIES", "0").env("RUST_BACKTRACE", "0");
    match run::patiently(&mut command, DOWNLOAD_LIMIT) {
        Ok(()) => has_miri(toolchain),
        Err(error) => {
            say::note(format!("{error:#}"));
            false
        }
    }
}
