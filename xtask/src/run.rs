//! Runs other programs, saying which.

use std::{
    ffi::OsStr,
    fs,
    io::{IsTerminal as _, Read, Write as _, stderr, stdin},
    os::unix::fs::MetadataExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::say;

/// How often a silent command is looked at.
const POLL: Duration = Duration::from_millis(100);

/// How often it is said that a command is still at work, where there is no terminal to redraw.
const HEARTBEAT_SECS: u64 = 15;

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

/// Runs something long: shows how long it has been at it, and its output only if it fails. Is ended after `limit`.
pub fn patiently(command: &mut Command, limit: Duration) -> Result<()> {
    say::note(format!("$ {}", shown(command)));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    let readers = [reader(child.stdout.take()), reader(child.stderr.take())];
    let (status, took) = wait(&mut child, limit)?;
    let Some(status) = status else {
        bail!("`{}` was ended after {} s", shown(command), limit.as_secs());
    };
    if status.success() {
        if took >= Duration::from_secs(1) {
            say::note(format!("done in {} s", took.as_secs()));
        }
        return Ok(());
    }
    let texts = readers.map(|reader| reader.join().unwrap_or_default());
    bail!("`{}` failed ({status})\n{}", shown(command), texts.concat().trim());
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// `None` if it had to be ended.
fn wait(child: &mut Child, limit: Duration) -> Result<(Option<ExitStatus>, Duration)> {
    let started = Instant::now();
    let terminal = stderr().is_terminal();
    let mut said_secs = 0;
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
        if terminal && secs > said_secs {
            said_secs = secs;
            eprint!("\r    {secs} s ");
            stderr().flush()?;
        } else if !terminal && secs >= said_secs + HEARTBEAT_SECS {
            said_secs = secs;
            say::note(format!("still at it after {secs} s"));
        }
        thread::sleep(POLL);
    };
    if terminal && said_secs > 0 {
        eprint!("\r          \r");
    }
    Ok((status, started.elapsed()))
}

/// We are root.
pub fn is_root() -> bool {
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
        let mut assignment = std::ffi::OsString::from(name);
        assignment.push("=");
        assignment.push(value);
        command.arg(assignment);
    }
    command.arg(program);
    Ok(command)
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
    use std::io::BufRead as _;
    let mut lines = Vec::new();
    let Some(pipe) = pipe else { return Ok(lines) };
    for line in std::io::BufReader::new(pipe).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        show(&line);
        lines.push(line);
    }
    Ok(lines)
}
