//! `explain` tells what the real datapath then does, and moves none of its counters.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod answers;
mod gateway;
mod pop;

use std::{net::IpAddr, time::Duration};

use anycast_tests::{
    lab::{Lab, Namespace, capture::Capture, daemon::Daemon},
    live::raw,
};
use anycast_xdp::explain::{capture, headers::hex};
use serde_json::Value;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn explain(daemon: &Daemon, words: &[&str]) -> Value {
    let text = daemon.run_cli(&[&["explain"], words, &["--output", "json"]].concat()).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{words:?}: {error}: {text}"))
}

/// What comes by at `at` when these frames are sent from `from`.
fn captured(lab: &Lab, from: (&Namespace, &str), at: (&Namespace, &str), frames: &[Vec<u8>]) -> Vec<String> {
    let path = lab.scratch.path().join(format!("{}.pcap", at.1));
    let capture = Capture::start(at.0, at.1, &path).unwrap();
    raw::send(from.0, from.1, 0, frames, 1).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    capture.stop().unwrap();
    let seen = capture::read(&std::fs::read(path).unwrap(), None).unwrap();
    seen.iter().map(|frame| hex(&frame.bytes)).collect()
}
