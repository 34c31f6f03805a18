//! Runs every program of every scenario, round by round.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Result;

use super::{
    bar::Bar,
    options::Options,
    scenario::{Planned, Scenario},
    target::Action,
    world::World,
    wrapper::{Mode, Wrapper},
};

/// Packets of each program before the first round.
const WARM_UP_PACKETS: u32 = 50_000;

/// The samples of one program in one scenario.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Scenario.
    pub scenario: &'static str,
    /// Program.
    pub target: &'static str,
    /// Verdict on every packet.
    pub verdict: Action,
    /// Growth of every frame, in bytes.
    pub growth: i32,
    /// What is promised.
    pub bar: Option<Bar>,
    /// Nanoseconds per packet, a sample for each chunk.
    pub samples: Vec<f64>,
}

/// Measures all scenarios. All programs of all scenarios take turns within a round, so that
/// whatever drifts on the machine hits all of them alike.
pub fn scenarios(scenarios: Vec<Scenario>, world: &World, options: &Options) -> Result<Vec<Measured>> {
    let mut running = Vec::new();
    for Scenario { name, rows, ingress, .. } in scenarios {
        let ifindex = ingress.unwrap_or(world.access.near.ifindex);
        for row in rows {
            running.push(start(name, row, ifindex, options)?);
        }
    }
    for round in 1..=options.rounds() {
        progress(&format!("round {round} of {}: {} programs", options.rounds(), running.len()));
        for (wrapper, measured) in &mut running {
            measured.samples.extend(wrapper.run(options.packets())?);
        }
    }
    progress("");
    Ok(running.into_iter().map(|(_, measured)| measured).collect())
}

fn start(scenario: &'static str, row: Planned, ifindex: u32, options: &Options) -> Result<(Wrapper, Measured)> {
    let Planned { target, feed, bar } = row;
    let measured = Measured {
        scenario,
        target: target.name,
        verdict: target.verdict,
        growth: target.growth,
        bar,
        samples: Vec::new(),
    };
    let mut wrapper = Wrapper::load(target, feed, Mode::Loop, ifindex, options.chunk())?;
    wrapper.run(WARM_UP_PACKETS)?;
    Ok((wrapper, measured))
}

/// One line on the terminal that the next one overwrites. Not being able to write it is no reason to stop.
pub fn progress(line: &str) {
    if !io::stderr().is_terminal() {
        return;
    }
    let _ = write!(io::stderr(), "\r\x1b[K{line}").and_then(|()| io::stderr().flush());
}
