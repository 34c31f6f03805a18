//! The loaded programs as a [`Subject`]: tables go in by the production code, packets by `BPF_PROG_TEST_RUN`.

mod batch;
mod counters;
mod emptied;
mod instance;
mod odd;
mod returns;
pub(super) mod skb;

use std::{fmt, io};

use anycast_common::map::Counter;
use anycast_xdp::dataplane::{
    loader::Loaded,
    second_copy::explaining,
    test_run::{TestFrame, test_run},
};
use anyhow::{Context as _, Result};
use aya::programs::{ProgramError, Xdp};

use self::instance::Instance;
use super::{
    model::{Action, CounterKey, Input, Program},
    subject::{Counters, Subject},
    tables::{GatewayTables, Path, Returns, Tables},
};

/// So many bytes of metadata in front of a frame leave no room for an outer header: a test run has 256 bytes of
/// headroom for both, and keeps 40 of them for its `struct xdp_frame` (`bpf_prog_test_run_xdp`, `bpf_xdp_adjust_head`).
const METADATA_BYTES: usize = 216;
/// The linear part of a test run, unless it is told to be shorter: a page without 256 bytes of headroom and 320 of
/// `struct skb_shared_info`.
pub const LINEAR_BYTES: usize = 4096 - 256 - 320;

/// The programs of a PoP and of a gateway, each on tables of its own.
#[derive(Default)]
pub struct Kernel {
    installed: Option<(Instance, Instance)>,
    is_tables_only: bool,
    /// Flows that one packet begins are not there for the next. The model knows single packets.
    pub forgets: bool,
    /// The last packet may have begun one.
    has_begun: bool,
    /// What the gateway's tables hold, where packets change some of it.
    gateway: GatewayTables,
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("is_installed", &self.installed.is_some()).finish_non_exhaustive()
    }
}

impl Kernel {
    /// Nothing is loaded before tables are installed.
    pub fn new() -> Self {
        Self::default()
    }

    /// The programs stay out of the kernel, which takes its time to verify them: for [`super::coverage`].
    pub(super) fn tables_only() -> Self {
        Self { is_tables_only: true, ..Self::default() }
    }

    /// The same input, with the mark of a probe in its frame.
    pub(super) fn marked(&self, input: &Input) -> Result<Input> {
        Ok(self.instance(input.program)?.marked(input))
    }

    /// The object that holds a program, with its maps.
    pub(super) fn loaded(&self, program: Program) -> Result<&Loaded> {
        Ok(&self.instance(program)?.loaded)
    }

    /// Gives a packet to the twin of its program that explains; `None`: it has none. It counts where its program does.
    pub fn run_explaining(&mut self, input: &Input) -> Result<Option<(u32, Vec<u8>)>> {
        // The packet tests read what classifiers do from what they write.
        if input.program == Program::GatewayReturn || input.mark.is_some() {
            return Ok(None);
        }
        self.before_packet()?;
        let (pop, gateway) = self.installed.as_mut().context("no tables are installed")?;
        let instance = if input.program.host() == Program::Gateway { gateway } else { pop };
        let Some(name) = explaining(&instance.loaded.ebpf, &name(input)) else { return Ok(None) };
        let program = instance.loaded.xdp(name)?;
        let result = run_program(program, input).with_context(|| format!("cannot run program {name}"))?;
        self.after_packet(input, result.0);
        Ok(Some(result))
    }

    /// The tables of flows and of clients' ways as every packet shall find them.
    pub(super) fn before_packet(&mut self) -> Result<()> {
        if let Some((_, gateway)) = &mut self.installed
            && gateway.has_remembered
        {
            gateway.write_paths(&self.gateway)?;
        }
        match &mut self.installed {
            Some((pop, _)) if self.forgets && self.has_begun => pop.reset_flows(),
            _ => Ok(()),
        }
    }

    /// Notes whether the packet may have begun a flow, by the action that it met.
    pub(super) fn after_packet(&mut self, input: &Input, action: u32) {
        let begins = matches!(input.program, Program::Pop | Program::OneArm | Program::Probe);
        self.has_begun = begins && action != Action::Pass as u32;
        let remembers = self.remembers();
        if let Some((_, gateway)) = &mut self.installed {
            gateway.has_remembered |= remembers && input.program == Program::Gateway;
        }
    }

    fn remembers(&self) -> bool {
        self.gateway.returns.vips.iter().any(|returns| *returns != Returns::Direct)
    }

    fn instance(&self, program: Program) -> Result<&Instance> {
        let (pop, gateway) = self.installed.as_ref().context("no tables are installed")?;
        Ok(if program.host() == Program::Gateway { gateway } else { pop })
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
        let (pop, gateway) = self.installed.take().unzip();
        let (mut pop, mut gateway) = (Instance::pop(pop, &tables.pop)?, Instance::gateway(gateway, &tables.gateway)?);
        if !self.is_tables_only {
            for program in ["pop", "probe", "backbone", "pop_frags", "backbone_frags"] {
                pop.loaded.xdp(program)?;
            }
            for program in ["gateway", "gateway_frags"] {
                gateway.loaded.xdp(program)?;
            }
            gateway.loaded.classifier("gateway_return")?;
        }
        self.installed = Some((pop, gateway));
        // None of the flows that the tables have are there yet.
        self.has_begun = true;
        self.gateway = tables.gateway.clone();
        self.forgets = tables.pop.pools.iter().any(|pool| pool.transition.is_some());
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

    /// Of a socket buffer's own a test run takes the length of segments alone.
    fn can_make_buffers(&self) -> bool {
        false
    }

    fn run(&mut self, input: &Input) -> Result<(u32, Vec<u8>)> {
        self.before_packet()?;
        if input.program == Program::GatewayReturn {
            return self.run_classifier(input);
        }
        if let (Program::OneArm, Some((pop, _))) = (input.program, &mut self.installed) {
            // Verified when it is needed: it is as long as the other two together.
            pop.loaded.xdp(&name(input))?;
        }
        let instance = self.instance(input.program)?;
        let marked = instance.marked(input);
        let program = instance.program(&name(input))?;
        let (action, frame) =
            run_program(program, &marked).with_context(|| format!("cannot run program {}", name(input)))?;
        let result = (action, unmarked(frame, &marked, input));
        self.after_packet(input, result.0);
        Ok(result)
    }

    fn counter(&self, key: CounterKey) -> Result<Counter> {
        let program = match key {
            CounterKey::Outcome(program, _)
            | CounterKey::Vip(program, ..)
            | CounterKey::VipDrop(program, ..)
            | CounterKey::Returned(program, _)
            | CounterKey::Stray(program, ..) => program,
            CounterKey::Backend(..) | CounterKey::Probe(_) => Program::Pop,
            CounterKey::Peer(_) => Program::Gateway,
        };
        self.instance(program)?.counter(key)
    }

    fn counters(&self) -> Result<Counters> {
        let mut counters = self.instance(Program::Pop)?.counters(Program::Pop)?;
        counters.extend(self.instance(Program::Gateway)?.counters(Program::Gateway)?);
        Ok(counters)
    }

    fn paths(&mut self) -> Result<Vec<Path>> {
        let (_, gateway) = self.installed.as_mut().context("no tables are installed")?;
        gateway.paths(&self.gateway)
    }
}

impl Kernel {
    fn run_classifier(&self, input: &Input) -> Result<(u32, Vec<u8>)> {
        let name = name(input);
        let program = self.instance(input.program)?.classifier(&name)?;
        let (action, frame) = skb::run(program, input).with_context(|| format!("cannot run program {name}"))?;
        Ok((skb::action(action)?, skb::comparable(frame, input)))
    }
}

/// What the program is called in the object: the variant that the input is for.
pub(super) fn name(input: &Input) -> String {
    let name = match input.program {
        Program::Pop => "pop",
        Program::Backbone => "backbone",
        Program::OneArm => "one_arm",
        Program::Probe => return "probe".to_owned(),
        Program::Gateway => "gateway",
        Program::GatewayReturn => return "gateway_return".to_owned(),
    };
    if input.linear_bytes.is_some() { format!("{name}_frags") } else { name.to_owned() }
}

/// The frame afterwards, with its own source address in the place of the mark, if that is still there.
pub(super) fn unmarked(mut frame: Vec<u8>, marked: &Input, input: &Input) -> Vec<u8> {
    if input.mark.is_some() && frame.get(6..12) == Some(&marked.frame[6..12]) {
        frame[6..12].copy_from_slice(&input.frame[6..12]);
    }
    frame
}

/// Something to try what this kernel takes.
fn trial() -> Input {
    Input::new(Program::Backbone, 1, vec![0; 128])
}

fn run_program(program: &Xdp, input: &Input) -> Result<(u32, Vec<u8>), ProgramError> {
    let metadata_bytes = if input.headroom { 0 } else { METADATA_BYTES };
    // Where the linear part may be as long as it can be, older kernels want to be told of the whole frame.
    let linear_bytes = input.linear_bytes.filter(|bytes| *bytes < LINEAR_BYTES);
    let frame = TestFrame { bytes: &input.frame, ingress_ifindex: input.ingress_ifindex, metadata_bytes, linear_bytes };
    test_run(program, frame)
}
