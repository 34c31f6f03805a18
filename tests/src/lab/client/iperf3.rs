//! iperf3, the client's side.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::super::{Namespace, command::output_within};

/// What iperf3 says then.
const SERVER_IS_BUSY: &str = "the server is busy";
/// How long a server may take to be done with the run before.
const BUSY_LIMIT: Duration = Duration::from_secs(5);

/// An iperf3 measurement that has yet to run: TCP from client to server at full speed for one second, unless told
/// otherwise.
#[derive(Clone, Debug)]
#[must_use = "call run"]
pub struct Iperf3<'a> {
    namespace: &'a Namespace,
    server: IpAddr,
    options: Vec<String>,
    length: Length,
}

/// When a run ends.
#[derive(Clone, Copy, Debug)]
enum Length {
    Secs(u32),
    Bytes(u64),
}

/// What iperf3 measured over the whole run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Iperf3Report {
    /// Bits of payload per second that arrived.
    pub rate_bits_per_sec: f64,
    /// Bytes of payload that arrived before the sender said that it was done; for UDP those that were sent.
    pub bytes: u64,
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
        Self { namespace, server, options: Vec::new(), length: Length::Secs(1) }
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
        self.length = Length::Secs(secs);
        self
    }

    /// Runs until so many bytes are sent, of all flows together, however long a busy machine takes for that.
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.length = Length::Bytes(bytes);
        self
    }

    /// Runs it, as soon as the server is done with the run before.
    pub fn run(self) -> Result<Iperf3Report> {
        let deadline = Instant::now() + BUSY_LIMIT;
        loop {
            match report(&self.attempt()?) {
                Err(error) if error.to_string().contains(SERVER_IS_BUSY) && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                report => return report,
            }
        }
    }

    fn attempt(&self) -> Result<Value> {
        let mut command = self.namespace.command("iperf3");
        command.args(["--client", &self.server.to_string(), "--json", "--connect-timeout", "3000"]);
        let limit_secs = match self.length {
            Length::Secs(secs) => {
                command.args(["--time", &secs.to_string()]);
                u64::from(secs) + 15
            }
            Length::Bytes(bytes) => {
                command.args(["--bytes", &bytes.to_string()]);
                60
            }
        };
        let output = output_within(command.args(&self.options), Duration::from_secs(limit_secs))?;
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text).with_context(|| format!("what iperf3 says: {text}"))
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
            bytes: count("sum_received", "bytes")?,
            retransmits: count("sum_sent", "retransmits")?,
            ..Iperf3Report::default()
        });
    }
    let lost_percent = end["sum"]["lost_percent"].as_f64().with_context(|| unsaid("sum", "lost_percent"))?;
    Ok(Iperf3Report {
        rate_bits_per_sec: rate("sum")? * (1.0 - lost_percent / 100.0),
        bytes: count("sum", "bytes")?,
        datagrams: count("sum", "packets")?,
        lost_datagrams: count("sum", "lost_packets")?,
        ..Iperf3Report::default()
    })
}
