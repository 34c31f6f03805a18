//! From the generation that packets run on to the one that they are to run on, which mostly is the same.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context as _, Result};

use super::{
    super::{apply, grace, inventory::Inventory, pins::Pins, tables::Kernel},
    Base, CURRENT, Counts, Generation, PREVIOUS, current, lead, led_to, list,
    manifest::Manifest,
    names::Names,
    next_number,
    paths::Paths,
    remove_leftovers,
    running::Running,
    spare,
};
use crate::desired::{Config, Limits};

/// The generation that a start brings packets to.
#[derive(Debug)]
pub struct Target {
    pins: Pins,
    generation: Generation,
    /// It is empty, and packets run on `from`.
    is_new: bool,
    /// The current generation, if it is another one.
    from: Option<Generation>,
    paths: Option<Paths>,
}

impl Target {
    /// The generation for these limits and this build: the current one, one that an earlier start had begun to bring
    /// packets to, a spare one, or a new one.
    ///
    /// # Errors
    ///
    /// The kernel or a file system refuses.
    pub fn choose(pins: &Pins, limits: &Limits) -> Result<Self> {
        let target = |generation, is_new, from| Self { pins: pins.clone(), generation, is_new, from, paths: None };
        let all = list(pins)?;
        // Without the link, the last one is the best guess.
        let Some(now) = current(pins).or_else(|| all.last().cloned()) else {
            let first = spare::new(pins, next_number(pins)?, limits)?;
            lead(pins, CURRENT, &first)?;
            return Ok(target(first, false, None));
        };
        if now.fits(limits)? {
            // Written anew for the case that it was lost.
            Manifest::of(limits)?.write(&now.state)?;
            lead(pins, CURRENT, &now)?;
            return Ok(target(now, false, None));
        }
        let running = Running::of(pins)?;
        for begun in all.iter().filter(|other| **other != now) {
            if begun.fits(limits)? && running.is_on(begun)? {
                tracing::info!(generation = begun.number, "going on with a changeover that did not end");
                return Ok(target(begun.clone(), false, Some(now)));
            }
        }
        let beside = spare::beside(pins, &now, &running, limits)?;
        tracing::info!(from = now.number, to = beside.number, "making maps beside those in use");
        Ok(target(beside, true, Some(now)))
    }

    /// Its maps.
    pub fn maps(&self) -> &Path {
        &self.generation.maps
    }

    /// Its inventory and base.
    pub fn state(&self) -> &Path {
        &self.generation.state
    }

    /// Do no packets run on it yet? Then it is filled before the programs are swapped.
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// What a plan starts from. A new generation gets the indexes of the one before it, as far as they fit.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn inventory(&self, kernel: &mut Kernel, config: &Config) -> Result<Inventory> {
        kernel.counters.base = Some(Base::read(&self.generation.state));
        let Some(from) = self.from.as_ref().filter(|_| self.is_new) else {
            return Ok(Inventory::read_or_rebuild(&self.generation.state));
        };
        let names = Names::read(&from.state);
        let inventory = names.inventory();
        apply::seed(kernel, &names.vips(), &inventory, config)?;
        Ok(inventory)
    }

    /// Takes over what packets of the generation before remembered: the ways of clients.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn take_paths(&mut self, kernel: &mut Kernel, next: &Inventory) -> Result<()> {
        if let Some(from) = self.from.as_ref().filter(|_| self.is_new) {
            self.paths = Paths::take(from, kernel, &Names::of(next)?)?;
        }
        Ok(())
    }

    /// Called when no program of any other generation is attached: takes their counters over, and removes all but the one
    /// that is kept for a downgrade.
    ///
    /// # Errors
    ///
    /// The kernel or a file system refuses. The next start goes on.
    pub fn settle(mut self, kernel: &mut Kernel, next: &Inventory) -> Result<()> {
        let others: Vec<_> = list(&self.pins)?.into_iter().filter(|other| *other != self.generation).collect();
        // Readers that find this generation add up the others until its base says that they are in it.
        lead(&self.pins, CURRENT, &self.generation)?;
        if !others.is_empty() {
            grace::wait().context("cannot wait for a grace period")?;
            self.absorb(&others, kernel, next)?;
            if let Some(paths) = &mut self.paths {
                paths.take_changed(kernel)?;
            }
            if let Some(from) = self.from.as_ref().filter(|from| !from.is_own()) {
                lead(&self.pins, PREVIOUS, from)?;
            }
            let kept = led_to(&self.pins, PREVIOUS);
            others.iter().filter(|other| Some(*other) != kept.as_ref()).try_for_each(Generation::remove)?;
        }
        remove_leftovers(&self.pins)?;
        if let Some(from) = &self.from {
            tracing::info!(from = from.number, to = self.generation.number, "packets run on the new maps");
        }
        Ok(())
    }

    /// Adds the counters of the others to the base, once: their numbers and their sums are written in one step.
    fn absorb(&self, others: &[Generation], kernel: &mut Kernel, next: &Inventory) -> Result<()> {
        let base = kernel.counters.base.get_or_insert_with(|| Base::read(&self.generation.state));
        let mut absorbed: BTreeSet<_> = base.absorbed.clone();
        absorbed.extend(others.iter().flat_map(|other| Base::read(&other.state).absorbed));
        let names = Names::of(next)?;
        let left: Vec<_> = others.iter().filter(|other| !absorbed.contains(&other.number)).collect();
        if left.is_empty() {
            return Ok(());
        }
        let mut sum = base.clone();
        for other in left {
            sum.counts.add(Counts::of(other, &names)?);
        }
        // Numbers are not given twice, so those of generations that are gone need no room.
        sum.absorbed = others.iter().map(|other| other.number).collect();
        sum.write()?;
        *base = sum;
        Ok(())
    }
}
