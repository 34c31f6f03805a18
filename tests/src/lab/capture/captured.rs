//! tshark's opinion of a capture.

use std::{path::PathBuf, process::Command, time::Duration};

use anycast_common::header::GUE_PORT;
use anyhow::{Context, Result};

use super::super::command::run_within;

/// Header checksums that tshark can find wrong, outer and inner.
const CHECKSUMS: [&str; 5] = ["ip", "tcp", "udp", "icmp", "icmpv6"];

/// A finished capture.
#[derive(Debug)]
pub struct Captured {
    file: PathBuf,
}

impl Captured {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file }
    }

    /// How many packets match a display filter; empty: all of them.
    pub fn count(&self, filter: &str) -> Result<usize> {
        Ok(self.lines(filter)?.len())
    }

    /// Packets among those that match a display filter with a wrong checksum in any header, outer or inner, one line
    /// each. A TCP or UDP checksum of 0xffff in the place of 0 is right, and what the kernel writes in software
    /// (`CSUM_MANGLED_0`); tshark may take it for wrong.
    pub fn bad_checksums(&self, filter: &str) -> Result<Vec<String>> {
        let bad = CHECKSUMS.map(|protocol| {
            let mangled = match protocol {
                "tcp" | "udp" => format!(" && !({protocol}.checksum == 0xffff)"),
                _ => String::new(),
            };
            format!("({protocol}.checksum.status == \"Bad\"{mangled})")
        });
        self.lines(&format!("({filter}) && ({})", bad.join(" || ")))
    }

    /// How many packets have a checksum of `protocol` (`"tcp"`) that was looked at and found right.
    pub fn good_checksums(&self, protocol: &str) -> Result<usize> {
        self.count(&format!("{protocol}.checksum.status == \"Good\""))
    }

    /// A field of packets that match a display filter, a line each; of several layers, with commas.
    pub fn fields(&self, filter: &str, field: &str) -> Result<Vec<String>> {
        self.dissected(filter, &["-T", "fields", "-e", field])
    }

    /// Several fields of packets that match a display filter, a line each, with tabs; of several layers, with commas.
    pub fn columns(&self, filter: &str, fields: &[&str]) -> Result<Vec<String>> {
        let fields = fields.iter().flat_map(|field| ["-e", field]);
        self.dissected(filter, &["-T", "fields"].into_iter().chain(fields).collect::<Vec<_>>())
    }

    /// The summary lines of packets that match a display filter.
    pub fn lines(&self, filter: &str) -> Result<Vec<String>> {
        self.dissected(filter, &[])
    }

    fn dissected(&self, filter: &str, output: &[&str]) -> Result<Vec<String>> {
        let mut command = Command::new("tshark");
        command.arg("-n").arg("-r").arg(&self.file);
        // Off by default, because most captures see packets before the NIC has filled the checksum in.
        for protocol in ["ip", "tcp", "udp"] {
            command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
        }
        // Each fragment and segment for itself: nothing is put together before it is looked at.
        command.args(["-o", "ip.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE"]);
        // It knows GUE variant 0 only, if that: variant 1 is IP in UDP.
        command.args(["-d", &format!("udp.port=={GUE_PORT},ip")]).args(output);
        if !filter.is_empty() {
            command.args(["-Y", filter]);
        }
        let text = run_within(&mut command, Duration::from_mins(2)).context("reading a capture")?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}
