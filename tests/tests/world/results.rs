//! Repeated measurements of what players see, and their bars.

use std::{env, time::Duration};

use anycast_tests::lab::{
    players::Record,
    stall::Stall,
    world::{Observed, VIPS, World, plan::ACCESS},
};

/// How often everything is measured: `AXDP_RUNS`, 1 unless it says so.
pub(crate) fn runs() -> usize {
    env::var("AXDP_RUNS").map_or(1, |runs| runs.parse().expect("AXDP_RUNS is a number"))
}

/// Whether this is measured: all is, unless `AXDP_ONLY` is a part of other names only.
pub(crate) fn is_wanted(name: &str) -> bool {
    env::var("AXDP_ONLY").map_or(true, |only| name.contains(&only))
}

/// The most that may be; none: it is measured only.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bars {
    pub gap: Option<Duration>,
    pub lost: Option<u64>,
    pub broken: Option<u64>,
}

/// Nothing is lost, and nothing breaks.
pub(crate) const CALM: Bars = Bars { gap: None, lost: Some(0), broken: Some(0) };

/// What players saw while something happened, how long the machine stood still meanwhile, and what BFD told.
#[derive(Debug)]
pub(crate) struct Watched {
    pub observed: Vec<Observed>,
    pub stall: Duration,
    /// Sessions that went down: those of what has failed, and others where the machine was too busy.
    pub bfd_told: Vec<String>,
}

/// [`World::observe`], and the machine and BFD.
pub(crate) fn watch<T>(
    world: &mut World,
    after: Duration,
    act: impl FnOnce(&mut World) -> anyhow::Result<T>,
) -> (T, Watched) {
    let before = world.bfd_sessions().unwrap();
    let stall = Stall::watch();
    let (kept, observed) = world.observe(after, act).unwrap();
    let stall = stall.stop().unwrap();
    let bfd_told = world.bfd_sessions().unwrap().changed_since(&before);
    (kept, Watched { observed, stall, bfd_told })
}

/// What was measured, by name, in the order in which names came, and what missed its bar.
#[derive(Debug, Default)]
pub(crate) struct Results {
    rows: Vec<Row>,
    misses: Vec<String>,
}

#[derive(Debug)]
struct Row {
    name: String,
    values: Vec<u64>,
    bar: Option<u64>,
}

impl Results {
    /// Adds what players saw of VIPs in one run.
    pub fn see(&mut self, what: &str, seen: &Record, watched: &Watched, bars: Bars) {
        let (stall, known) = (watched.stall, self.misses.len());
        self.add(&format!("{what}: longest gap, ms"), millis(seen.longest_gap), stall, bars.gap.map(millis));
        self.add(&format!("{what}: lost"), seen.lost, stall, bars.lost);
        self.add(&format!("{what}: broken connections"), seen.broken, stall, bars.broken);
        if self.misses.len() > known {
            self.misses.push(by_players(&watched.observed));
            self.misses.push(format!("  BFD sessions down: {}", watched.bfd_told.join(", ")));
        }
    }

    /// Adds a value, of which there may be as much as `bar`.
    pub fn add(&mut self, name: &str, value: u64, stall: Duration, bar: Option<u64>) {
        let at = self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            self.rows.push(Row { name: name.to_owned(), values: Vec::new(), bar });
            self.rows.len() - 1
        });
        self.rows[at].values.push(value);
        let run = self.rows[at].values.len();
        if let Some(bar) = bar {
            self.check(value <= bar, || format!("{name}: {value} of at most {bar} in run {run}"), stall);
        }
    }

    /// Notes what is not as it should be.
    pub fn check(&mut self, is_good: bool, what: impl FnOnce() -> String, stall: Duration) {
        if !is_good {
            self.misses.push(format!("{} (routers waited {} ms for a processor)", what(), millis(stall)));
        }
    }

    /// Prints least, median and most of each, and fails where a bar was missed.
    pub fn finish(self) {
        println!("\n{:64} {:>4} {:>6} {:>6} {:>6} {:>6}", "", "runs", "min", "median", "max", "bar");
        for Row { name, mut values, bar } in self.rows {
            values.sort_unstable();
            let (min, median, max) = (values[0], values[values.len() / 2], values[values.len() - 1]);
            let bar = bar.map_or_else(String::new, |bar| bar.to_string());
            println!("{name:64} {:>4} {min:>6} {median:>6} {max:>6} {bar:>6}", values.len());
        }
        assert!(self.misses.is_empty(), "bars were missed:\n{}", self.misses.join("\n"));
    }
}

/// What all players together saw of both VIPs: sums, and the longest gap of all.
pub(crate) fn all(observed: &[Observed]) -> Record {
    observed.iter().flat_map(|of| of.vips).fold(Record::default(), |all, seen| all.with(seen.total()))
}

/// What of it is not well, a line for each AS, VIP and kind of players.
fn by_players(observed: &[Observed]) -> String {
    let mut lines = Vec::new();
    for (plan, of) in ACCESS.iter().zip(observed) {
        for ((vip, _), seen) in VIPS.iter().zip(of.vips) {
            let kinds = [("game", seen.game), ("datagrams", seen.datagrams), ("dns", seen.dns), ("web", seen.web)];
            for (kind, Record { sent, lost, broken, longest_gap }) in kinds.iter().filter(|(_, seen)| seen.is_hurt()) {
                let gap = millis(*longest_gap);
                lines.push(format!("  {}, {vip}, {kind}: {lost} of {sent} lost, {broken} broken, {gap} ms", plan.name));
            }
        }
    }
    lines.join("\n")
}

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}
