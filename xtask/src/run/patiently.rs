//! Long commands: progress instead of their output.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::{
    piped,
    said::{Said, last_words},
    shown,
};
use crate::say;

/// How often a silent command is looked at.
const POLL: Duration = Duration::from_millis(100);

/// How often it is said that a command is still at work, where there is no terminal to redraw.
const HEARTBEAT_SECS: u64 = 15;

/// How much of a command's last line is shown: with the seconds before it, one line of a terminal.
const SHOWN_CHARS: usize = 60;

/// Erases to the end of the line (ECMA-48, EL).
const CLEAR_LINE: &str = "\x1b[K";

/// Runs something long: shows how long it has been at it and the last thing it said, and all that it said if it fails.
/// Is ended after `limit`.
pub fn patiently(command: &mut Command, limit: Duration) -> Result<()> {
    let mut child = piped(command)?;
    let said = Said::default();
    let readers = [said.listen(child.stdout.take(), |_| ()), said.listen(child.stderr.take(), |_| ())];
    let (status, took) = wait(&mut child, limit, &said)?;
    let Some(status) = status else {
        bail!("`{}` was ended after {} s", shown(command), limit.as_secs());
    };
    if status.success() {
        if took >= Duration::from_secs(1) {
            say::note(format!("done in {} s", took.as_secs()));
        }
        return Ok(());
    }
    last_words(&readers);
    bail!("`{}` failed ({status})\n{}", shown(command), said.lines().join("\n").trim());
}

/// `None` if it had to be ended.
fn wait(child: &mut Child, limit: Duration, said: &Said) -> Result<(Option<ExitStatus>, Duration)> {
    let started = Instant::now();
    let terminal = stderr().is_terminal();
    let mut shown_secs = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        let elapsed = started.elapsed();
        if elapsed > limit {
            child.kill()?;
            child.wait()?;
            break None;
        }
        let secs = elapsed.as_secs();
        if secs >= shown_secs + if terminal { 1 } else { HEARTBEAT_SECS } {
            shown_secs = secs;
            let last: String =
                said.lines().last().map(|line| line.trim().chars().take(SHOWN_CHARS).collect()).unwrap_or_default();
            if terminal {
                eprint!("\r{CLEAR_LINE}    {secs} s  {last}");
                stderr().flush()?;
            } else {
                say::note(format!("{secs} s  {last}"));
            }
        }
        thread::sleep(POLL);
    };
    if terminal {
        eprint!("\r{CLEAR_LINE}");
    }
    Ok((status, started.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::shell, *};

    #[test]
    fn failure_tells_what_the_command_said() {
        let error = patiently(&mut shell("echo first; echo second >&2; exit 3"), Duration::from_mins(1)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("first") && text.contains("second") && text.contains("exit status: 3"), "{text}");
    }

    #[test]
    fn command_that_hangs_is_ended_at_the_limit() {
        let started = Instant::now();
        let error = patiently(&mut shell("exec sleep 60"), Duration::from_millis(200)).unwrap_err();
        assert!(error.to_string().contains("was ended after"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
