//! Runs other programs, saying which.

mod patiently;
mod root;

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Read},
    process::{Command, ExitStatus, Stdio},
    thread,
};

use anyhow::{Context as _, Result, anyhow, bail};

pub use self::{patiently::patiently, root::as_root};
use crate::say;

/// The cargo that runs us, so that it stays the same one.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Runs in the open: output goes to the terminal.
pub fn open(command: &mut Command) -> Result<ExitStatus> {
    say::note(format!("$ {}", shown(command)));
    command.status().with_context(|| format!("cannot start `{}`", shown(command)))
}

/// Runs in the open; anything but success is an error.
pub fn checked(command: &mut Command) -> Result<()> {
    match open(command)? {
        status if status.success() => Ok(()),
        status => bail!("`{}` failed ({status})", shown(command)),
    }
}

/// Runs unseen and gives stdout.
pub fn stdout_of(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", shown(command), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A program is on the `PATH`, or where Debian keeps the administrator's programs.
pub fn exists(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let administrator = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(Into::into);
    std::env::split_paths(&path).chain(administrator).any(|directory| directory.join(program).exists())
}

/// Runs, shows every line as it comes and gives all of them: stdout and stderr, each in its order.
pub fn watched(command: &mut Command) -> Result<(ExitStatus, Vec<String>)> {
    say::note(format!("$ {}", shown(command)));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    let errors = thread::spawn({
        let pipe = child.stderr.take();
        move || relay(pipe, |line| eprintln!("{line}"))
    });
    let mut lines = relay(child.stdout.take(), |line| say::data(line))?;
    lines.extend(errors.join().map_err(|_| anyhow!("cannot read stderr"))??);
    Ok((child.wait()?, lines))
}

fn relay(pipe: Option<impl Read>, show: impl Fn(&str)) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let Some(pipe) = pipe else { return Ok(lines) };
    for line in BufReader::new(pipe).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        show(&line);
        lines.push(line);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn watched_command_gives_both_outputs_and_its_status() {
        let (status, lines) = watched(&mut shell("echo out; echo err >&2; exit 4")).unwrap();
        assert_eq!(status.code(), Some(4));
        assert_eq!(lines, ["out", "err"]);
    }
}
