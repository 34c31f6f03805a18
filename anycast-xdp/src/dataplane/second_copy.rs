//! A second copy of the programs: on the live tables, with counters of its own, so that running it moves nothing.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anycast_common::{
    flow::FlowKey,
    map::{Counter, Explanation, STAGE_BACKEND, STAGE_VIP, VipDropKey},
    outcome::{Class, Outcome},
};
use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf,
    maps::{Array, MapData, MapInfo},
    programs::{ProgramInfo, Xdp},
};

use super::{
    loader::{load_object, load_xdp, open_pin, second_handle},
    tables::{
        Counters, Raw,
        capacity::{FLOW_KEY_MAP, Kind, maps},
        on_every_cpu, typed,
    },
    test_run::{TestFrame, test_run},
};

/// How often a packet is run again because the tables changed between two runs.
const ATTEMPTS_MAX: u32 = 5;

/// Entries of `RETURN_PATHS`: one packet leaves one, and the kernel deals them out to its CPUs by the hundred.
const RETURN_PATHS: u32 = 1024;

/// The copy of one program.
pub struct SecondCopy {
    ebpf: Ebpf,
    counters: Counters,
    explanation: Array<MapData, Raw<Explanation>>,
    program: String,
}

/// What the program did with a frame.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// XDP action.
    pub action: u32,
    /// The frame as the program left it.
    pub frame: Vec<u8>,
    /// What its counters say happened.
    pub outcome: Outcome,
    /// What it added to the counters.
    pub counted: Counted,
    /// What its stages gave.
    pub explanation: Explanation,
    /// False: the tables changed all the time, and the stages may be those of another moment than the rest.
    pub settled: bool,
}

/// What one packet added to the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// By outcome; only of packets that are not forwarded.
    pub outcome: Option<(Outcome, Counter)>,
    /// Of the VIP, by class.
    pub vip: Option<(Class, Counter)>,
    /// Of the VIP, by reason.
    pub vip_drop: Option<Counter>,
    /// Of the backend.
    pub backend: Option<Counter>,
}

impl SecondCopy {
    /// Loads a copy of `attached`, which is `program`, on the tables pinned in `pins`. There is room for the counters of
    /// VIPs and backends below these indexes.
    ///
    /// # Errors
    ///
    /// Whatever the kernel refuses.
    pub fn load(pins: &Path, program: &str, attached: &ProgramInfo, vips: u32, backends: u32) -> Result<Self> {
        let paths: Vec<(_, PathBuf)> = maps(&[Kind::Table]).map(|name| (name, pins.join(name))).collect();
        let mut capacities = Vec::new();
        for name in maps(&[Kind::Counter]) {
            let capacity = match name {
                "VIP_COUNTERS" | "RETURN_COUNTERS" => vips,
                "BACKEND_COUNTERS" => backends,
                "RETURN_PATHS" => RETURN_PATHS,
                // One packet at a time.
                "VIP_DROPS" | "DRIVER_LOSSES" => 1,
                _ => open_pin(pins, name)?.info()?.max_entries(),
            };
            capacities.push((name, capacity));
        }
        let mut ebpf = load_object(&paths, &capacities, flow_key_of(program, attached)?)?;
        load_xdp(&mut ebpf, program)?;
        if let Some(explaining) = explaining(program) {
            load_xdp(&mut ebpf, explaining)?;
        }
        let open = |name: &str| second_handle(&ebpf, name);
        let (counters, explanation) = (Counters::open(&open)?, typed(&open, "EXPLAIN")?);
        Ok(Self { ebpf, counters, explanation, program: program.to_owned() })
    }

    /// Has `attached` the same instructions? Another build of the same ABI may have others.
    ///
    /// # Errors
    ///
    /// The kernel does not tell.
    pub fn is_copy_of(&self, attached: &ProgramInfo) -> Result<bool> {
        Ok(self.xdp(&self.program)?.info()?.tag() == attached.tag())
    }

    /// Runs the program on a frame, and its explaining twin, until both do the same.
    ///
    /// # Errors
    ///
    /// Whatever the kernel refuses.
    pub fn run(&mut self, frame: TestFrame<'_>) -> Result<Verdict> {
        let mut attempt = 1;
        loop {
            let (explained, explanation) = match explaining(&self.program) {
                Some(explaining) => {
                    let (ran, explanation) = self.explain(explaining, frame)?;
                    (Some((ran, self.counted(&explanation)?)), explanation)
                }
                None => (None, Explanation::default()),
            };
            self.reset(&explanation)?;
            let ran =
                test_run(self.xdp(&self.program)?, frame).context("the kernel does not run the program on this")?;
            let did = (ran, self.counted(&explanation)?);
            self.reset(&explanation)?;
            let settled = explained.is_none_or(|explained| explained == did);
            if settled || attempt == ATTEMPTS_MAX {
                let ((action, frame), counted) = did;
                let outcome = counted.outcome.map_or_else(|| self.uncounted(), |(outcome, _)| outcome);
                return Ok(Verdict { action, frame, outcome, counted, explanation, settled });
            }
            attempt += 1;
        }
    }

    fn xdp(&self, name: &str) -> Result<&Xdp> {
        let program = self.ebpf.program(name).with_context(|| format!("the object has no program {name}"))?;
        Ok(program.try_into()?)
    }

    fn explain(&mut self, program: &str, frame: TestFrame<'_>) -> Result<((u32, Vec<u8>), Explanation)> {
        self.explanation.set(0, Raw(Explanation::default()), 0).context("EXPLAIN")?;
        let ran = test_run(self.xdp(program)?, frame).context("the kernel does not run the program on this")?;
        let Raw(explanation) = self.explanation.get(&0, 0).context("EXPLAIN")?;
        Ok((ran, explanation))
    }

    /// What is counted by no outcome: the program counts what goes well by VIP alone, and `backbone` nothing.
    fn uncounted(&self) -> Outcome {
        match self.program.trim_end_matches("_frags") {
            "gateway" => Outcome::Decapsulated,
            "pop" | "one_arm" => Outcome::Forwarded,
            _ => Outcome::NotVip,
        }
    }

    fn counted(&self, explanation: &Explanation) -> Result<Counted> {
        let mut counted = Counted::default();
        for outcome in Outcome::ALL {
            let count: Counter =
                self.counters.outcomes.get(&(*outcome as u32), 0).context("OUTCOMES")?.iter().map(|raw| raw.0).sum();
            if count != Counter::default() {
                counted.outcome = Some((*outcome, count));
            }
        }
        if explanation.has(STAGE_VIP) && explanation.vip_index < self.counters.vips.len() {
            let per_cpu = self.counters.vips.get(&explanation.vip_index, 0).context("VIP_COUNTERS")?;
            let of = |class: Class| per_cpu.iter().map(|classes| classes[class as usize].0).sum::<Counter>();
            counted.vip =
                Class::ALL.map(|class| (class, of(class))).into_iter().find(|(_, count)| *count != Counter::default());
            if let Some((outcome, _)) = counted.outcome {
                let key = Raw(VipDropKey { vip_index: explanation.vip_index, outcome: outcome as u32 });
                let count = self.counters.vip_drops.get(&key, 0).ok();
                counted.vip_drop = count.map(|per_cpu| per_cpu.iter().map(|raw| raw.0).sum());
            }
        }
        if explanation.has(STAGE_BACKEND) && explanation.backend_index < self.counters.backends.len() {
            let per_cpu = self.counters.backends.get(&explanation.backend_index, 0).context("BACKEND_COUNTERS")?;
            let count: Counter = per_cpu.iter().map(|raw| raw.0).sum();
            counted.backend = (count != Counter::default()).then_some(count);
        }
        Ok(counted)
    }

    /// Zeroes what a packet may have been added to.
    fn reset(&mut self, explanation: &Explanation) -> Result<()> {
        for outcome in Outcome::ALL {
            self.counters.outcomes.set(*outcome as u32, on_every_cpu(Raw(Counter::default()))?, 0)?;
        }
        if explanation.has(STAGE_VIP) && explanation.vip_index < self.counters.vips.len() {
            self.counters.reset_vips(&BTreeSet::from([explanation.vip_index]))?;
        }
        if explanation.has(STAGE_BACKEND) && explanation.backend_index < self.counters.backends.len() {
            self.counters.reset_backend(explanation.backend_index)?;
        }
        Ok(())
    }
}

/// The program that does the same and tells of it. `backbone` has nothing to tell.
pub fn explaining(program: &str) -> Option<&'static str> {
    match program {
        "pop" => Some("explain_pop"),
        "one_arm" => Some("explain_one_arm"),
        "one_arm_frags" => Some("explain_one_arm_frags"),
        "gateway" => Some("explain_gateway"),
        "pop_frags" => Some("explain_pop_frags"),
        "gateway_frags" => Some("explain_gateway_frags"),
        _ => None,
    }
}

/// The flow key of the program that is attached. Only `pop` hashes, and has one.
fn flow_key_of(program: &str, attached: &ProgramInfo) -> Result<FlowKey> {
    for id in attached.map_ids()?.unwrap_or_default() {
        if MapInfo::from_id(id)?.name_as_str() == Some(FLOW_KEY_MAP) {
            let map: Array<_, Raw<FlowKey>> = typed(&|_: &str| Ok(MapData::from_id(id)?), FLOW_KEY_MAP)?;
            return Ok(map.get(&0, 0).context("cannot read the flow key")?.0);
        }
    }
    ensure!(
        !program.starts_with("pop") && !program.starts_with("one_arm"),
        "the attached program keeps its flow key elsewhere than those of this build: start the daemon again with this build"
    );
    Ok(FlowKey { words: [0; anycast_common::flow::KEY_WORDS] })
}
