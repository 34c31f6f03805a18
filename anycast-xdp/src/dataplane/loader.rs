//! Loading the programs onto their maps, new or pinned.

use std::{
    collections::BTreeSet,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    thread,
};

use anycast_common::flow::FlowKey;
use anyhow::{Context as _, Result, anyhow, bail};
use aya::{
    Ebpf, EbpfLoader, VerifierLogLevel,
    maps::MapData,
    programs::{Program, ProgramError, SchedClassifier, Xdp},
};

use super::tables::{
    Kernel, Raw,
    capacity::{Kind, capacities, maps},
};
use crate::{desired::Limits, objects};

/// Lines of the verifier's log that an error tells: its last words say what it refuses.
const VERIFIER_LINES: usize = 20;

/// The programs of an instance, with the maps that they run on.
pub struct Loaded {
    /// The object: programs and maps.
    pub ebpf: Ebpf,
    /// The maps, opened for change.
    pub kernel: Kernel,
}

/// Loads the object. With `pins`, maps are taken from there, whatever their capacities, or made and pinned there.
///
/// # Errors
///
/// Whatever the kernel refuses.
pub fn load(pins: Option<&Path>, limits: &Limits, hash_seed: Option<&[u8; 16]>) -> Result<Loaded> {
    let capacities = capacities(limits);
    let paths: Vec<_> = maps(&[Kind::Table, Kind::Counter]).filter_map(|name| Some((name, pins?.join(name)))).collect();
    let ebpf = load_object(&paths, &capacities, FlowKey::from_seed(hash_seed.unwrap_or(&[0; 16])))?;
    let kernel = Kernel::open(|name| match pins {
        Some(pins) => open_pin(pins, name),
        None => second_handle(&ebpf, name),
    })?;
    Ok(Loaded { ebpf, kernel })
}

/// Loads the object, with the maps at `paths` if they are there.
pub(super) fn load_object(
    paths: &[(&'static str, PathBuf)],
    capacities: &[(&'static str, u32)],
    key: FlowKey,
) -> Result<Ebpf> {
    let key = Raw(key);
    let mut loader = EbpfLoader::new();
    // The kernel is asked for its log only after it refused, so this costs nothing where it does not.
    loader.verifier_log_level(VerifierLogLevel::DEBUG).override_global("FLOW_KEY", &key, true);
    for (name, capacity) in capacities {
        loader.map_max_entries(name, *capacity);
    }
    for (name, path) in paths {
        loader.map_pin_path(name, path.as_path());
    }
    loader.load(objects::DATAPATH).context("cannot load the datapath object")
}

impl Loaded {
    /// The maps once more, for a reader beside the one that changes them.
    ///
    /// # Errors
    ///
    /// Whatever the kernel refuses.
    pub fn second_kernel(&self) -> Result<Kernel> {
        Kernel::open(|name| second_handle(&self.ebpf, name))
    }

    /// Loads these programs into the kernel, those that are not yet, all at once: it takes a second to verify the largest ones, and
    /// verifies several at a time for whoever has CAP_BPF (`bpf_check`, kernel/bpf/verifier.c).
    ///
    /// # Errors
    ///
    /// A name that no program has, or the last words of the verifier about the first one by name that it refuses.
    pub fn programs(&mut self, names: &BTreeSet<String>) -> Result<()> {
        let mut programs: Vec<_> = self.ebpf.programs_mut().filter(|(name, _)| names.contains(*name)).collect();
        programs.sort_unstable_by_key(|(name, _)| *name);
        if let Some(missing) = names.iter().find(|name| programs.iter().all(|(known, _)| known != name)) {
            bail!("the object has no program {missing}");
        }
        thread::scope(|scope| {
            let load = |(name, program)| scope.spawn(move || load_program(name, program));
            let threads: Vec<_> = programs.into_iter().map(load).collect();
            let loaded = threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a thread that loaded a program died"))));
            loaded.collect::<Vec<_>>().into_iter().collect()
        })
    }

    /// Loads one of the XDP programs into the kernel, if it is not yet.
    ///
    /// # Errors
    ///
    /// The last words of the verifier, if it refuses.
    pub fn xdp(&mut self, name: &str) -> Result<&mut Xdp> {
        load_xdp(&mut self.ebpf, name)
    }

    /// Loads one of the classifiers into the kernel, if it is not yet.
    ///
    /// # Errors
    ///
    /// The last words of the verifier, if it refuses.
    pub fn classifier(&mut self, name: &str) -> Result<&mut SchedClassifier> {
        load_classifier(&mut self.ebpf, name)
    }
}

/// Loads one of the XDP programs into the kernel, if it is not yet.
pub(super) fn load_xdp<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    Ok(loaded_program(ebpf, name)?.try_into()?)
}

/// Loads one of the classifiers into the kernel, if it is not yet.
pub(super) fn load_classifier<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier> {
    Ok(loaded_program(ebpf, name)?.try_into()?)
}

fn loaded_program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Program> {
    let program = ebpf.program_mut(name).with_context(|| format!("the object has no program {name}"))?;
    load_program(name, program)?;
    Ok(program)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "of the object these kinds are attached to interfaces")]
fn load_program(name: &str, program: &mut Program) -> Result<()> {
    let loaded = match program {
        Program::Xdp(program) => program.load(),
        Program::SchedClassifier(program) => program.load(),
        _ => bail!("program {name} is of no interface"),
    };
    accepted(name, loaded)
}

/// What the kernel said to a program.
fn accepted(name: &str, loaded: Result<(), ProgramError>) -> Result<()> {
    match loaded {
        Ok(()) | Err(ProgramError::AlreadyLoaded) => Ok(()),
        Err(ProgramError::LoadError { io_error, verifier_log }) => {
            bail!("the kernel refuses program {name}: {io_error}\n{}", last_lines(&verifier_log.to_string()))
        }
        Err(error) => Err(error).with_context(|| format!("the kernel refuses program {name}")),
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let left_out = lines.len().saturating_sub(VERIFIER_LINES);
    let note = if left_out == 0 { String::new() } else { format!("  ({left_out} lines before)\n") };
    note + &lines[left_out..].iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Opens the pinned maps of an instance.
///
/// # Errors
///
/// A map that is not there.
pub fn open_pinned(pins: &Path) -> Result<Kernel> {
    Kernel::open(|name| open_pin(pins, name))
}

pub(super) fn open_pin(pins: &Path, name: &str) -> Result<MapData> {
    MapData::from_pin(pins.join(name)).with_context(|| format!("cannot open the pinned map {name}"))
}

/// A second handle of a map that the object made.
pub(super) fn second_handle(ebpf: &Ebpf, name: &str) -> Result<MapData> {
    let (_, map) =
        ebpf.maps().find(|(other, _)| *other == name).with_context(|| format!("the object has no map {name}"))?;
    Ok(MapData::from_fd(data(map)?.fd().as_fd().try_clone_to_owned()?)?)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the object has maps of these kinds only")]
fn data(map: &aya::maps::Map) -> Result<&MapData> {
    use aya::maps::Map;
    match map {
        Map::Array(data)
        | Map::HashMap(data)
        | Map::LruHashMap(data)
        | Map::PerCpuArray(data)
        | Map::PerCpuHashMap(data)
        | Map::DevMap(data)
        | Map::LpmTrie(data) => Ok(data),
        other => bail!("unexpected kind of map: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_tells_the_last_lines_of_a_long_log_and_all_of_a_short_one() {
        let log = (0..1000).map(|line| format!("insn {line}\n")).collect::<Vec<_>>().join("\n");
        let told = last_lines(&log);
        assert_eq!(told.lines().count(), VERIFIER_LINES + 1);
        assert!(told.starts_with("  (980 lines before)\n") && told.ends_with("  insn 999"), "{told}");
        assert_eq!(last_lines("a\nb\n"), "  a\n  b");
    }
}
