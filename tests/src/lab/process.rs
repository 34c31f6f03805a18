//! Processes that run in a namespace until they are dropped.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};

use super::{command::start_error, wait::wait_for};

/// A child process with its output in a log file. Killed on drop; then, if a test is failing, the log is shown.
#[derive(Debug)]
pub struct Process {
    what: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the command; stdout and stderr go to `log`, appended.
    pub fn start(what: &str, mut command: Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log).with_context(|| log.display().to_string())?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| start_error(&command))?;
        Ok(Self { what: what.to_owned(), child, log: log.to_owned() })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Waits for `ready`; fails at once, with the log, if the process ends before.
    pub fn wait_until(&mut self, limit: Duration, mut ready: impl FnMut(&Self) -> bool) -> Result<()> {
        let outcome = wait_for(&format!("readiness of {}", self.what), limit, || {
            if ready(self) {
                return Some(Ok(()));
            }
            match self.child.try_wait() {
                Ok(None) => None,
                Ok(Some(status)) => Some(Err(anyhow::anyhow!("{} ended: {status}", self.what))),
                Err(error) => Some(Err(error.into())),
            }
        });
        outcome.and_then(|ended| ended).with_context(|| format!("log of {}:\n{}", self.what, self.log()))
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill().with_context(|| format!("killing {}", self.what))?;
        Ok(self.child.wait()?)
    }

    /// Sends a signal, and waits until the process is gone.
    pub fn stop(&mut self, signal: libc::c_int, limit: Duration) -> Result<ExitStatus> {
        let pid = libc::pid_t::try_from(self.pid()).context("a process id")?;
        // SAFETY: kill touches no memory; the child is not reaped yet, so the id is still its own.
        unsafe { libc::kill(pid, signal) };
        let what = format!("end of {} after signal {signal}", self.what);
        wait_for(&what, limit, || self.child.try_wait().transpose())?.context("waiting for a child")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of {} ---\n{}", self.what, self.log());
        }
    }
}
