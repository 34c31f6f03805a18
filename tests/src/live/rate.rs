//! The highest rate that a lab carries without loss when nothing happens.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, bail};

use crate::lab::{
    Namespace,
    stream::{NumberedStream, StreamReport, StreamSpec},
};

/// Tried from the first on.
const RATES_PPS: [u32; 6] = [50_000, 35_000, 25_000, 15_000, 10_000, 5_000];
/// How long each is tried.
const TRIAL: Duration = Duration::from_millis(1500);

/// Finds it with streams of `flows` flows, and says what it was.
pub fn lossless(from: &Namespace, to: &Namespace, destination: SocketAddr, flows: u32) -> Result<StreamSpec> {
    let mut reports = Vec::new();
    for rate_pps in RATES_PPS {
        let spec = StreamSpec::new(destination, rate_pps).flows(flows);
        let stream = NumberedStream::start(from, to, &spec)?;
        std::thread::sleep(TRIAL);
        let report = stream.stop()?;
        if is_whole(&report) {
            eprintln!("baseline: {rate_pps} pps asked, {} reached, {} sent, 0 lost", report.rate_pps, report.sent);
            return Ok(spec);
        }
        reports.push(report);
    }
    bail!("the lab loses datagrams at every rate when nothing happens: {reports:?}")
}

/// Nothing lost, doubled or reordered.
pub fn is_whole(report: &StreamReport) -> bool {
    report.lost == 0 && report.duplicated == 0 && report.reordered == 0 && report.sent > 0
}
