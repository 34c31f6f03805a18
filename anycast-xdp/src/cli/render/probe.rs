//! Text of `probe`. Times are in milliseconds.

mod attempts;
mod difference;
mod histogram;
mod path;

use std::{fmt::Write as _, time::Duration};

use super::{Style, count_of, table};
use crate::probe::{
    histogram::Histogram,
    report::{Measured, Report},
    times::Time,
};

/// Columns where the terminal has none.
const WIDTH_OF_A_PIPE: u16 = 80;

/// All of a probe: the way, the attempts, their spread, and what to make of it.
pub fn probe(report: &Report, style: Style) -> String {
    let mut out = path::head(report, style);
    out.push_str(&path::hops(&report.path, style.width));
    for target in &report.targets {
        out.push_str(&attempts::attempts(target, style.width));
        out.push_str(&attempts::failures(target, style.width));
        out.push_str(&summary(target, style.width));
    }
    out.push_str(&spread(&report.targets, style));
    out.push_str(&difference::differences(report, style));
    let (attempted, failed) = report.attempted_and_failed();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "\n{}, {failed} failed", count_of(attempted, "attempt"));
    out
}

fn summary(target: &Measured, width: Option<u16>) -> String {
    let rows = Time::ALL.iter().filter_map(|time| {
        let summary = target.summary.get(time.name())?.0;
        let times = [summary.min, summary.median, summary.p90, summary.max].map(ms);
        Some([vec![time.name().to_owned()], times.to_vec()].concat())
    });
    let columns = ["MIN", "MEDIAN", "P90", "MAX"].map(table::Column::Number);
    let columns: Vec<_> = [table::Column::Whole("TIME")].into_iter().chain(columns).collect();
    table::titled(&format!("Times of {}, ms", target.url), &columns, rows.collect(), width)
}

fn spread(targets: &[Measured], style: Style) -> String {
    let series: Vec<Vec<Duration>> = targets.iter().map(|target| target.durations(Time::Total)).collect();
    let series: Vec<&[Duration]> = series.iter().map(Vec::as_slice).collect();
    let heads: Vec<&str> = targets.iter().map(|target| target.url.as_str()).collect();
    histogram::histogram(&Histogram::of(&series), &heads, style)
}

/// A time in milliseconds.
fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1000.0)
}
