//! A second copy of the programs: on the live tables, with counters of its own, so that running it moves nothing.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anycast_common::{
    map::{Counter, DROP_OF_RETURN, Explanation, STAGE_BACKEND, STAGE_VIP, VipDropKey},
    outcome::{Class, Outcome},
};
use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    maps::{Array, MapData, PerCpuArray},
    programs::{SchedClassifier, Xdp},
};

use super::{
    axp::PROBE,
    egress,
    loader::{load_classifier, load_object, load_xdp, open_pin, second_handle},
    programs::Attached,
    tables::{
        Counters, Raw,
        capacity::{Kind, maps},
        on_every_cpu, typed,
    },
    test_run::{TestFrame, test_run, test_run_classifier},
};

/// The map of the ways back, and that of the answers that took one.
pub(super) const RETURN_PATHS: &str = "RETURN_PATHS";
const RETURN_COUNTERS: &str = "RETURN_COUNTERS";

/// How often a packet is run again because the tables changed between two runs.
const ATTEMPTS_MAX: u32 = 5;

/// Clients that a copy of `gateway` remembers: the kernel makes LRU maps for several on each CPU.
const PATHS: u32 = 1024;

/// The copy of one program.
pub struct SecondCopy {
    ebpf: Ebpf,
    counters: Counters,
    returned: PerCpuArray<MapData, Raw<Counter>>,
    explanation: Array<MapData, Raw<Explanation>>,
    program: String,
    explaining: Option<&'static str>,
}

/// What the program did with a frame.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// XDP action, or that of a classifier.
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
    /// Of the VIP, as an answer on its way back.
    pub returned: Option<Counter>,
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
    pub fn load(pins: &Path, program: &str, attached: &Attached, vips: u32, backends: u32) -> Result<Self> {
        // Only `gateway` changes the paths: for the program that reads them they are a table.
        let reads_paths = is_classifier(program);
        let shared = maps(&[Kind::Table]).chain([RETURN_PATHS].into_iter().filter(|_| reads_paths));
        let paths: Vec<(_, PathBuf)> = shared.map(|name| (name, pins.join(name))).collect();
        let mut capacities = Vec::new();
        for name in maps(&[Kind::Counter]).filter(|name| !reads_paths || *name != RETURN_PATHS) {
            let capacity = match name {
                "VIP_COUNTERS" | RETURN_COUNTERS => vips,
                "BACKEND_COUNTERS" => backends,
                RETURN_PATHS => PATHS,
                // One packet at a time.
                "VIP_DROPS" | "DRIVER_LOSSES" => 1,
                _ => open_pin(pins, name)?.info()?.max_entries(),
            };
            capacities.push((name, capacity));
        }
        let mut ebpf = load_object(&paths, &capacities, attached.flow_key)?;
        let explaining = explaining(&ebpf, program);
        for name in [program].into_iter().chain(explaining) {
            if is_classifier(program) {
                load_classifier(&mut ebpf, name)?;
            } else {
                load_xdp(&mut ebpf, name)?;
            }
        }
        let open = |name: &str| second_handle(&ebpf, name);
        let (counters, explanation) = (Counters::open(&open)?, typed(&open, "EXPLAIN")?);
        let returned = typed(&open, RETURN_COUNTERS)?;
        Ok(Self { ebpf, counters, returned, explanation, program: program.to_owned(), explaining })
    }

    /// Has `attached` the same instructions? Another build of the same ABI may have others.
    ///
    /// # Errors
    ///
    /// The kernel does not tell.
    pub fn is_copy_of(&self, attached: &Attached) -> Result<bool> {
        let program = self.ebpf.program(&self.program).context("the object has no such program")?;
        Ok(program.info()?.tag() == attached.info.tag())
    }

    /// Runs the program on a frame, and its explaining twin, until both do the same. Of a program without a twin `known` is
    /// what is known of its stages.
    ///
    /// # Errors
    ///
    /// Whatever the kernel refuses.
    pub fn run(&mut self, frame: TestFrame<'_>, known: &Explanation) -> Result<Verdict> {
        let mut attempt = 1;
        loop {
            let (explained, explanation) = match self.explaining {
                Some(explaining) => {
                    let (ran, explanation) = self.explain(explaining, frame)?;
                    (Some((ran, self.counted(&explanation)?)), explanation)
                }
                None => (None, *known),
            };
            self.reset(&explanation)?;
            let ran = self.execute(&self.program, frame)?;
            let did = (ran, self.counted(&explanation)?);
            self.reset(&explanation)?;
            let settled = explained.is_none_or(|explained| explained == did);
            if settled || attempt == ATTEMPTS_MAX {
                let ((action, after), counted) = did;
                let is_changed = after != frame.bytes;
                let outcome =
                    counted.outcome.map_or_else(|| self.uncounted(&counted, is_changed), |(outcome, _)| outcome);
                let frame = after;
                return Ok(Verdict { action, frame, outcome, counted, explanation, settled });
            }
            attempt += 1;
        }
    }

    fn execute(&self, name: &str, frame: TestFrame<'_>) -> Result<(u32, Vec<u8>)> {
        let program = self.ebpf.program(name).with_context(|| format!("the object has no program {name}"))?;
        let ran = if is_classifier(&self.program) {
            test_run_classifier(<&SchedClassifier>::try_from(program)?, frame)
        } else {
            test_run(<&Xdp>::try_from(program)?, frame)
        };
        ran.context("the kernel does not run the program on this")
    }

    fn explain(&mut self, program: &str, frame: TestFrame<'_>) -> Result<((u32, Vec<u8>), Explanation)> {
        self.explanation.set(0, Raw(Explanation::default()), 0).context("EXPLAIN")?;
        let ran = self.execute(program, frame)?;
        let Raw(explanation) = self.explanation.get(&0, 0).context("EXPLAIN")?;
        Ok((ran, explanation))
    }

    /// What is counted by no outcome: the programs count what goes well by VIP alone, and nothing of what is none of theirs.
    fn uncounted(&self, counted: &Counted, is_changed: bool) -> Outcome {
        match self.program.trim_end_matches("_frags") {
            "gateway" => Outcome::Decapsulated,
            "pop" | PROBE => Outcome::Forwarded,
            "one_arm" if counted.vip.is_some() => Outcome::Forwarded,
            _ if is_changed => Outcome::Returned,
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
        // An answer to a probe is counted there, and nowhere else.
        let answered = Outcome::ProbeAnswered;
        let count: Counter =
            self.counters.probes.get(&(answered as u32), 0).context("PROBES")?.iter().map(|raw| raw.0).sum();
        if count != Counter::default() {
            counted.outcome = Some((answered, count));
        }
        if explanation.has(STAGE_VIP) && explanation.vip_index < self.counters.vips.len() {
            let per_cpu = self.counters.vips.get(&explanation.vip_index, 0).context("VIP_COUNTERS")?;
            let of = |class: Class| per_cpu.iter().map(|classes| classes[class as usize].0).sum::<Counter>();
            counted.vip =
                Class::ALL.map(|class| (class, of(class))).into_iter().find(|(_, count)| *count != Counter::default());
            if let Some((outcome, _)) = counted.outcome {
                let count = |outcome| {
                    let key = Raw(VipDropKey { vip_index: explanation.vip_index, outcome });
                    self.counters.vip_drops.get(&key, 0).ok()
                };
                let number = outcome as u32;
                let count = count(number).or_else(|| count(number | DROP_OF_RETURN));
                counted.vip_drop = count.map(|per_cpu| per_cpu.iter().map(|raw| raw.0).sum());
            }
            let per_cpu = self.returned.get(&explanation.vip_index, 0).context(RETURN_COUNTERS)?;
            counted.returned = Some(per_cpu.iter().map(|raw| raw.0).sum()).filter(|count| *count != Counter::default());
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
        self.counters.probes.set(Outcome::ProbeAnswered as u32, on_every_cpu(Raw(Counter::default()))?, 0)?;
        if explanation.has(STAGE_VIP) && explanation.vip_index < self.counters.vips.len() {
            self.counters.reset_vips(&BTreeSet::from([explanation.vip_index]))?;
            self.returned.set(explanation.vip_index, on_every_cpu(Raw(Counter::default()))?, 0)?;
        }
        if explanation.has(STAGE_BACKEND) && explanation.backend_index < self.counters.backends.len() {
            self.counters.reset_backend(explanation.backend_index)?;
        }
        Ok(())
    }
}

/// The program of the object that does the same and tells of it.
pub fn explaining(ebpf: &Ebpf, program: &str) -> Option<&'static str> {
    TWINS
        .into_iter()
        .find(|(name, _)| *name == program)
        .map(|(_, twin)| twin)
        .filter(|twin| ebpf.program(twin).is_some())
}

/// Programs, and what their twins that explain are called.
const TWINS: [(&str, &str); 10] = [
    ("pop", "explain_pop"),
    ("pop_frags", "explain_pop_frags"),
    ("backbone", "explain_backbone"),
    ("backbone_frags", "explain_backbone_frags"),
    ("one_arm", "explain_one_arm"),
    ("one_arm_frags", "explain_one_arm_frags"),
    ("gateway", "explain_gateway"),
    ("gateway_frags", "explain_gateway_frags"),
    (egress::PROGRAM, "explain_gateway_return"),
    // Of a packet without a mark, which is all that is explained.
    (PROBE, "explain_pop"),
];

/// Is it a classifier, and no XDP program?
fn is_classifier(program: &str) -> bool {
    program == egress::PROGRAM
}
