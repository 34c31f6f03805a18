//! Classifiers at the egress. The kernel's loop cannot measure them: it does not undo what they do to the packet, and one that
//! was wrapped once is refused (`skb->encapsulation`). So each packet is a call of its own on a new buffer. What the kernel
//! says that it took has the reading of its clock in it, which `floor_pass` pays as well, and the caches are as a system call
//! leaves them.

use std::time::Duration;

use anycast_common::header::ETHERNET_BYTES;
use anyhow::{Context as _, Result, ensure};
use aya::{Ebpf, TestRun as _, TestRunOptions, programs::SchedClassifier};

use super::{
    addresses as at,
    bar::{Against, Bar, RowName},
    feed::Feed,
    floors::Floors,
    measure::{Measured, progress},
    options::Options,
    production::Programs,
    scenario::{FRAME_BYTES_V4, in_tunnel},
    target::{Action, Handled},
    world::World,
    wrapper::{Mode, Wrapper},
};
use crate::packet::Packet;

/// Name of the scenario.
const NAME: &str = "v4_egress";
/// A packet takes so many times as long as in the kernel's loop.
const SLOWNESS: u32 = 20;
/// Calls of a sample.
const CHUNK: u32 = 1000;

/// `ifindex` in `struct __sk_buff` (include/uapi/linux/bpf.h); what is behind it may be left out, and is zero.
const IFINDEX_AT: usize = 40;
/// What a packet grows by at most.
const GROWTH_BYTES: usize = 64;

/// A classifier and what it must do with every packet.
pub struct Classifier<'a> {
    /// Name in the report.
    pub name: &'static str,
    /// The object that it is loaded from.
    pub ebpf: &'a Ebpf,
    /// Its name in there.
    pub program: &'static str,
    /// The action that it must give, in terms of XDP.
    pub verdict: Action,
    /// Bytes that the packet must grow by.
    pub growth: i32,
    /// What it counts itself, where it does.
    pub handled: Option<Handled>,
}

/// An answer to a client whose way is known, as the stack sends it by the access wire; it leaves by the backbone wire.
pub fn measure(floors: &Floors, programs: &Programs, world: &World, options: &Options) -> Result<Vec<Measured>> {
    if !options.wants(NAME) {
        return Ok(Vec::new());
    }
    let (vip, ingress) = (at::VIP_POP_V4.parse()?, world.access.near.ifindex);
    // The way is that of a packet of the client's.
    let inward = programs.gateway.decapsulating("gateway", vip, -20)?;
    Wrapper::load(inward, Feed::new(in_tunnel(at::VIP_POP_V4)), Mode::Loop, ingress, CHUNK)?.run(CHUNK)?;
    let frame = Packet::from_to(at::VIP_POP_V4, at::CLIENT_V4).tcp(at::PORT, 31337).pad_to(FRAME_BYTES_V4).build();
    let floor = floors.wrap(20);
    let bar = Bar { against: Against::NetOf(RowName { scenario: NAME, target: floor.name }), most: 1.2 };
    let ours = programs.gateway.answering("gateway_return", vip, 20)?;
    let mut running = [(floors.leave(), None), (floor, None), (ours, Some(bar))].map(|(classifier, bar)| {
        let Classifier { name: target, verdict, growth, .. } = classifier;
        (classifier, Measured { scenario: NAME, target, verdict, growth, bar, samples: Vec::new() })
    });
    let calls = (options.packets() / SLOWNESS).max(CHUNK);
    for round in 1..=options.rounds() {
        progress(&format!("round {round} of {}: {NAME}", options.rounds()));
        for (classifier, measured) in &mut running {
            measured.samples.extend(classifier.run(&frame, ingress, calls)?);
        }
    }
    progress("");
    Ok(running.into_iter().map(|(_, measured)| measured).collect())
}

impl Classifier<'_> {
    /// Runs it `calls` times and returns nanoseconds per packet, one sample for each chunk.
    fn run(&self, frame: &[u8], ifindex: u32, calls: u32) -> Result<Vec<f64>> {
        let program = self.ebpf.program(self.program).with_context(|| format!("no program {}", self.program))?;
        let program: &SchedClassifier = program.try_into()?;
        let before = self.handled()?;
        let chunks = calls / CHUNK;
        let samples = (0..chunks).map(|_| {
            let mut took = Duration::ZERO;
            for _ in 0..CHUNK {
                took += self.call(program, frame, ifindex)?;
            }
            Ok(took.as_secs_f64() * 1e9 / f64::from(CHUNK))
        });
        let samples = samples.collect::<Result<_>>()?;
        if let (Some(before), Some(after)) = (before, self.handled()?) {
            let (counted, given) = (after - before, u64::from(chunks * CHUNK));
            ensure!(counted == given, "{} was given {given} packets and counts {counted}", self.name);
        }
        Ok(samples)
    }

    fn call(&self, program: &SchedClassifier, frame: &[u8], ifindex: u32) -> Result<Duration> {
        let mut context = [0; IFINDEX_AT + 4];
        context[IFINDEX_AT..].copy_from_slice(&ifindex.to_ne_bytes());
        let mut output = [0; ETHERNET_BYTES + 1500 + GROWTH_BYTES];
        let result = program.test_run(TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut output),
            ctx_in: Some(&context),
            ..TestRunOptions::default()
        })?;
        let verdict = Action::of_classifier(result.return_value.cast_signed());
        let growth = result.data_size_out.cast_signed() - i32::try_from(frame.len())?;
        ensure!(
            verdict == self.verdict && growth == self.growth,
            "{} gave {verdict} and grew the frame by {growth} bytes, instead of {} and {}",
            self.name,
            self.verdict,
            self.growth
        );
        Ok(result.duration)
    }

    fn handled(&self) -> Result<Option<u64>> {
        self.handled.as_ref().map(|handled| handled()).transpose()
    }
}
