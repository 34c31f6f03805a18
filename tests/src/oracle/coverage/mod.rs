//! Which lines of the programs the generated packets reach.
//!
//! The kernel does not tell which instructions ran. So the object that the loader embeds is interpreted here, on the maps
//! that the production code filled, as one more [`Subject`]: that action, bytes and counters are the model's for every
//! packet proves that what was counted is what the kernel would run.
//!
//! The code is optimised code: a line counts as reached when an instruction ran that the compiler says was made from it, or
//! from a function inlined into it. Lines that were optimised away are no lines with code.

mod arithmetic;
mod helpers;
mod instruction;
mod lines;
mod machine;
mod maps;
mod memory;
mod object;
mod report;
mod routes;
mod skb;

use anycast_common::map::Counter;
use anycast_xdp::objects;
use anyhow::{Context as _, Result};

use self::{machine::Machine, maps::KernelMap, object::Object};
use super::{
    kernel::{self, Kernel, name},
    model::{CounterKey, Input, Program},
    subject::{Counters, Subject},
    tables::{Path, Tables},
};

pub use report::{Coverage, FileCoverage, LineCoverage};

/// Directories of what becomes part of the programs.
const SOURCES: [&str; 2] = ["anycast-xdp-ebpf/src/", "anycast-common/src/"];
/// The programs that packets meet: those on tracepoints meet none, and those that explain never run on an interface.
const PROGRAMS: [&str; 10] = [
    "pop",
    "probe",
    "backbone",
    "one_arm",
    "gateway",
    "gateway_return",
    "pop_frags",
    "backbone_frags",
    "one_arm_frags",
    "gateway_frags",
];

/// The programs as an interpreter runs them.
pub struct Interpreted {
    object: Object,
    kernel: Kernel,
    /// The maps of the PoP's object and of the gateway's, in the order of the object's names.
    maps: Option<[Vec<KernelMap>; 2]>,
    executed: Vec<bool>,
}

impl Interpreted {
    /// The embedded object; nothing ran yet.
    ///
    /// # Errors
    ///
    /// An object that this interpreter does not understand.
    pub fn new() -> Result<Self> {
        let object = Object::parse(objects::DATAPATH).context("cannot read the datapath object")?;
        Ok(Self { executed: vec![false; object.code.len()], object, kernel: Kernel::tables_only(), maps: None })
    }

    /// What has been reached until now.
    ///
    /// # Errors
    ///
    /// A source file that cannot be read.
    pub fn coverage(&self) -> Result<Coverage> {
        let code = self.object.within_reach(&PROGRAMS)?;
        Coverage::new(code.into_iter().map(|at| (self.object.lines[at].as_slice(), self.executed[at])))
    }
}

impl Subject for Interpreted {
    fn install(&mut self, tables: &Tables) -> Result<()> {
        self.kernel.install(tables)?;
        let [pop, gateway] = [Program::Pop, Program::Gateway]
            .map(|program| KernelMap::open_all(self.kernel.loaded(program)?, &self.object.maps));
        self.maps = Some([pop?, gateway?]);
        Ok(())
    }

    /// Always, whatever this kernel's test runs can.
    fn can_withhold_headroom(&self) -> Result<bool> {
        Ok(true)
    }

    /// The same.
    fn can_shorten_linear(&self) -> Result<bool> {
        Ok(true)
    }

    /// The same.
    fn can_make_buffers(&self) -> bool {
        true
    }

    fn run(&mut self, input: &Input) -> Result<(u32, Vec<u8>)> {
        self.kernel.before_packet()?;
        let [pop, gateway] = self.maps.as_ref().context("no tables are installed")?;
        let maps = if input.program.host() == Program::Gateway { gateway } else { pop };
        let name = name(input);
        let entry = *self.object.functions.get(&name).with_context(|| format!("the object has no program {name}"))?;
        let marked = self.kernel.marked(input)?;
        let mut machine = Machine::new(&self.object, maps, &marked);
        let action = machine.run(entry, &mut self.executed).with_context(|| format!("program {name}"))?;
        let frame = kernel::unmarked(machine.memory.frame().to_vec(), &marked, input);
        self.kernel.after_packet(input, action);
        if input.program != Program::GatewayReturn {
            return Ok((action, frame));
        }
        let frame = input.buffer.seen(kernel::skb::comparable(frame, input), machine.memory.buffer.vlan_tci);
        Ok((kernel::skb::action(action.cast_signed())?, frame))
    }

    fn counter(&self, key: CounterKey) -> Result<Counter> {
        self.kernel.counter(key)
    }

    fn counters(&self) -> Result<Counters> {
        self.kernel.counters()
    }

    fn paths(&mut self) -> Result<Vec<Path>> {
        self.kernel.paths()
    }
}
