//! `--keep` and `down`: a process in the background holds the demo until it is told to end.

use std::{
    env, fs,
    fs::File,
    io,
    os::{fd::AsRawFd as _, unix::process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::lab::{self, wait::wait_for};

/// Holds the process id of the holder while a demo is up.
const PID_FILE: &str = "/run/anycast-xdp-demo.pid";
/// How long building and showing the demo may take.
const UP_LIMIT: Duration = Duration::from_mins(2);
/// How long removing it may take.
const DOWN_LIMIT: Duration = Duration::from_secs(30);

/// Starts the holder and waits until it has shown the demo.
pub(super) fn start() -> Result<()> {
    if let Some(pid) = holder() {
        bail!("a demo is up already (process {pid}); `cargo xtask demo down` removes it");
    }
    let mut command = Command::new(env::current_exe()?);
    command.arg("hold").stdin(Stdio::null());
    // SAFETY: setsid is async-signal-safe and touches no memory. With a session of its own the holder outlives the
    // terminal.
    unsafe {
        command.pre_exec(|| if libc::setsid() < 0 { Err(io::Error::last_os_error()) } else { Ok(()) });
    }
    let mut child = command.spawn().context("starting the demo's holder")?;
    let failed = wait_for("demo", UP_LIMIT, || match child.try_wait() {
        Ok(None) => (holder() == Some(child.id())).then_some(None),
        Ok(Some(status)) => Some(Some(status)),
        Err(_) => None,
    })?;
    ensure!(failed.is_none(), "the demo failed");
    eprintln!("the demo stays up; `cargo xtask demo down` removes it");
    Ok(())
}

/// The holder: shows the demo, and keeps it until a signal ends the process.
pub(super) fn hold<T>(show: impl FnOnce() -> Result<T>) -> Result<()> {
    lab::clean_up_on_signals()?;
    let _kept = show()?;
    // Whoever reads the output of `demo --keep` waits for its end.
    let null = File::options().write(true).open("/dev/null")?;
    for stream in [io::stdout().as_raw_fd(), io::stderr().as_raw_fd()] {
        // SAFETY: both descriptors are open, and std's streams work with any.
        let result = unsafe { libc::dup2(null.as_raw_fd(), stream) };
        ensure!(result >= 0, "letting go of the terminal: {}", io::Error::last_os_error());
    }
    fs::write(PID_FILE, std::process::id().to_string()).context(PID_FILE)?;
    loop {
        std::thread::park();
    }
}

/// Ends the holder, which removes everything.
pub(super) fn down() -> Result<()> {
    let Some(pid) = holder() else {
        // What a killed holder may have left goes here.
        lab::sweep();
        eprintln!("no demo is up");
        return Ok(());
    };
    // SAFETY: kill touches no memory.
    let result = unsafe { libc::kill(libc::pid_t::try_from(pid)?, libc::SIGTERM) };
    ensure!(result == 0, "ending process {pid}: {}", io::Error::last_os_error());
    let gone = || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(());
    wait_for("end of the demo", DOWN_LIMIT, gone)?;
    fs::remove_file(PID_FILE).context(PID_FILE)?;
    eprintln!("the demo is removed");
    Ok(())
}

/// Process id of the living holder. A number of another program, given to it after the holder had died, is not it.
fn holder() -> Option<u32> {
    let pid: u32 = fs::read_to_string(PID_FILE).ok()?.trim().parse().ok()?;
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    command_line.split(|&byte| byte == 0).any(|argument| argument == b"hold").then_some(pid)
}
