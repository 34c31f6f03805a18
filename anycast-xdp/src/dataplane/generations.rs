//! Generations: the maps of an instance, made for one ABI version and for one set of limits, with the programs on them.
//!
//! Links lie outside of generations. A change of the ABI version or of the limits makes another generation beside the one
//! that packets run on, fills it, and only then swaps the program under each link. docs/adr/0007-generations.md tells what
//! one generation reads of another, and why every instant of it may be the last.

mod base;
mod changeover;
mod counts;
mod manifest;
mod names;
mod paths;
mod raw;
mod running;
mod spare;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use anycast_common::ABI_VERSION;
use anyhow::{Context as _, Result};

pub use self::{
    base::{Base, carried},
    changeover::Target,
    counts::{Count, Counts},
    names::Names,
};
use super::pins::{Pins, remove_tree};

/// Leads to the generation that readers look at: the one that packets run on, but in the middle of a changeover.
pub(super) const CURRENT: &str = "current";
/// Leads to the last generation of another ABI version, which is kept for a downgrade.
const PREVIOUS: &str = "previous";
/// A link while it is made, before it takes the place of the old one.
const DRAFT: &str = "draft";
const PREFIX: &str = "gen-";
/// Directories of builds that had no generations.
const UNNUMBERED_PREFIX: &str = "maps-";

/// One generation. Numbers only grow, and none is given twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation {
    /// Its number.
    pub number: u32,
    /// The ABI version of the build that made it.
    pub abi_version: u32,
    /// Pinned maps.
    pub maps: PathBuf,
    /// Manifest, inventory and base: what has no room in bpffs.
    pub state: PathBuf,
}

impl Generation {
    fn new(pins: &Pins, number: u32, abi_version: u32) -> Self {
        let name = format!("{PREFIX}{number}-abi-{abi_version}");
        Self { number, abi_version, maps: pins.root().join(&name), state: pins.run().join(name) }
    }

    fn parse(pins: &Pins, name: &str) -> Option<Self> {
        let (number, abi_version) = name.strip_prefix(PREFIX)?.split_once("-abi-")?;
        Some(Self::new(pins, number.parse().ok()?, abi_version.parse().ok()?))
    }

    /// The name of its directories.
    pub fn name(&self) -> &str {
        self.maps.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Did a build of this ABI version make it?
    pub const fn is_own(&self) -> bool {
        self.abi_version == ABI_VERSION
    }

    fn remove(&self) -> Result<()> {
        remove_tree(&self.maps)?;
        remove_tree(&self.state)?;
        tracing::info!(generation = self.number, abi = self.abi_version, "removed");
        Ok(())
    }
}

/// All generations of an instance, by number.
///
/// # Errors
///
/// The file system refuses. That there are none is no error.
pub fn list(pins: &Pins) -> Result<Vec<Generation>> {
    let mut all: Vec<_> = names_in(pins.root())?.iter().filter_map(|name| Generation::parse(pins, name)).collect();
    all.sort();
    Ok(all)
}

/// The generation that readers look at; `None`: there is none yet.
pub fn current(pins: &Pins) -> Option<Generation> {
    led_to(pins, CURRENT)
}

fn led_to(pins: &Pins, link: &str) -> Option<Generation> {
    let name = fs::read_link(pins.root().join(link)).ok()?;
    Generation::parse(pins, name.to_str()?).filter(|generation| generation.maps.is_dir())
}

/// Makes a link lead to a generation, at once.
fn lead(pins: &Pins, link: &str, generation: &Generation) -> Result<()> {
    let (draft, link) = (pins.root().join(DRAFT), pins.root().join(link));
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).context("cannot remove a link"),
        _ => {}
    }
    std::os::unix::fs::symlink(generation.name(), &draft)
        .and_then(|()| fs::rename(&draft, &link))
        .with_context(|| format!("cannot make {}", link.display()))
}

/// Makes the directories of a new generation.
fn create(pins: &Pins, number: u32) -> Result<Generation> {
    let generation = Generation::new(pins, number, ABI_VERSION);
    for directory in [&generation.state, &generation.maps] {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    Ok(generation)
}

/// The number of the next generation. One whose maps went, with bpffs, may have left its state.
fn next_number(pins: &Pins) -> Result<u32> {
    let mut names = names_in(pins.root())?;
    names.extend(names_in(pins.run())?);
    let numbers = names.iter().filter_map(|name| Generation::parse(pins, name)).map(|found| found.number);
    Ok(numbers.max().unwrap_or(0).saturating_add(1))
}

/// Removes what is left of generations that are gone, and the maps of builds that had none.
fn remove_leftovers(pins: &Pins) -> Result<()> {
    let there: BTreeSet<_> = list(pins)?.iter().map(|generation| generation.name().to_owned()).collect();
    for name in names_in(pins.run())?.iter().filter(|name| name.starts_with(PREFIX) && !there.contains(*name)) {
        remove_tree(&pins.run().join(name))?;
    }
    for name in names_in(pins.root())?.iter().filter(|name| name.starts_with(UNNUMBERED_PREFIX)) {
        remove_tree(&pins.root().join(name))?;
    }
    Ok(())
}

fn names_in(directory: &Path) -> Result<Vec<String>> {
    match fs::read_dir(directory) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", directory.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_a_generation_tells_its_number_and_abi_version() {
        let pins = Pins::of("unit-test-never-was");
        let generation = Generation::new(&pins, 12, 3);
        assert_eq!(generation.name(), "gen-12-abi-3");
        assert_eq!(Generation::parse(&pins, generation.name()), Some(generation));
        for other in ["links", "gen-1", "gen-x-abi-3", "gen-1-abi-", "maps-abi-3"] {
            assert_eq!(Generation::parse(&pins, other), None, "{other}");
        }
        assert_eq!(next_number(&pins).expect("nothing there"), 1);
    }
}
