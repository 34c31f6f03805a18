//! The result: stable in its JSON form, which is these types.

use serde::Serialize;

use super::{bar::Bar, live::LiveRow, machine, measure::Measured, statistics::quantile, target::Action};

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
    /// Was it met?
    pub met: bool,
}

impl Report {
    /// Works out nets, ratios and bars.
    pub fn new(cpu: usize, measured: Vec<Measured>, live: Vec<LiveRow>) -> Self {
        Self {
            kernel: machine::kernel(),
            cpu_model: machine::cpu_model(),
            cpu,
            load: machine::load(),
            rows: rows(measured),
            live,
        }
    }

    /// Were all bars met?
    pub fn all_met(&self) -> bool {
        let bars = self.rows.iter().filter_map(|row| row.bar.as_ref());
        bars.chain(self.live.iter().filter_map(|row| row.bar.as_ref())).all(|bar| bar.met)
    }
}

impl BarResult {
    /// Holds a value against an upper limit.
    pub fn at_most(bar: String, limit: f64, value: Option<f64>) -> Self {
        Self { bar, limit, value, met: value.is_some_and(|value| value <= limit) }
    }

    /// Holds a value against a lower limit.
    pub fn at_least(bar: String, limit: f64, value: Option<f64>) -> Self {
        Self { bar, limit, value, met: value.is_some_and(|value| value >= limit) }
    }
}

fn rows(measured: Vec<Measured>) -> Vec<Row> {
    let mut bars: Vec<Option<Bar>> = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    for Measured { scenario, target, verdict, growth, bar, mut samples } in measured {
        let (min_ns, median_ns, p90_ns) =
            (quantile(&mut samples, 0.0), quantile(&mut samples, 0.5), quantile(&mut samples, 0.9));
        bars.push(bar);
        rows.push(Row {
            scenario,
            target,
            verdict,
            growth,
            min_ns,
            median_ns,
            p90_ns,
            net_ns: f64::NAN,
            ratio: None,
            bar: None,
        });
    }
    let median = |scenario, target| {
        rows.iter().find(|row| row.scenario == scenario && row.target == target).map(|row| row.median_ns)
    };
    let nets: Vec<(f64, Option<f64>)> = rows
        .iter()
        .map(|row| {
            let pass = median(row.scenario, "floor_pass").unwrap_or(f64::NAN);
            let net = row.median_ns - pass;
            (net, median(row.scenario, "floor_encap").map(|floor| net / (floor - pass)))
        })
        .collect();
    for (row, (net, ratio)) in rows.iter_mut().zip(nets) {
        row.net_ns = net;
        row.ratio = ratio;
    }
    let results: Vec<Option<BarResult>> = rows
        .iter()
        .zip(&bars)
        .map(|(row, bar)| bar.map(|bar| BarResult::at_most(bar.words(), bar.most, bar.value(row, &rows))))
        .collect();
    for (row, result) in rows.iter_mut().zip(results) {
        row.bar = result;
    }
    rows
}
