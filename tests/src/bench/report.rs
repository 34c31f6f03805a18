//! The result: stable in its JSON form, which is these types.

use serde::Serialize;

use super::{live::LiveRow, machine, target::Action};

/// Everything that was measured in one run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Kernel release.
    pub kernel: String,
    /// CPU model.
    pub cpu_model: String,
    /// The CPU that the bench ran on.
    pub cpu: usize,
    /// Load average of the last minute at the end of the run.
    pub load: f64,
    /// Time of a packet.
    pub rows: Vec<Row>,
    /// Throughput of live frames.
    pub live: Vec<LiveRow>,
    /// Memory of the maps that scenarios ask for it.
    pub memory: Vec<Memory>,
}

/// How much memory a map takes.
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    /// Scenario.
    pub scenario: &'static str,
    /// Name of the map.
    pub map: &'static str,
    /// Its capacity.
    pub entries: u32,
    /// What the kernel says that it takes.
    pub bytes: u64,
}

/// One program in one scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Scenario.
    pub scenario: &'static str,
    /// Program.
    pub target: &'static str,
    /// Verdict on every packet.
    pub verdict: Action,
    /// Growth of every frame, in bytes.
    pub growth: i32,
    /// Shortest sample.
    pub min_ns: f64,
    /// Median of the samples.
    pub median_ns: f64,
    /// 90th percentile.
    pub p90_ns: f64,
    /// Median above the median of `floor_pass` in the same scenario.
    pub net_ns: f64,
    /// Net as a multiple of the net of `floor_encap`; none where that is not in the scenario.
    pub ratio: Option<f64>,
    /// What is promised; none for floors and for what is only told.
    pub bar: Option<BarResult>,
}

/// A bar and how it was met.
#[derive(Clone, Debug, Serialize)]
pub struct BarResult {
    /// In words.
    pub bar: String,
    /// The limit.
    pub limit: f64,
    /// What is held against it; none: what it compares with was not measured.
    pub value: Option<f64>,
    /// Was it met? None: there is no value.
    pub met: Option<bool>,
}

impl Report {
    /// What was measured on this CPU of this machine.
    pub fn new(cpu: usize, rows: Vec<Row>, live: Vec<LiveRow>, memory: Vec<Memory>) -> Self {
        let (kernel, cpu_model, load) = (machine::kernel(), machine::cpu_model(), machine::load());
        Self { kernel, cpu_model, cpu, load, rows, live, memory }
    }

    /// Was every bar met that there is a value for?
    pub fn all_met(&self) -> bool {
        let bars = self.rows.iter().filter_map(|row| row.bar.as_ref());
        bars.chain(self.live.iter().filter_map(|row| row.bar.as_ref())).all(|bar| bar.met != Some(false))
    }
}

impl BarResult {
    /// Holds a value against an upper limit.
    pub fn at_most(bar: String, limit: f64, value: Option<f64>) -> Self {
        Self { bar, limit, value, met: value.map(|value| value <= limit) }
    }

    /// Holds a value against a lower limit.
    pub fn at_least(bar: String, limit: f64, value: Option<f64>) -> Self {
        Self { bar, limit, value, met: value.map(|value| value >= limit) }
    }
}
