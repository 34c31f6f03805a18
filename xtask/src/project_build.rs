//! Builds the programs of the workspace and tells where they are.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use xtask::project;

use crate::{commands::setup, run, say};

/// The package of the lab, the integration tests, the demo, the bench and the oracle.
pub const TESTS: &str = "anycast-tests";

/// The daemon's package and its program.
pub const DAEMON: &str = "anycast-xdp";

/// The packages whose tests are built. Always all of them, whatever is wanted: cargo gives a dependency the features that all
/// selected packages and their tests ask for, and compiles it, and all that is above it, once more for another selection.
const PACKAGES: [&str; 4] = [DAEMON, TESTS, "anycast-common", "xtask"];

/// The test of the daemon's package that is linked fastest.
const SMALL_TEST: &str = "cli";

/// The daemon of another ABI version.
const OTHER_ABI: &str = "anycast-xdp-other-abi";

/// Tells tests, demo and bench where the daemon is.
pub const DAEMON_VARIABLE: &str = "ANYCAST_XDP_BIN";

/// An executable that cargo built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executable {
    /// Name of the binary or of the test.
    pub name: String,
    /// Path.
    pub path: PathBuf,
    /// Directory of its package: where cargo runs tests.
    pub package_dir: PathBuf,
    /// It is a test program. Cargo builds the binaries as well, for the tests that call them.
    pub is_test: bool,
}

/// Runs `cargo <arguments>` with its progress shown and gives the executables that it made.
pub fn executables(arguments: &[&str]) -> Result<Vec<Executable>> {
    let mut command = run::cargo();
    command.current_dir(project::root()).args(arguments).arg("--message-format=json-render-diagnostics");
    say::note(format!("$ cargo {}", arguments.join(" ")));
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("`cargo {}` failed", arguments.join(" "));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(executable).collect())
}

fn executable(line: &str) -> Option<Executable> {
    let value: Value = serde_json::from_str(line).ok()?;
    // Build scripts are executables, too.
    if value["target"]["kind"][0] == "custom-build" {
        return None;
    }
    Some(Executable {
        name: value["target"]["name"].as_str()?.to_owned(),
        path: value["executable"].as_str()?.into(),
        package_dir: Path::new(value["manifest_path"].as_str()?).parent()?.to_owned(),
        is_test: value["profile"]["test"].as_bool()?,
    })
}

/// What tells cargo of the packages whose tests are built.
pub fn selection() -> impl Iterator<Item = String> {
    PACKAGES.iter().map(|package| format!("--package={package}"))
}

/// Builds test programs; no names: all of them. With the tests of a package cargo builds its programs as well, for the tests that
/// call them.
pub fn test_programs(names: &[&str]) -> Result<Vec<Executable>> {
    with_tests(names, &[])
}

fn with_tests(names: &[&str], options: &[&str]) -> Result<Vec<Executable>> {
    let selection: Vec<_> = selection().collect();
    let mut arguments = vec!["test", "--quiet", "--no-run"];
    arguments.extend(selection.iter().map(String::as_str));
    for name in names {
        arguments.extend(["--test", name]);
    }
    arguments.extend(options);
    executables(&arguments)
}

/// The program of this name, not its tests.
pub fn program(built: &[Executable], name: &str) -> Result<PathBuf> {
    let found = built.iter().find(|executable| executable.name == name && !executable.is_test);
    Ok(found.with_context(|| format!("cargo built no program {name}"))?.path.clone())
}

/// The daemon, as tests have it.
pub fn daemon() -> Result<PathBuf> {
    program(&test_programs(&[SMALL_TEST])?, DAEMON)
}

/// The daemon of another ABI version, for tests of upgrades, beside the one of [`daemon`]. What others make of the
/// dependencies is used again; the daemon's library and the programs are compiled once more.
pub fn other_abi_daemon() -> Result<PathBuf> {
    let features = format!("--features={DAEMON}/other-abi");
    program(&with_tests(&[SMALL_TEST], &[&features])?, OTHER_ABI)
}

/// Builds a program of the tests crate and the daemon, and runs it as root with these arguments. Its exit code is ours.
pub fn run_lab_program(name: &str, arguments: &[OsString]) -> Result<ExitCode> {
    setup::ensure()?;
    say::step("building in release mode");
    let selection = ["--package", DAEMON, "--package", TESTS, "--bin", DAEMON, "--bin", name];
    let built = executables(&[&["build", "--quiet", "--release"], selection.as_slice()].concat())?;
    run_built(&built, name, arguments)
}

/// Runs a program of the tests crate that is built, with the daemon that is built with it.
pub fn run_built(built: &[Executable], name: &str, arguments: &[OsString]) -> Result<ExitCode> {
    let daemon = program(built, DAEMON)?;
    let mut command = run::as_root(program(built, name)?, &[(DAEMON_VARIABLE, daemon.as_os_str())])?;
    let status = run::open(command.args(arguments))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The target directory of the workspace.
pub fn target_dir() -> Result<PathBuf> {
    let mut command = run::cargo();
    command.current_dir(project::root()).args(["metadata", "--no-deps", "--format-version=1", "--offline"]);
    let metadata: Value = serde_json::from_str(&run::stdout_of(&mut command)?)?;
    Ok(metadata["target_directory"].as_str().context("cargo metadata has no target_directory")?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(kind: &str, is_test: bool, path: Option<&str>) -> String {
        serde_json::json!({
            "reason": "compiler-artifact",
            "manifest_path": "/work/tests/Cargo.toml",
            "target": { "kind": [kind], "name": "packets" },
            "profile": { "test": is_test },
            "executable": path,
        })
        .to_string()
    }

    #[test]
    fn test_program_is_an_executable_of_its_package() {
        let expected = Executable {
            name: "packets".to_owned(),
            path: "/t/packets".into(),
            package_dir: "/work/tests".into(),
            is_test: true,
        };
        assert_eq!(executable(&artifact("test", true, Some("/t/packets"))), Some(expected));
    }

    #[test]
    fn binary_is_not_taken_for_its_own_tests() {
        let is_test = |is_test| executable(&artifact("bin", is_test, Some("/t/b"))).map(|program| program.is_test);
        assert_eq!([is_test(false), is_test(true)], [Some(false), Some(true)]);
    }

    #[test]
    fn libraries_and_build_scripts_are_not_run() {
        assert_eq!(executable(&artifact("lib", false, None)), None);
        assert_eq!(executable(&artifact("custom-build", false, Some("/t/b"))), None);
    }
}
