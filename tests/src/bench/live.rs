//! Throughput with live frames: the kernel carries the verdict out, and the peer at the far end of the wire counts what
//! arrives.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde::Serialize;

use super::{
    feed::Feed,
    floors::{Arrived, Floors},
    measure::progress,
    options::Options,
    report::BarResult,
    statistics::percentile,
    target::{Action, Target},
    world::World,
    wrapper::{Mode, Wrapper},
};

/// What is promised: at least this share of the frames that `floor_encap` sends in the same time.
const SHARE_OF_FLOOR: f64 = 0.9;

/// How long frames may be on their way after the last of a run was handed to the driver.
const ARRIVAL: Duration = Duration::from_secs(1);

/// Programs that do the same: the first is the floor.
#[derive(Debug)]
pub struct LiveScenario {
    /// Name in the report.
    pub name: &'static str,
    /// Programs and what they are fed.
    pub rows: Vec<(Target, Feed)>,
}

/// One program with live frames.
#[derive(Clone, Debug, Serialize)]
pub struct LiveRow {
    /// Scenario.
    pub scenario: &'static str,
    /// Program.
    pub target: &'static str,
    /// Verdict on every packet.
    pub verdict: Action,
    /// Median of the samples, in millions of packets a second.
    pub median_mpps: f64,
    /// Best sample.
    pub best_mpps: f64,
    /// Frames sent in all.
    pub sent: u64,
    /// Frames that arrived at the peer, every one of them encapsulated.
    pub arrived: u64,
    /// Median as a multiple of the floor's.
    pub ratio: f64,
    /// What is promised; none for floors.
    pub bar: Option<BarResult>,
}

struct Running {
    scenario: &'static str,
    floor: &'static str,
    wrapper: Wrapper,
    samples: Vec<f64>,
    sent: u64,
    arrived: u64,
}

/// Measures the scenarios that are asked for, all programs taking turns within a round.
pub fn measure(
    scenarios: Vec<LiveScenario>,
    floors: &Floors,
    world: &World,
    options: &Options,
) -> Result<Vec<LiveRow>> {
    let mut running = Vec::new();
    for LiveScenario { name, rows } in scenarios.into_iter().filter(|scenario| options.wants(scenario.name)) {
        let Some(floor) = rows.first().map(|(target, _)| target.name) else { continue };
        for (target, feed) in rows {
            let wrapper = Wrapper::load(target, feed, Mode::Live, world.access.near.ifindex, options.chunk())?;
            running.push(Running { scenario: name, floor, wrapper, samples: Vec::new(), sent: 0, arrived: 0 });
        }
    }
    for round in 0..=options.rounds() {
        progress(&format!("live frames, round {round} of {}: {} programs", options.rounds(), running.len()));
        for one in &mut running {
            one.round(floors, options.packets())?;
            if round == 0 {
                // The first one warms up.
                one.samples.clear();
            }
        }
    }
    progress("");
    Ok(rows(running))
}

impl Running {
    fn round(&mut self, floors: &Floors, packets: u32) -> Result<()> {
        let before = floors.arrived()?;
        self.samples.extend(self.wrapper.run(packets)?);
        let arrived = await_frames(floors, before, packets as u64)?;
        let name = self.wrapper.target().name;
        ensure!(
            arrived == Arrived { total: packets as u64, encapsulated: packets as u64 },
            "{name}: of {packets} live frames {} arrived, {} of them encapsulated",
            arrived.total,
            arrived.encapsulated
        );
        self.sent += packets as u64;
        self.arrived += arrived.total;
        Ok(())
    }
}

/// What arrived since `before`, once all of it has or the time is up.
fn await_frames(floors: &Floors, before: Arrived, wanted: u64) -> Result<Arrived> {
    let deadline = Instant::now() + ARRIVAL;
    loop {
        let now = floors.arrived()?;
        let arrived = Arrived { total: now.total - before.total, encapsulated: now.encapsulated - before.encapsulated };
        if arrived.total >= wanted || Instant::now() > deadline {
            return Ok(arrived);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn rows(mut running: Vec<Running>) -> Vec<LiveRow> {
    let mut rows: Vec<LiveRow> = Vec::new();
    for one in &mut running {
        let target = one.wrapper.target();
        // A thousand over nanoseconds per packet is millions of packets per second.
        let median_mpps = 1e3 / percentile(&mut one.samples, 50);
        let floor = rows.iter().find(|row| row.scenario == one.scenario && row.target == one.floor);
        let ratio = floor.map_or(1.0, |floor| median_mpps / floor.median_mpps);
        let promised = floor.is_some();
        rows.push(LiveRow {
            scenario: one.scenario,
            target: target.name,
            verdict: target.verdict,
            median_mpps,
            best_mpps: 1e3 / percentile(&mut one.samples, 0),
            sent: one.sent,
            arrived: one.arrived,
            ratio,
            bar: promised.then(|| {
                BarResult::at_least(format!(">= {SHARE_OF_FLOOR} x {}", one.floor), SHARE_OF_FLOOR, Some(ratio))
            }),
        });
    }
    rows
}
