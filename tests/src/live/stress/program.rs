//! Packets through the real program, one `BPF_PROG_TEST_RUN` each, as fast as one processor goes.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use aya::{TestRun as _, TestRunOptions, programs::Xdp};

use super::{
    check::{Seen, mix},
    state::{INTERFACES, STEADY_VIPS, VIPS, vip_address},
};
use crate::packet::{Packet, decode_outer};

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;
const XDP_REDIRECT: u32 = 4;

/// Flows of each VIP, so that many slots and places of groups are used.
const FLOWS: u8 = 24;
/// Payload of packets that fit any route, and of those that do not fit a narrow one.
const PAYLOAD_BYTES: [usize; 2] = [32, 300];

/// A frame and what is known of it.
#[derive(Debug)]
pub struct Input {
    n: u8,
    is_large: bool,
    frame: Vec<u8>,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Packets given to the program.
    pub packets: u64,
    /// Forwarded, and of one state.
    pub forwarded: u64,
    /// Passed untouched.
    pub passed: u64,
    /// Dropped.
    pub dropped: u64,
    /// Not of one state.
    pub mixed: u64,
    /// Packets of steady VIPs that were not forwarded although they fit every route.
    pub holes: u64,
    /// The first of what was wrong, in words.
    pub examples: Vec<String>,
}

/// Frames for every VIP, small and large, of many flows.
pub fn packets() -> Vec<Input> {
    let mut inputs = Vec::new();
    for n in 0..VIPS {
        for flow in 0..FLOWS {
            let vip = vip_address(n);
            let client = if vip.is_ipv4() { format!("198.51.100.{flow}") } else { format!("2001:db8:1::{flow:x}") };
            for (is_large, payload_bytes) in [false, true].into_iter().zip(PAYLOAD_BYTES) {
                let packet = Packet::from_to(&client, &vip.to_string()).udp(4000 + u16::from(flow), 53);
                inputs.push(Input { n, is_large, frame: packet.payload_len(payload_bytes).build() });
            }
        }
    }
    inputs
}

impl Tally {
    /// Feeds packets in random order to the program until told to stop, or until something was mixed if that ends it.
    pub fn run(program: &Xdp, inputs: &[Input], stop: &AtomicBool, until_mixed: bool) -> Result<Self> {
        let mut tally = Self::default();
        let mut random = fastrand::Rng::with_seed(1);
        let mut output = [0; 2048];
        let mut context = [0; 24];
        while !(stop.load(Ordering::Relaxed) || until_mixed && tally.mixed > 0) {
            let input = &inputs[random.usize(..inputs.len())];
            context[4..8].copy_from_slice(&(input.frame.len() as u32).to_ne_bytes());
            context[12..16].copy_from_slice(&INTERFACES[0].to_ne_bytes());
            let result = program.test_run(TestRunOptions {
                data_in: Some(&input.frame),
                data_out: Some(&mut output),
                ctx_in: Some(&context),
                ..TestRunOptions::default()
            });
            let result = result.context("test run")?;
            tally.note(input, result.return_value, &output[..result.data_size_out as usize])?;
        }
        Ok(tally)
    }

    fn note(&mut self, input: &Input, action: u32, output: &[u8]) -> Result<()> {
        self.packets += 1;
        let wrong = match action {
            XDP_TX | XDP_REDIRECT => {
                let wrong =
                    seen(input, action, output).map_or_else(|error| Some(format!("{error:#}")), |seen| mix(&seen));
                self.forwarded += u64::from(wrong.is_none());
                self.mixed += u64::from(wrong.is_some());
                wrong
            }
            XDP_PASS => {
                self.passed += 1;
                let changed = output != input.frame;
                self.mixed += u64::from(changed);
                changed.then(|| "passed, but not untouched".to_owned()).or_else(|| self.hole(input, "passed"))
            }
            XDP_DROP => {
                self.dropped += 1;
                self.hole(input, "dropped")
            }
            other => bail!("XDP action {other}"),
        };
        if let Some(wrong) = wrong.filter(|_| self.examples.len() < 10) {
            self.examples.push(wrong);
        }
        Ok(())
    }

    fn hole(&mut self, input: &Input, verdict: &str) -> Option<String> {
        let is_hole = input.n < STEADY_VIPS && !input.is_large;
        self.holes += u64::from(is_hole);
        is_hole.then(|| format!("a packet of steady VIP {} was {verdict}", input.n))
    }
}

/// Reads a frame with a decoder that shares nothing with the program: a torn header does not even decode.
fn seen(input: &Input, action: u32, output: &[u8]) -> Result<Seen> {
    let outer = decode_outer(output)?;
    if outer.inner.len() != input.frame.len() - 14 {
        bail!("the inner packet has {} bytes", outer.inner.len());
    }
    Ok(Seen {
        n: input.n,
        is_large: input.is_large,
        source: outer.source,
        destination: outer.destination,
        destination_mac: outer.destination_mac,
        source_mac: outer.source_mac,
        vlan_id: outer.vlan_ids.first().copied(),
        is_transmitted: action == XDP_TX,
    })
}
