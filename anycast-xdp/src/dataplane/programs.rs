//! Pins of the programs that are attached, and of the flow key that they hash by.
//!
//! A link tells the id of its program, and the kernel opens that for CAP_SYS_ADMIN alone. So programs are pinned by their
//! ids, before they are attached: whatever runs can be opened.

use std::{collections::BTreeSet, fs, io, path::Path};

use anycast_common::flow::{FlowKey, KEY_WORDS};
use anyhow::{Context as _, Result};
use aya::{
    maps::{Array, MapData, MapError},
    pin::PinError,
    programs::{ProgramInfo, loaded_programs},
};

use super::{
    bpf,
    loader::Loaded,
    pins::{Pins, open_link},
    tables::{Raw, capacity::FLOW_KEY_MAP, typed},
};

/// Pin of the flow key.
const FLOW_KEY: &str = "flow-key";

/// A program that is attached.
pub struct Attached {
    /// What the kernel tells of it.
    pub info: ProgramInfo,
    /// What it hashes by.
    pub flow_key: FlowKey,
}

impl Attached {
    /// Opens the program with this id.
    ///
    /// # Errors
    ///
    /// A build attached it that did not pin its programs.
    pub fn open(pins: &Pins, program_id: u32) -> Result<Self> {
        let info = ProgramInfo::from_pin(pins.programs().join(program_id.to_string()))
            .context("its program is not pinned: start the daemon again with this build")?;
        let open = |_: &str| Ok(MapData::from_pin(pins.programs().join(FLOW_KEY))?);
        let flow_key = match typed::<Array<MapData, Raw<FlowKey>>>(&open, FLOW_KEY_MAP) {
            Ok(map) => map.get(&0, 0).context("cannot read the flow key")?.0,
            // The object of a build whose programs do not hash has none.
            Err(error) if is_missing(&error) => FlowKey { words: [0; KEY_WORDS] },
            Err(error) => return Err(error),
        };
        Ok(Self { info, flow_key })
    }
}

fn is_missing(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| match cause.downcast_ref::<MapError>() {
        Some(MapError::SyscallError(error)) => error.io_error.kind() == io::ErrorKind::NotFound,
        _ => false,
    })
}

/// Ids of the maps that these programs use.
///
/// # Errors
///
/// One is not pinned, and this process may not look for it among all programs.
pub fn map_ids(pins: &Pins, programs: &BTreeSet<u32>) -> Result<BTreeSet<u32>> {
    let mut maps = BTreeSet::new();
    let mut missing = programs.clone();
    for id in programs {
        if let Ok(program) = ProgramInfo::from_pin(pins.programs().join(id.to_string())) {
            maps.extend(program.map_ids()?.unwrap_or_default());
            missing.remove(id);
        }
    }
    for program in of_all(&missing)? {
        maps.extend(program.map_ids()?.unwrap_or_default());
    }
    Ok(maps)
}

/// Pins what the links of an instance run, for a daemon that may not look for it.
pub(super) fn pin_attached(pins: &Pins, links: &Path, programs: &Path, filters: BTreeSet<u32>) -> Result<()> {
    let mut ids = filters;
    for entry in fs::read_dir(links)? {
        if let Some(link) = open_link(&entry?.path())? {
            ids.insert(link.info().context("cannot ask for a link")?.program_id());
        }
    }
    fs::create_dir_all(programs).with_context(|| format!("cannot make a directory for {}", pins.instance()))?;
    for program in of_all(&ids)? {
        let path = programs.join(program.id().to_string());
        if !path.exists() {
            bpf::pin(program.fd()?, &path)?;
        }
    }
    Ok(())
}

/// These of all programs of the machine.
fn of_all(ids: &BTreeSet<u32>) -> Result<Vec<ProgramInfo>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut programs = loaded_programs().peekable();
    if let Some(Err(_)) = programs.peek() {
        let error = programs.find_map(Result::err).context("no error")?;
        return Err(error).context("attached programs are not pinned, and only root finds them: `anycast-xdp prepare`");
    }
    // One that went since it was listed is none of ours.
    Ok(programs.flatten().filter(|program| ids.contains(&program.id())).collect())
}

/// Pins the flow key of what was loaded, in the place of the last one.
///
/// # Errors
///
/// A file system that refuses.
pub(super) fn pin_flow_key(loaded: &Loaded, pins: &Pins) -> Result<()> {
    fs::create_dir_all(pins.programs()).context("cannot make a directory for programs")?;
    let Some(map) = loaded.ebpf.map(FLOW_KEY_MAP) else { return Ok(()) };
    // Readers find the old one or the new one.
    let (path, draft) = (pins.programs().join(FLOW_KEY), pins.programs().join("flow-key-draft"));
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    map.pin(&draft)?;
    fs::rename(&draft, &path).with_context(|| format!("cannot pin {}", path.display()))
}

/// Pins a program that is about to be attached.
///
/// # Errors
///
/// A file system that refuses.
pub(super) fn pin(pins: &Pins, program_id: u32, pin: impl FnOnce(&Path) -> Result<(), PinError>) -> Result<()> {
    let path = pins.programs().join(program_id.to_string());
    if path.exists() {
        return Ok(());
    }
    pin(&path).with_context(|| format!("cannot pin {}", path.display()))
}

/// Removes the pins of other programs: they would keep their maps in memory.
pub(super) fn keep(pins: &Pins, program_ids: &BTreeSet<u32>) -> Result<()> {
    for entry in fs::read_dir(pins.programs())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != FLOW_KEY && !name.parse().is_ok_and(|id| program_ids.contains(&id)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
