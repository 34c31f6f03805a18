//! The daemon in the sandbox of its unit.

use std::{process::Command, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Namespace,
        command::{output_within, run_within},
        daemon::Stats,
        process::Process,
        scratch::Scratch,
    },
    BINARY, FILES, Machine, Unit, wait_for_log,
};

const READY_LIMIT: Duration = Duration::from_mins(1);
const COMMAND_LIMIT: Duration = Duration::from_mins(1);

/// A daemon; killed and detached on drop.
#[derive(Debug)]
pub struct SandboxedDaemon {
    machine: Arc<Machine>,
    host: Arc<Namespace>,
    instance: String,
    log: std::path::PathBuf,
    process: Option<Process>,
}

impl SandboxedDaemon {
    /// Writes the configuration, checks and starts as the unit says, and waits until it is ready.
    pub fn start(
        machine: &Arc<Machine>,
        host: &Arc<Namespace>,
        scratch: &Scratch,
        instance: &str,
        config: &str,
    ) -> Result<Self> {
        scratch.write(&format!("{instance}.toml"), config)?;
        let mut daemon = Self {
            machine: Arc::clone(machine),
            host: Arc::clone(host),
            instance: instance.to_owned(),
            log: scratch.path().join(format!("{instance}.log")),
            process: None,
        };
        daemon.resume(&[])?;
        Ok(daemon)
    }

    /// Starts it again; `tracer` is what runs it, in the sandbox.
    pub fn resume(&mut self, tracer: &[&str]) -> Result<()> {
        ensure!(self.process.is_none(), "the daemon of {} is running", self.instance);
        run_within(
            self.machine.sandbox(&self.host)?.args(self.words(&self.machine.unit, "ExecStartPre")?),
            COMMAND_LIMIT,
        )?;
        let from = self.log().len();
        let mut command = self.machine.sandbox(&self.host)?;
        command.args(tracer).args(self.words(&self.machine.unit, "ExecStart")?);
        command.env("NO_COLOR", "1").env_remove("JOURNAL_STREAM");
        let mut process = Process::start(&format!("daemon {}", self.instance), command, &self.log)?;
        process.wait_until(READY_LIMIT, |process| process.log()[from..].contains(" ready "))?;
        self.process = Some(process);
        Ok(())
    }

    /// Starts its watchdog as that one's unit says, and waits until it watches.
    pub fn watchdog(&self) -> Result<Process> {
        let unit = Unit::packaged("anycast-xdp-watchdog.service")?;
        let mut command = self.machine.sandbox_of(&unit, &self.host)?;
        command.args(self.words(&unit, "ExecStart")?).env("NO_COLOR", "1").env_remove("JOURNAL_STREAM");
        let log = self.log.with_extension("watchdog.log");
        let mut process = Process::start(&format!("watchdog of {}", self.instance), command, &log)?;
        process.wait_until(READY_LIMIT, |process| process.log().contains("watching"))?;
        Ok(process)
    }

    /// The words of one of a unit's commands, with the lab's files in the place of the machine's.
    fn words(&self, unit: &Unit, key: &str) -> Result<Vec<String>> {
        let line = unit.value(key).with_context(|| format!("{key}="))?;
        let line = line.replace("/usr/bin/anycast-xdp", BINARY);
        let line = line.replace("/etc/anycast-xdp.toml", &format!("{FILES}/{}.toml", self.instance));
        Ok(line.split_whitespace().map(str::to_owned).collect())
    }

    /// As `ExecReload=` does: SIGHUP, and waits until the file is applied.
    pub fn reload(&self, scratch: &Scratch, config: &str) -> Result<()> {
        let process = self.process.as_ref().context("the daemon is not running")?;
        let from = process.log().len();
        scratch.write(&format!("{}.toml", self.instance), config)?;
        let pid = libc::pid_t::try_from(process.pid())?;
        // SAFETY: kill touches no memory; the child is not reaped yet, so the id is still its own.
        unsafe { libc::kill(pid, libc::SIGHUP) };
        wait_for_log(process, from, "the configuration is applied", READY_LIMIT)
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("the daemon is not running")?.kill().map(drop)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Process id.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Output of a command of root on this instance.
    pub fn run_cli(&self, words: &[&str]) -> Result<String> {
        run_within(self.cli().args(words).args(["--instance", &self.instance]), COMMAND_LIMIT)
    }

    /// The same in JSON.
    pub fn json(&self, words: &[&str]) -> Result<Value> {
        let text = self.run_cli(&[words, &["--output", "json"]].concat())?;
        serde_json::from_str(&text).with_context(|| text.clone())
    }

    /// `anycast-xdp stats`.
    pub fn stats(&self) -> Result<Stats> {
        self.json(&["stats"]).map(Stats)
    }

    /// What the daemon's API answers to somebody: the status of HTTP and the body; none: he could not even ask.
    pub fn ask(&self, uid: u32, gid: u32, method: &str, path: &str, body: &str) -> Result<Option<(u16, String)>> {
        let mut command = self.machine.person(&self.host, uid, gid);
        let socket = format!("/run/anycast-xdp/{}/api.sock", self.instance);
        command.args(["curl", "-s", "--max-time", "20", "--unix-socket", &socket, "-X", method]);
        command.args(["-H", "content-type: application/toml", "-w", "\n%{http_code}", "--data-binary", body]);
        let output = output_within(command.arg(format!("http://localhost{path}")), COMMAND_LIMIT)?;
        // CURLE_COULDNT_CONNECT
        if output.status.code() == Some(7) {
            return Ok(None);
        }
        let text = String::from_utf8(output.stdout)?;
        let (body, code) = text.rsplit_once('\n').context("no status")?;
        Ok(Some((code.parse()?, body.to_owned())))
    }

    /// Runs a command of the program as somebody without capabilities: exit code and stderr.
    pub fn run_cli_as(&self, uid: u32, gid: u32, words: &[&str]) -> Result<(Option<i32>, String)> {
        let mut command = self.machine.person(&self.host, uid, gid);
        let output =
            output_within(command.arg(BINARY).args(words).args(["--instance", &self.instance]), COMMAND_LIMIT)?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// Runs it in the daemon's sandbox, with all its rights.
    pub fn run_cli_as_daemon(&self, words: &[&str]) -> Result<String> {
        let mut command = self.machine.sandbox(&self.host)?;
        run_within(command.arg(BINARY).args(words).args(["--instance", &self.instance]), COMMAND_LIMIT)
    }

    fn cli(&self) -> Command {
        let mut command = self.machine.root(&self.host);
        command.arg(BINARY);
        command
    }
}

impl Drop for SandboxedDaemon {
    fn drop(&mut self) {
        drop(self.process.take());
        let _ = output_within(self.cli().args(["detach", "--instance", &self.instance]), COMMAND_LIMIT);
    }
}
