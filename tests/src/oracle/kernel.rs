//! The loaded programs as a [`Subject`]: tables go in by the production code, packets by `BPF_PROG_TEST_RUN`.

mod counters;
mod instance;
mod odd;

use std::{fmt, io};

use anycast_common::map::Counter;
use anyhow::{Context as _, Result};
use aya::{
    TestRun as _, TestRunOptions,
    programs::{ProgramError, Xdp},
};

use self::instance::Instance;
use super::{
    model::{CounterKey, Input, Program},
    subject::{Counters, Subject},
    tables::Tables,
};

/// So many bytes of metadata in front of a frame leave no room for an outer header: a test run has 256 bytes of
/// headroom for both, and keeps 40 of them for its `struct xdp_frame` (`bpf_prog_test_run_xdp`, `bpf_xdp_adjust_head`).
const METADATA_BYTES: usize = 216;
/// What a frame grows by at most: an outer header with a tag, and a little more.
const GROWTH_BYTES: usize = 128;
/// The linear part of a test run, unless it is told to be shorter: a page without 256 bytes of headroom and 320 of
/// `struct skb_shared_info`.
pub const LINEAR_BYTES: usize = 4096 - 256 - 320;

/// The programs of a PoP and of a gateway, each on tables of its own.
#[derive(Default)]
pub struct Kernel {
    installed: Option<(Instance, Instance)>,
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("is_installed", &self.installed.is_some()).finish_non_exhaustive()
    }
}

/// `struct xdp_md` (include/uapi/linux/bpf.h), as a test run takes it: offsets into the data that is given.
#[derive(Clone, Copy, Default)]
struct Context {
    data: u32,
    data_end: u32,
    data_meta: u32,
    ingress_ifindex: u32,
    rx_queue_index: u32,
    egress_ifindex: u32,
}

impl Context {
    const BYTES: usize = 24;

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let words =
            [self.data, self.data_end, self.data_meta, self.ingress_ifindex, self.rx_queue_index, self.egress_ifindex];
        std::array::from_fn(|at| words[at / 4].to_ne_bytes()[at % 4])
    }
}

impl Kernel {
    /// Nothing is loaded before tables are installed.
    pub fn new() -> Self {
        Self::default()
    }

    fn instance(&self, program: Program) -> Result<&Instance> {
        let (pop, gateway) = self.installed.as_ref().context("no tables are installed")?;
        Ok(match program {
            Program::Pop | Program::Backbone => pop,
            Program::Gateway => gateway,
        })
    }

    /// Does this kernel run such an input?
    fn is_taken(&self, input: &Input) -> Result<bool> {
        match run_program(self.instance(input.program)?.program(&name(input))?, input) {
            Ok(_) => Ok(true),
            Err(ProgramError::SyscallError(error)) if error.io_error.kind() == io::ErrorKind::InvalidInput => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Subject for Kernel {
    fn install(&mut self, tables: &Tables) -> Result<()> {
        self.installed = Some((Instance::pop(&tables.pop)?, Instance::gateway(&tables.gateway)?));
        Ok(())
    }

    /// Older kernels refuse metadata of more than 32 bytes (`xdp_metalen_invalid`, include/net/xdp.h).
    fn can_withhold_headroom(&self) -> Result<bool> {
        self.is_taken(&Input { headroom: false, ..trial() })
    }

    /// Kernels before 6.18 refuse a context that ends before the data.
    fn can_shorten_linear(&self) -> Result<bool> {
        self.is_taken(&Input { linear_bytes: Some(64), ..trial() })
    }

    fn run(&mut self, input: &Input) -> Result<(u32, Vec<u8>)> {
        let program = self.instance(input.program)?.program(&name(input))?;
        run_program(program, input).with_context(|| format!("cannot run program {}", name(input)))
    }

    fn counter(&self, key: CounterKey) -> Result<Counter> {
        let program = match key {
            CounterKey::Outcome(program, _)
            | CounterKey::Vip(program, ..)
            | CounterKey::VipDrop(program, ..)
            | CounterKey::Stray(program, ..) => program,
            CounterKey::Backend(..) => Program::Pop,
        };
        self.instance(program)?.counter(key)
    }

    fn counters(&self) -> Result<Counters> {
        let mut counters = self.instance(Program::Pop)?.counters(Program::Pop)?;
        counters.extend(self.instance(Program::Gateway)?.counters(Program::Gateway)?);
        Ok(counters)
    }
}

/// The variant that the input is for.
fn name(input: &Input) -> String {
    let name = match input.program {
        Program::Pop => "pop",
        Program::Backbone => "backbone",
        Program::Gateway => "gateway",
    };
    if input.linear_bytes.is_some() { format!("{name}_frags") } else { name.to_owned() }
}

/// Something to try what this kernel takes.
fn trial() -> Input {
    let (program, frame) = (Program::Backbone, vec![0; 128]);
    Input { program, ingress_ifindex: 1, headroom: true, linear_bytes: None, frame }
}

fn run_program(program: &Xdp, input: &Input) -> Result<(u32, Vec<u8>), ProgramError> {
    let metadata_bytes = if input.headroom { 0 } else { METADATA_BYTES };
    // Where the linear part may be as long as it can be, older kernels want to be told of the whole frame.
    let linear_bytes = input.linear_bytes.filter(|bytes| *bytes < LINEAR_BYTES).unwrap_or(input.frame.len());
    let linear_bytes = linear_bytes.min(input.frame.len());
    let mut data = vec![0; metadata_bytes];
    data.extend(&input.frame);
    let context = Context {
        data: metadata_bytes as u32,
        data_end: (metadata_bytes + linear_bytes) as u32,
        ingress_ifindex: input.ingress_ifindex,
        ..Context::default()
    };
    let mut context_after = [0; Context::BYTES];
    let mut data_after = vec![0; data.len() + GROWTH_BYTES];
    let result = program.test_run(TestRunOptions {
        data_in: Some(&data),
        data_out: Some(&mut data_after),
        ctx_in: Some(&context.to_bytes()),
        ctx_out: Some(&mut context_after),
        ..TestRunOptions::default()
    })?;
    // What comes out begins with the metadata; the context says where the frame begins.
    let [a, b, c, d, ..] = context_after;
    let begin = u32::from_ne_bytes([a, b, c, d]) as usize;
    Ok((result.return_value, data_after[begin..result.data_size_out as usize].to_vec()))
}
