//! Runs other programs, saying which.

mod patiently;
mod root;
mod said;
mod side_by_side;

use std::{
    ffi::OsStr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result, bail};

use self::said::{Said, last_words};

pub use self::{patiently::patiently, root::as_root, side_by_side::side_by_side};
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
    find(program).is_some()
}

/// Where that program is.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let administrator = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(Into::into);
    let directories = std::env::split_paths(&path).chain(administrator);
    directories.map(|directory| directory.join(program)).find(|path| path.exists())
}

/// Starts a command without input whose output is read by us.
fn piped(command: &mut Command) -> Result<Child> {
    say::note(format!("$ {}", shown(command)));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", shown(command)))
}

/// Runs, shows every line as it comes and gives all of them, in the order of arrival.
pub fn watched(command: &mut Command) -> Result<(ExitStatus, Vec<String>)> {
    let mut child = piped(command)?;
    let said = Said::default();
    let readers = [
        said.listen(child.stdout.take(), |line| say::data(line)),
        said.listen(child.stderr.take(), |line| eprintln!("{line}")),
    ];
    let status = child.wait()?;
    last_words(&readers);
    Ok((status, said.lines().clone()))
}

/// Runs, and gives all lines of both outputs in the order of arrival. They are shown at the end, in one piece: another
/// command may run at the same time.
pub fn collected(command: &mut Command) -> Result<(ExitStatus, Vec<String>)> {
    let mut child = piped(command)?;
    let said = Said::default();
    let readers = [said.listen(child.stdout.take(), |_| ()), said.listen(child.stderr.take(), |_| ())];
    let status = child.wait()?;
    last_words(&readers);
    let lines = said.lines().clone();
    say::block(format!("output of {}", shown(command)), &lines);
    Ok((status, lines))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

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
        assert!(lines.contains(&"out".to_owned()) && lines.contains(&"err".to_owned()), "{lines:?}");
    }

    #[test]
    fn process_left_behind_does_not_keep_us_waiting() {
        let started = Instant::now();
        let (status, lines) = watched(&mut shell("sleep 30 & echo $!")).unwrap();
        assert!(status.success());
        assert!(started.elapsed() < Duration::from_secs(20));
        Command::new("kill").args(lines).status().unwrap();
    }
}
