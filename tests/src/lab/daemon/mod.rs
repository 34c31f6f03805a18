//! The real daemon in a namespace.

mod binary;
mod config;
mod ready;
mod stats;
mod together;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

pub use binary::{daemon_binary, other_abi_binary};
pub use config::{GatewayConfig, PopConfig};
pub use stats::Stats;

use self::ready::ReadySocket;
use super::{
    Namespace,
    command::{output_within, run_within},
    process::Process,
    scratch::Scratch,
    wait::wait_for,
};

/// How long a daemon may take to say READY: it waits for neighbours, and the kernel verifies more than a million instructions.
const READY_LIMIT: Duration = Duration::from_mins(1);
/// How long a command on the pinned state may take.
const COMMAND_LIMIT: Duration = Duration::from_mins(1);

/// A daemon and what it has pinned: killed and detached on drop.
#[derive(Debug)]
pub struct Daemon {
    namespace: Arc<Namespace>,
    instance: String,
    binary: PathBuf,
    config: PathBuf,
    log: PathBuf,
    /// Words of the command line before the program.
    behind: Vec<String>,
    process: Option<Process>,
}

impl Daemon {
    /// Writes the configuration to `scratch`, starts the daemon and waits until it is ready.
    pub fn start(namespace: &Arc<Namespace>, scratch: &Scratch, instance: &str, config: &str) -> Result<Self> {
        Self::start_behind(&[], namespace, scratch, instance, config)
    }

    /// The same by another program, which becomes the daemon: `["setpriv", "--ruid=nobody"]`.
    pub fn start_behind(
        words: &[&str],
        namespace: &Arc<Namespace>,
        scratch: &Scratch,
        instance: &str,
        config: &str,
    ) -> Result<Self> {
        let mut daemon = Self {
            namespace: Arc::clone(namespace),
            instance: instance.to_owned(),
            binary: daemon_binary(),
            config: scratch.write(&format!("{instance}.toml"), config)?,
            log: scratch.path().join(format!("{instance}.log")),
            behind: words.iter().map(ToString::to_string).collect(),
            process: None,
        };
        daemon.resume()?;
        Ok(daemon)
    }

    /// Starts the daemon again, after [`Daemon::kill`] or [`Daemon::stop`]; how long it took to be ready.
    pub fn resume(&mut self) -> Result<Duration> {
        ensure!(self.process.is_none(), "the daemon of {} is running", self.instance);
        let socket = ReadySocket::bind(&self.config.with_extension("notify"))?;
        let mut command = match self.behind.as_slice() {
            [] => self.cli(),
            [program, words @ ..] => {
                let mut command = self.namespace.command(program);
                command.args(words).arg(daemon_binary());
                command
            }
        };
        command.arg("run").arg("--config").arg(&self.config).env("NOTIFY_SOCKET", socket.path());
        // Colours and the journal's format are for other readers.
        command.env("NO_COLOR", "1").env_remove("JOURNAL_STREAM");
        // Tests read what was stored for a change, and why an ICMP error was not believed.
        if std::env::var_os("ANYCAST_XDP_LOG").is_none() {
            command.env("ANYCAST_XDP_LOG", "info,anycast_xdp::daemon=debug,anycast_xdp::path_mtu=debug");
        }
        let began = Instant::now();
        let mut process = Process::start(&format!("daemon {}", self.instance), command, &self.log)?;
        process.wait_until(READY_LIMIT, |_| socket.is_ready())?;
        self.process = Some(process);
        Ok(began.elapsed())
    }

    /// Starts another build from now on, and asks that one.
    pub fn set_binary(&mut self, binary: PathBuf) {
        self.binary = binary;
    }

    /// Changes the configuration file; a running daemon does not notice.
    pub fn write_config(&self, config: &str) -> Result<()> {
        std::fs::write(&self.config, config).with_context(|| self.config.display().to_string())
    }

    /// Changes the configuration file and makes the running daemon apply it.
    pub fn reload(&self, config: &str) -> Result<()> {
        let last = self.reread(config)?;
        ensure!(last.contains("is applied"), "{last}");
        Ok(())
    }

    /// Changes the configuration file and makes the running daemon read it; what it says about that.
    pub fn reread(&self, config: &str) -> Result<String> {
        let said = |log: &str| log.matches("the configuration is").count();
        let before = said(&self.log());
        self.write_config(config)?;
        let pid = libc::pid_t::try_from(self.pid().context("the daemon is not running")?)?;
        // SAFETY: kill touches no memory; the child is not reaped yet, so the id is still its own.
        unsafe { libc::kill(pid, libc::SIGHUP) };
        wait_for("the new configuration", READY_LIMIT, || (said(&self.log()) > before).then_some(()))?;
        Ok(self.log().lines().rfind(|line| line.contains("the configuration is")).unwrap_or_default().to_owned())
    }

    /// SIGKILL: what is pinned goes on forwarding.
    pub fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the daemon is not running")?;
        process.kill().map(drop)
    }

    /// SIGTERM, as systemd stops it.
    pub fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the daemon is not running")?;
        let status = process.stop(libc::SIGTERM, COMMAND_LIMIT)?;
        ensure!(status.success(), "the daemon ended with {status}:\n{}", process.log());
        Ok(())
    }

    /// Stops the daemon if it runs, and takes everything away that it pinned.
    pub fn detach(mut self) -> Result<()> {
        if self.process.is_some() {
            self.stop()?;
        }
        self.run_cli(&["detach"]).map(drop)
    }

    /// Name of the instance.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Its configuration file.
    pub fn config_path(&self) -> &Path {
        &self.config
    }

    /// Process id of the running daemon.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// What all starts of this daemon have logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `anycast-xdp stats`.
    pub fn stats(&self) -> Result<Stats> {
        self.json("stats").map(Stats)
    }

    /// `anycast-xdp status`.
    pub fn status(&self) -> Result<Value> {
        self.json("status")
    }

    /// Output of a command on this instance, in text: `daemon.run_cli(&["stats"])`.
    pub fn run_cli(&self, words: &[&str]) -> Result<String> {
        run_within(self.cli().args(words).args(["--instance", &self.instance]), COMMAND_LIMIT)
    }

    fn json(&self, command: &str) -> Result<Value> {
        let text = self.run_cli(&[command, "--output", "json"])?;
        serde_json::from_str(&text).with_context(|| format!("output of {command}: {text}"))
    }

    fn cli(&self) -> Command {
        self.namespace.command(&self.binary)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.process.take());
        // After `detach` there is nothing left, which the command tells by failing.
        let _ = output_within(self.cli().args(["detach", "--instance", &self.instance]), COMMAND_LIMIT);
    }
}
