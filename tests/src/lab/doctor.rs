//! `anycast-xdp doctor` in a namespace.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Namespace, command::output_within, daemon::daemon_binary};

/// How long it may take: it watches counters for a second.
const LIMIT: Duration = Duration::from_secs(20);

/// What it said.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// Exit code.
    pub exit_code: i32,
    /// The report.
    pub report: Value,
}

/// Has the doctor look at a host with this configuration.
pub fn examine(namespace: &Namespace, config: &Path) -> Result<Diagnosis> {
    examine_by(namespace.command(daemon_binary()), config)
}

/// [`examine`], but within what `wrapper` makes of a command line: `setpriv --bounding-set=-bpf`.
pub fn examine_within(namespace: &Namespace, wrapper: &[&str], config: &Path) -> Result<Diagnosis> {
    let (program, arguments) = wrapper.split_first().context("an empty wrapper")?;
    let mut command = namespace.command(program);
    command.args(arguments).arg(daemon_binary());
    examine_by(command, config)
}

fn examine_by(mut command: Command, config: &Path) -> Result<Diagnosis> {
    command.args(["doctor", "--output", "json", "--config"]).arg(config).env_remove("ANYCAST_XDP_INSTANCE");
    let output = output_within(&mut command, LIMIT)?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report =
        serde_json::from_slice(&output.stdout).with_context(|| format!("{command:?} wrote no JSON: {stderr}"))?;
    Ok(Diagnosis { exit_code: output.status.code().context("ended by a signal")?, report })
}

impl Diagnosis {
    /// Code, place and text of everything of this severity: `error`, `warning` or `info`.
    pub fn of(&self, severity: &str) -> Vec<&Value> {
        self.findings().filter(|finding| finding["severity"] == severity).collect()
    }

    /// The first finding with this code.
    pub fn finding(&self, code: &str) -> Option<&Value> {
        self.findings().find(|finding| finding["code"] == code)
    }

    /// All findings.
    pub fn findings(&self) -> impl Iterator<Item = &Value> {
        self.report["findings"].as_array().into_iter().flatten()
    }
}
