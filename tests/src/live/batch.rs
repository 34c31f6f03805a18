//! `ip` without the time that it takes to start.

use std::{
    io::Write as _,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::time::now_ns;
use crate::lab::Namespace;

/// A running `ip -batch -` in a namespace.
#[derive(Debug)]
pub struct IpBatch(Child);

impl IpBatch {
    /// Starts it.
    pub fn new(namespace: &Namespace) -> Result<Self> {
        let mut command = Command::new("ip");
        command.args(["-force", "-n", namespace.name(), "-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut batch = Self(command.spawn().context("cannot start ip")?);
        // The first line waits for the process to come up.
        batch.run("link show lo")?;
        std::thread::sleep(std::time::Duration::from_millis(50));
        Ok(batch)
    }

    /// Has one line run, and returns the time just before: what the kernel does comes after it. What is wrong with a
    /// line is on stderr only.
    pub fn run(&mut self, line: &str) -> Result<u64> {
        let stdin = self.0.stdin.as_mut().context("no stdin")?;
        let line = format!("{line}\n");
        let before_ns = now_ns();
        stdin.write_all(line.as_bytes()).context("ip ended")?;
        Ok(before_ns)
    }
}

impl Drop for IpBatch {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // Nobody wants its status: errors were on stderr.
        let _ = self.0.wait();
    }
}
