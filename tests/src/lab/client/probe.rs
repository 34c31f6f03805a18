//! `anycast-xdp probe`, as somebody without rights runs it.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;

use super::super::{Namespace, command::output_within, daemon::daemon_binary, scratch::Scratch};

/// The user without rights: `nobody`.
const NOBODY: &str = "65534";

/// The program, where that user can read it.
#[derive(Debug)]
pub struct Probe<'a> {
    namespace: &'a Namespace,
    binary: PathBuf,
    environment: Vec<(&'static str, PathBuf)>,
}

/// What it told.
#[derive(Clone, Debug)]
pub struct Probed {
    /// Its exit code.
    pub code: i32,
    /// stdout, which is the report.
    pub report: Value,
    /// stderr.
    pub stderr: String,
}

impl<'a> Probe<'a> {
    /// Runs in this namespace.
    pub fn new(namespace: &'a Namespace, scratch: &Scratch) -> Result<Self> {
        let binary = scratch.path().join("probe");
        // A checkout may be where only its owner gets at.
        fs::copy(daemon_binary(), &binary).context("copying the program")?;
        Ok(Self { namespace, binary, environment: Vec::new() })
    }

    /// With a variable of the environment.
    #[must_use]
    pub fn environment(mut self, name: &'static str, value: PathBuf) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Runs it with these words, split at blanks, and without look-ups of routers' names: a lab has no resolver.
    pub fn run(&self, words: &str) -> Result<Probed> {
        let mut command = self.namespace.command("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--bounding-set=-all"]);
        command.arg(&self.binary).args(["probe", "--numeric", "--output", "json"]).args(words.split_whitespace());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = output_within(&mut command, Duration::from_mins(2))?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code().with_context(|| format!("{}: {stderr}", output.status))?;
        let report = if output.stdout.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&output.stdout)
                .with_context(|| format!("a report: {}", String::from_utf8_lossy(&output.stdout)))?
        };
        Ok(Probed { code, report, stderr })
    }
}

impl Probed {
    /// A time of the first URL's summary in seconds: `secs("time_total", "median_secs")`.
    pub fn secs(&self, time: &str, figure: &str) -> Option<f64> {
        self.report["targets"][0]["summary"][time][figure].as_f64()
    }
}
