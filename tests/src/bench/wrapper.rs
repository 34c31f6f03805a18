//! One wrapper program around one target: runs it, reads the clock stamps, and proves that every packet was treated.

use anycast_common::bench::{STAMPS, WrapConfig, WrapState};
use anycast_xdp::objects;
use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf, EbpfLoader, TestRun as _, TestRunAttrs, TestRunOptions,
    maps::{Array, MapData, ProgramArray},
    programs::Xdp,
};

use super::{
    feed::Feed,
    maps::{self, Value},
    target::{Action, Target},
};

/// Maps of the object that the wrapper does not use, made as small as can be.
const UNUSED_MAPS: [&str; 3] = ["FLOOR_SERVICES", "FLOOR_ADDRESSES", "FLOOR_VIPS"];

/// Live frames are handled in batches of this size: NAPI's own.
const LIVE_BATCH: u32 = 64;

/// Frames that come back must fit; the longest is a short one with an outer IPv6 header.
const OUTPUT_BYTES: usize = 4096;

/// How frames are run through the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In a loop of the kernel on one buffer.
    Loop,
    /// As real frames, which the verdict is carried out on.
    Live,
}

/// A loaded wrapper around a target.
pub struct Wrapper {
    target: Target,
    feed: Feed,
    mode: Mode,
    context: Vec<u8>,
    chunk: u32,
    state: Array<MapData, Value<WrapState>>,
    /// Closing it would empty it.
    _jump: ProgramArray<MapData>,
    ebpf: Ebpf,
}

impl Wrapper {
    /// Loads a wrapper for frames that arrive on the interface `ifindex`.
    pub fn load(target: Target, feed: Feed, mode: Mode, ifindex: u32, chunk: u32) -> Result<Self> {
        let config: WrapConfig = feed.config(target.growth, chunk, mode == Mode::Live)?;
        let config = Value(config);
        let mut loader = EbpfLoader::new();
        loader.override_global("WRAP_CONFIG", &config, true);
        for map in UNUSED_MAPS {
            loader.map_max_entries(map, 1);
        }
        let mut ebpf = loader.load(objects::BENCH).context("cannot load the wrapper's object")?;
        let mut jump: ProgramArray<MapData> = maps::take(&mut ebpf, "TARGET")?;
        program(&mut ebpf)?.load().context("the kernel refuses the wrapper")?;
        jump.set(0, &target.program, 0)
            .with_context(|| format!("{} cannot be called from the wrapper", target.name))?;
        let state = maps::take(&mut ebpf, "STATE")?;
        let context = context(feed.frame.len(), ifindex);
        Ok(Self { target, feed, mode, context, chunk, state, _jump: jump, ebpf })
    }

    /// The target.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Runs `packets` frames and returns nanoseconds per packet, one sample for each chunk.
    pub fn run(&mut self, packets: u32) -> Result<Vec<f64>> {
        let Value(mut state) = self.state.get(&0, 0)?;
        ensure!((packets / self.chunk) as usize + 1 < STAMPS, "more stamps than the wrapper has room for");
        state.next_stamp = state.calls;
        state.stamp_count = 0;
        self.state.set(0, Value(state), 0)?;
        let handled = self.handled()?;
        self.invoke(packets).with_context(|| format!("{} failed to run", self.target.name))?;
        let Value(after) = self.state.get(&0, 0)?;
        self.prove(packets, &state, &after)?;
        if let (Some(before), Some(after)) = (handled, self.handled()?) {
            let counted = after - before;
            ensure!(
                counted == packets as u64,
                "{} was given {packets} packets and counts {counted} that it treated as it should",
                self.target.name
            );
        }
        let stamps = &after.stamps_ns[..after.stamp_count as usize];
        Ok(stamps.windows(2).map(|pair| self.ns_per_packet(pair[1] - pair[0])).collect())
    }

    #[expect(clippy::cast_precision_loss, reason = "a chunk takes milliseconds: far below 2^52 ns")]
    fn ns_per_packet(&self, chunk_ns: u64) -> f64 {
        chunk_ns as f64 / f64::from(self.chunk)
    }

    fn handled(&self) -> Result<Option<u64>> {
        self.target.handled.as_ref().map(|handled| handled()).transpose()
    }

    fn invoke(&mut self, packets: u32) -> Result<()> {
        let mut output = vec![0; OUTPUT_BYTES];
        let mut options = TestRunOptions::new();
        options.data_in = Some(&self.feed.frame);
        options.ctx_in = Some(&self.context);
        options.repeat = packets;
        match self.mode {
            Mode::Loop => options.data_out = Some(&mut output),
            Mode::Live => options.attrs = TestRunAttrs::new().xdp_live_frames(LIVE_BATCH),
        }
        let result = program(&mut self.ebpf)?.test_run(options)?;
        if self.mode == Mode::Live {
            return Ok(());
        }
        let verdict = Action::from_number(result.return_value);
        let growth = result.data_size_out.cast_signed() - i32::try_from(self.feed.frame.len())?;
        let Target { verdict: wanted, growth: wanted_growth, .. } = self.target;
        ensure!(
            verdict == wanted && growth == wanted_growth,
            "it gave {verdict} and grew the frame by {growth} bytes, instead of {wanted} and {wanted_growth}"
        );
        Ok(())
    }

    /// Each call saw the growth that the call before it left behind; the first of a run sees a fresh frame.
    fn prove(&self, packets: u32, before: &WrapState, after: &WrapState) -> Result<()> {
        let name = self.target.name;
        let calls = after.calls - before.calls;
        ensure!(calls == packets as u64, "{name}: the wrapper was called {calls} times for {packets} packets");
        if self.mode == Mode::Live {
            return Ok(());
        }
        let odd = after.odd - before.odd;
        let grown = after.grown.wrapping_sub(before.grown);
        let wanted = (calls - 1).cast_signed() * i64::from(self.target.growth);
        ensure!(
            odd == 0 && grown == wanted,
            "{name}: {calls} packets grew by {grown} bytes in all instead of {wanted}, {odd} of them by another number"
        );
        Ok(())
    }
}

fn program(ebpf: &mut Ebpf) -> Result<&mut Xdp> {
    let program = ebpf.program_mut("wrap").context("the object has no program wrap")?;
    Ok(program.try_into()?)
}

/// `struct xdp_md` (linux/bpf.h): data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
fn context(frame_bytes: usize, ifindex: u32) -> Vec<u8> {
    [0, frame_bytes as u32, 0, ifindex, 0, 0].into_iter().flat_map(u32::to_ne_bytes).collect()
}
