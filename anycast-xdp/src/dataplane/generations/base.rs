//! What a generation took over from those before it: beside its maps, because only programs add to counters that packets
//! move.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{
    super::{
        inventory::{Inventory, replace},
        pins::Pins,
    },
    Counts, Generation, list,
    names::Names,
};

/// The file: counters by the generation's own indexes, and whose they were. Both are replaced at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Base {
    /// Numbers of generations whose counters are in here: they are not counted again.
    pub absorbed: BTreeSet<u32>,
    /// Counters.
    pub counts: Counts,
    #[serde(skip)]
    state: PathBuf,
}

impl Base {
    const FILE: &str = "base.json";

    /// The one in `state`; one that is lost or damaged is empty.
    pub fn read(state: &Path) -> Self {
        let path = state.join(Self::FILE);
        let base = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::warn!("counters of earlier generations are lost: {}: {error}", path.display());
                Self::default()
            }),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!("counters of earlier generations are lost: {}: {error}", path.display());
                }
                Self::default()
            }
        };
        Self { state: state.to_owned(), ..base }
    }

    /// Replaces the file.
    ///
    /// # Errors
    ///
    /// The file system refuses; the old one is still there.
    pub fn write(&self) -> Result<()> {
        replace(&self.state.join(Self::FILE), self)
    }

    /// Forgets VIPs whose indexes are about to be used anew.
    ///
    /// # Errors
    ///
    /// As [`Base::write`].
    pub fn reset_vips(&mut self, indexes: &BTreeSet<u32>) -> Result<()> {
        let before = self.counts.vips.len();
        self.counts.vips.retain(|index, _| !indexes.contains(index));
        if self.counts.vips.len() == before { Ok(()) } else { self.write() }
    }

    /// Forgets a backend whose index is about to be used anew.
    ///
    /// # Errors
    ///
    /// As [`Base::write`].
    pub fn reset_backend(&mut self, index: u32) -> Result<()> {
        if self.counts.backends.remove(&index).is_some() { self.write() } else { Ok(()) }
    }
}

/// What is to be added to what the maps of a generation count: its base, and what other generations counted that
/// nothing took over yet, in the middle of a changeover.
///
/// # Errors
///
/// A map that cannot be read.
pub fn carried(pins: &Pins, generation: &Generation, inventory: &Inventory) -> Result<Counts> {
    let others: Vec<_> = list(pins)?.into_iter().filter(|other| other != generation).collect();
    let base = Base::read(&generation.state);
    let mut absorbed = base.absorbed;
    absorbed.extend(others.iter().flat_map(|other| Base::read(&other.state).absorbed));
    let mut counts = base.counts;
    let untold: Vec<_> = others.iter().filter(|other| !absorbed.contains(&other.number)).collect();
    if !untold.is_empty() {
        let names = Names::of(inventory)?;
        for other in untold {
            counts.add(Counts::of(other, &names)?);
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_reads_back_and_a_damaged_one_is_empty() {
        let directory = tempfile::tempdir().expect("directory");
        let mut base = Base::read(directory.path());
        assert!(base.absorbed.is_empty() && base.counts.is_empty());
        base.absorbed.insert(3);
        base.counts.vips.entry(7).or_default().drops.insert(1, super::super::counts::Count::default());
        base.counts.backends.insert(9, super::super::counts::Count::default());
        base.write().expect("write");
        assert_eq!(Base::read(directory.path()), base);
        base.reset_vips(&BTreeSet::from([7])).expect("write");
        base.reset_backend(9).expect("write");
        let read = Base::read(directory.path());
        assert!(read.counts.is_empty() && read.absorbed.contains(&3));
        fs::write(directory.path().join(Base::FILE), "{").expect("write");
        assert!(Base::read(directory.path()).counts.is_empty());
    }
}
