//! Which generations packets run on now: asked of the kernel, and no file.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result};

use super::{
    super::{
        egress::own_filters,
        pins::{Pins, open_link},
        programs::map_ids,
    },
    Generation, names_in,
    raw::RawMap,
};

/// The maps that attached programs of an instance use.
pub(super) struct Running {
    maps: BTreeSet<u32>,
}

impl Running {
    pub fn of(pins: &Pins) -> Result<Self> {
        let mut programs: BTreeSet<_> =
            own_filters(pins.instance())?.into_iter().map(|found| found.program_id).collect();
        for name in names_in(&pins.links())? {
            if let Some(link) = open_link(&pins.links().join(name))? {
                programs.insert(link.info().context("cannot ask for a link")?.program_id());
            }
        }
        Ok(Self { maps: map_ids(pins, &programs)? })
    }

    /// Do packets run on it?
    pub fn is_on(&self, generation: &Generation) -> Result<bool> {
        let pinned = fs::read_dir(&generation.maps);
        let pinned = pinned.with_context(|| format!("cannot read {}", generation.maps.display()))?;
        for entry in pinned.flatten() {
            if let Some(map) = RawMap::open(&generation.maps, &entry.file_name().to_string_lossy())?
                && self.maps.contains(&map.id()?)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
