//! curl.

use std::{net::IpAddr, path::Path, time::Duration};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{
    super::{Namespace, command::run_within},
    in_url,
};

/// What curl measured, in seconds since it began; 0 where it did not get that far.
#[derive(Clone, Debug, Deserialize)]
pub struct Transfer {
    /// HTTP status.
    pub http_code: u16,
    /// TCP connection established.
    pub time_connect: f64,
    /// First byte of the answer.
    pub time_starttransfer: f64,
    /// Last byte.
    pub time_total: f64,
    /// Bytes of body received.
    pub size_download: u64,
    /// Bytes of body sent.
    pub size_upload: u64,
    /// The local port, which makes the flow.
    pub local_port: u16,
}

/// A curl that has yet to run.
#[derive(Clone, Copy, Debug)]
#[must_use = "call get or put"]
pub struct Curl<'a> {
    namespace: &'a Namespace,
    limit: Duration,
    rate: Option<&'static str>,
}

impl<'a> Curl<'a> {
    /// Runs in this namespace, for at most 20 seconds.
    pub fn new(namespace: &'a Namespace) -> Self {
        Self { namespace, limit: Duration::from_secs(20), rate: None }
    }

    /// Gives up after this time.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Transfers no more bytes a second than this, as curl writes it: `2M`.
    pub fn rate(mut self, bytes_per_sec: &'static str) -> Self {
        self.rate = Some(bytes_per_sec);
        self
    }

    /// GET `http://address/path`.
    pub fn get(&self, address: IpAddr, path: &str) -> Result<Transfer> {
        self.run(&[], address, path)
    }

    /// GET `http://address:port/path`.
    pub fn get_from_port(&self, address: IpAddr, port: u16, path: &str) -> Result<Transfer> {
        self.run(&[], address, &format!(":{port}{path}"))
    }

    /// PUT of a file to `http://address/path`.
    pub fn put(&self, file: &Path, address: IpAddr, path: &str) -> Result<Transfer> {
        let file = file.to_str().context("a path in UTF-8")?;
        self.run(&["--upload-file", file], address, path)
    }

    fn run(&self, options: &[&str], address: IpAddr, path: &str) -> Result<Transfer> {
        let mut command = self.namespace.command("curl");
        let limit_secs = self.limit.as_secs_f64().to_string();
        command.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", &limit_secs]);
        command.args(["--output", "/dev/null", "--write-out", "%{json}"]);
        if let Some(rate) = self.rate {
            command.args(["--limit-rate", rate]);
        }
        command.args(options).arg(format!("http://{}{path}", in_url(address)));
        let json = run_within(&mut command, self.limit + Duration::from_secs(5))?;
        serde_json::from_str(&json).with_context(|| format!("what curl measured: {json}"))
    }
}

/// GET with the usual limit.
pub fn download(client: &Namespace, address: IpAddr, path: &str) -> Result<Transfer> {
    Curl::new(client).get(address, path)
}

/// PUT with the usual limit.
pub fn upload(client: &Namespace, file: &Path, address: IpAddr, path: &str) -> Result<Transfer> {
    Curl::new(client).put(file, address, path)
}
