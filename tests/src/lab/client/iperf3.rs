//! iperf3, the client's side.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::super::{Namespace, command::output_within};

/// An iperf3 measurement that has yet to run: TCP from client to server at full speed for one second, unless told
/// otherwise.
#[derive(Clone, Debug)]
#[must_use = "call run"]
pub struct Iperf3<'a> {
    namespace: &'a Namespace,
    server: IpAddr,
    options: Vec<String>,
    secs: u32,
}

/// What iperf3 measured over the whole run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Iperf3Report {
    /// Bits of payload per second that arrived.
    pub rate_bits_per_sec: f64,
    /// TCP segments that were sent again; 0 for UDP.
    pub retransmits: u64,
    /// UDP datagrams sent; 0 for TCP.
    pub datagrams: u64,
    /// UDP datagrams that did not arrive.
    pub lost_datagrams: u64,
}

impl<'a> Iperf3<'a> {
    /// A client in this namespace of the server at this address.
    pub fn new(namespace: &'a Namespace, server: IpAddr) -> Self {
        Self { namespace, server, options: Vec::new(), secs: 1 }
    }

    /// Sends UDP datagrams of this many bytes of payload.
    pub fn udp(mut self, payload_bytes: u16) -> Self {
        self.options.extend(["--udp".into(), "--length".into(), payload_bytes.to_string()]);
        self
    }

    /// Sends no faster than this: `"200M"`.
    pub fn rate(mut self, bits_per_sec: &str) -> Self {
        self.options.extend(["--bitrate".into(), bits_per_sec.into()]);
        self
    }

    /// This many flows at once.
    pub fn parallel(mut self, flows: u32) -> Self {
        self.options.extend(["--parallel".into(), flows.to_string()]);
        self
    }

    /// The server sends.
    pub fn reverse(mut self) -> Self {
        self.options.push("--reverse".into());
        self
    }

    /// Runs for this long.
    pub fn secs(mut self, secs: u32) -> Self {
        self.secs = secs;
        self
    }

    /// Runs it.
    pub fn run(self) -> Result<Iperf3Report> {
        let mut command = self.namespace.command("iperf3");
        command.args(["--client", &self.server.to_string(), "--json", "--connect-timeout", "3000"]);
        command.args(["--time", &self.secs.to_string()]).args(&self.options);
        let output = output_within(&mut command, Duration::from_secs(u64::from(self.secs) + 15))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let json: Value = serde_json::from_str(&text).with_context(|| format!("what iperf3 says: {text}"))?;
        report(&json)
    }
}

fn report(json: &Value) -> Result<Iperf3Report> {
    if let Some(error) = json["error"].as_str() {
        bail!("iperf3: {error}");
    }
    let end = &json["end"];
    let udp = end["sum"].is_object();
    let unsaid = |section: &str, field: &str| format!("iperf3 says nothing about end.{section}.{field}");
    let rate =
        |section: &str| end[section]["bits_per_second"].as_f64().with_context(|| unsaid(section, "bits_per_second"));
    let count = |section: &str, field: &str| end[section][field].as_u64().with_context(|| unsaid(section, field));
    if !udp {
        return Ok(Iperf3Report {
            rate_bits_per_sec: rate("sum_received")?,
            retransmits: count("sum_sent", "retransmits")?,
            ..Iperf3Report::default()
        });
    }
    let lost_percent = end["sum"]["lost_percent"].as_f64().with_context(|| unsaid("sum", "lost_percent"))?;
    Ok(Iperf3Report {
        rate_bits_per_sec: rate("sum")? * (1.0 - lost_percent / 100.0),
        datagrams: count("sum", "packets")?,
        lost_datagrams: count("sum", "lost_packets")?,
        ..Iperf3Report::default()
    })
}
