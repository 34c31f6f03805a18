//! Commands that need root.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{IsTerminal as _, stdin},
    os::unix::fs::MetadataExt as _,
    process::Command,
};

use anyhow::{Result, bail};

use super::exists;

/// We are root.
fn is_root() -> bool {
    // The owner of /proc/self is our effective user.
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// A command that runs as root: as it is, or through sudo, which asks for a password only where someone can type it.
/// sudo forgets the environment, so what is needed of it is given here.
pub fn as_root(program: impl AsRef<OsStr>, environment: &[(&str, &OsStr)]) -> Result<Command> {
    if is_root() {
        let mut command = Command::new(program);
        command.envs(environment.iter().copied());
        return Ok(command);
    }
    if !exists("sudo") {
        bail!("`{}` must run as root, and there is no sudo", program.as_ref().display());
    }
    let mut command = Command::new("sudo");
    if !stdin().is_terminal() {
        command.arg("-n");
    }
    command.arg("env");
    for (name, value) in environment {
        let mut assignment = OsString::from(name);
        assignment.push("=");
        assignment.push(value);
        command.arg(assignment);
    }
    command.arg(program);
    Ok(command)
}
