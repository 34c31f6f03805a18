//! Generations that packets do not run on and that have nothing to tell: used again where they fit, else removed.

use std::fs;

use anycast_common::ABI_VERSION;
use anyhow::{Context as _, Result};
use aya::maps::MapData;

use super::{
    super::{
        pins::{Pins, remove_tree},
        tables::capacity::capacities,
    },
    Base, Counts, Generation, PREVIOUS, create, led_to, list,
    manifest::Manifest,
    names::Names,
    names_in, next_number,
    raw::RawMap,
    running::Running,
};
use crate::desired::Limits;

impl Generation {
    /// Would this build make the same maps for these limits? Those that a start did not come to are none that differ.
    pub(super) fn fits(&self, limits: &Limits) -> Result<bool> {
        if self.abi_version != ABI_VERSION {
            return Ok(false);
        }
        for (name, wanted) in capacities(limits) {
            if let Ok(map) = MapData::from_pin(self.maps.join(name))
                && map.info()?.max_entries() != wanted
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Is everything that it counted elsewhere, or nothing?
    fn is_told(&self, current: &Base) -> Result<bool> {
        if current.absorbed.contains(&self.number) {
            return Ok(true);
        }
        Ok(Counts::of(self, &Names::read(&self.state))?.is_empty())
    }

    /// Empties every map, and gives the generation another number, under which nothing is told of it yet.
    fn renew(self, pins: &Pins, number: u32, limits: &Limits) -> Result<Self> {
        for name in names_in(&self.maps)? {
            if let Some(map) = RawMap::open(&self.maps, &name)? {
                map.empty().with_context(|| format!("cannot empty {name} of {}", self.name()))?;
            }
        }
        let renewed = Self::new(pins, number, self.abi_version);
        fs::create_dir_all(&renewed.state).with_context(|| format!("cannot make {}", renewed.state.display()))?;
        Manifest::of(limits)?.write(&renewed.state)?;
        fs::rename(&self.maps, &renewed.maps).with_context(|| format!("cannot make {}", renewed.maps.display()))?;
        remove_tree(&self.state)?;
        Ok(renewed)
    }
}

/// An empty generation for these limits beside `current`: a spare one, or a new one. Spare ones that do not fit are removed,
/// but the one that is kept for a downgrade.
///
/// # Errors
///
/// The kernel or a file system refuses.
pub(super) fn beside(pins: &Pins, current: &Generation, running: &Running, limits: &Limits) -> Result<Generation> {
    let (base, previous) = (Base::read(&current.state), led_to(pins, PREVIOUS));
    let mut spare = None;
    for other in list(pins)?.into_iter().filter(|other| other != current) {
        if running.is_on(&other)? || !other.is_told(&base)? {
            continue;
        }
        if spare.is_none() && other.fits(limits)? {
            spare = Some(other);
        } else if Some(&other) != previous.as_ref() {
            other.remove()?;
        }
    }
    let number = next_number(pins)?;
    match spare {
        Some(spare) => spare.renew(pins, number, limits),
        None => new(pins, number, limits),
    }
}

/// A new generation.
pub(super) fn new(pins: &Pins, number: u32, limits: &Limits) -> Result<Generation> {
    let generation = create(pins, number)?;
    Manifest::of(limits)?.write(&generation.state)?;
    Ok(generation)
}
