//! Changing the tables, as the daemon does.

use anycast_xdp::dataplane::{
    apply,
    bindings::Bindings,
    inventory::{DownSet, Inventory},
    tables::Dataplane,
    ways::Ways,
};
use anyhow::{Context as _, Result};

use super::state::{backends, config, view};

/// Brings tables from generation to generation.
#[derive(Debug)]
pub struct Changer {
    inventory: Inventory,
    ways: Ways,
    generation: u64,
    turn: u64,
}

impl Changer {
    /// Fills empty tables with the first generation.
    pub fn new<D: Dataplane>(dataplane: &mut D) -> Result<Self> {
        let mut changer = Self { inventory: Inventory::default(), ways: Ways::new(dataplane), generation: 0, turn: 0 };
        changer.next_services(dataplane)?;
        Ok(changer)
    }

    /// Changes everything: services in the order of the daemon's start, then the ways alone a few times. How many
    /// changes that were.
    pub fn step<D: Dataplane>(&mut self, dataplane: &mut D) -> Result<u64> {
        self.generation += 1;
        self.next_services(dataplane)?;
        for _ in 0..3 {
            self.next_ways(dataplane)?;
        }
        if self.generation.is_multiple_of(16) {
            // As a new daemon would: fresh indexes beside those of the one before it.
            self.ways = Ways::new(dataplane);
            self.next_ways(dataplane)?;
        }
        Ok(4)
    }

    /// The inventory of the tables.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    fn next_services<D: Dataplane>(&mut self, dataplane: &mut D) -> Result<()> {
        let config = config(self.generation);
        let mut plan = apply::plan(dataplane, &self.inventory, &config, &DownSet::new())?;
        plan.install_backends(dataplane)?;
        self.turn += 1;
        let during = plan.during_backends.clone();
        self.ways.update(dataplane, &view(self.turn, &during), &during).context("ways during the change")?;
        let mut bindings = plan.switch(dataplane, &Bindings::default())?;
        // What goes on then is ended at once: the tables change faster than anybody waits.
        while let Some(at) = bindings.next_change(dataplane) {
            bindings.update(dataplane, at)?;
        }
        self.inventory = plan.next;
        self.update_ways(dataplane)
    }

    fn next_ways<D: Dataplane>(&mut self, dataplane: &mut D) -> Result<()> {
        self.turn += 1;
        self.update_ways(dataplane)
    }

    fn update_ways<D: Dataplane>(&mut self, dataplane: &mut D) -> Result<()> {
        let backends = backends(&self.inventory);
        self.ways.update(dataplane, &view(self.turn, &backends), &backends).context("ways")?;
        Ok(())
    }
}
