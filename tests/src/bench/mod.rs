//! `cargo xtask bench`: what a packet costs, beside floor programs in the same run. `docs/bench.md` tells the method.

mod addresses;
mod bar;
mod egress;
mod feed;
mod floors;
mod judge;
mod live;
mod machine;
mod maps;
mod measure;
mod options;
mod production;
mod report;
mod scenario;
mod services;
mod statistics;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod world;
mod wrapper;

use anyhow::Result;

pub use self::{
    options::{Options, Output},
    report::Report,
    table::table,
};

/// Measures everything that the options ask for. Fails if a program did not do its job on every packet.
pub fn run(options: &Options) -> Result<Report> {
    let cpu = machine::pin(options.cpu)?;
    let world = world::World::enter()?;
    let floors = floors::Floors::load(&world)?;
    let programs = production::Programs::load(&world)?;
    let mut scenarios = scenario::all(&floors, &programs, &world, options)?;
    let memory = scenarios.iter_mut().filter_map(|scenario| scenario.memory.take()).collect();
    let mut rows = measure::scenarios(scenarios, &world, options)?;
    rows.extend(egress::measure(&floors, &programs, &world, options)?);
    let live = live::measure(scenario::live(&floors, &programs)?, &floors, &world, options)?;
    Ok(Report::new(cpu, judge::rows(rows), live, memory))
}
