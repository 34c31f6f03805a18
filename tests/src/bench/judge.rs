//! From samples to rows: nets, ratios, and whether bars are met.

use super::{
    measure::Measured,
    report::{BarResult, Row},
    statistics::percentile,
};

/// What the wrapper and the tail call cost.
const ZERO: &str = "floor_pass";
/// What a forwarder cannot do without.
const ONE: &str = "floor_encap";

/// Works out every row.
pub fn rows(measured: Vec<Measured>) -> Vec<Row> {
    let bars: Vec<_> = measured.iter().map(|one| one.bar).collect();
    let mut rows: Vec<_> = measured.into_iter().map(row).collect();
    for index in 0..rows.len() {
        let median = |target| {
            let same = |row: &&Row| row.scenario == rows[index].scenario && row.target == target;
            rows.iter().find(same).map(|row| row.median_ns)
        };
        let zero = median(ZERO).unwrap_or(f64::NAN);
        let net_ns = rows[index].median_ns - zero;
        let ratio = median(ONE).filter(|_| rows[index].target != ZERO).map(|one| net_ns / (one - zero));
        rows[index].net_ns = net_ns;
        rows[index].ratio = ratio;
    }
    for (index, bar) in bars.into_iter().enumerate() {
        rows[index].bar = bar.map(|bar| BarResult::at_most(bar.words(), bar.most, bar.value(&rows[index], &rows)));
    }
    rows
}

/// What one row says without the others.
fn row(measured: Measured) -> Row {
    let Measured { scenario, target, verdict, growth, mut samples, .. } = measured;
    Row {
        scenario,
        target,
        verdict,
        growth,
        min_ns: percentile(&mut samples, 0),
        median_ns: percentile(&mut samples, 50),
        p90_ns: percentile(&mut samples, 90),
        net_ns: f64::NAN,
        ratio: None,
        bar: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{
        bar::{Against, Bar, RowName},
        target::Action,
    };

    fn measured(scenario: &'static str, target: &'static str, ns: f64, bar: Option<Bar>) -> Measured {
        Measured { scenario, target, verdict: Action::Tx, growth: 20, bar, samples: vec![ns] }
    }

    fn close(value: f64, wanted: f64) -> bool {
        (value - wanted).abs() < 1e-9
    }

    #[test]
    fn net_is_above_the_pass_floor_and_ratio_in_encap_floors_of_the_same_scenario() {
        let rows = rows(vec![
            measured("a", ZERO, 10.0, None),
            measured("a", ONE, 30.0, None),
            measured("a", "ours", 40.0, Some(Bar::floor(1.2))),
            measured("b", ZERO, 20.0, None),
            measured("b", "ours", 25.0, None),
        ]);
        assert!(rows[0].ratio.is_none());
        assert!(close(rows[2].net_ns, 30.0) && rows[2].ratio.is_some_and(|ratio| close(ratio, 1.5)));
        assert!(close(rows[4].net_ns, 5.0) && rows[4].ratio.is_none());
        assert_eq!(rows[2].bar.as_ref().and_then(|bar| bar.met), Some(false));
    }

    #[test]
    fn bars_against_rows_take_the_row_of_that_scenario() {
        let name = RowName { scenario: "a", target: "ours" };
        let rows = rows(vec![
            measured("a", ZERO, 10.0, None),
            measured("a", ONE, 30.0, None),
            measured("a", "ours", 34.0, None),
            measured("a", "other", 42.0, Some(Bar { against: Against::RatioAbove(name), most: 0.5 })),
            measured("b", ZERO, 11.0, None),
            measured("b", "ours", 47.0, Some(Bar { against: Against::NetOf(name), most: 1.4 })),
            measured("b", "more", 45.0, Some(Bar { against: Against::NsAbove(name), most: 10.0 })),
        ]);
        let bar = |index: usize| rows[index].bar.as_ref().map(|bar| (bar.value, bar.met));
        assert!(matches!(bar(3), Some((Some(value), Some(true))) if close(value, 0.4)), "{:?}", bar(3));
        assert!(matches!(bar(5), Some((Some(value), Some(false))) if close(value, 1.5)), "{:?}", bar(5));
        assert!(matches!(bar(6), Some((Some(value), Some(true))) if close(value, 10.0)), "{:?}", bar(6));
    }

    #[test]
    fn bar_against_a_row_that_was_not_measured_is_neither_met_nor_missed() {
        let name = RowName { scenario: "elsewhere", target: "ours" };
        let rows = rows(vec![
            measured("a", ZERO, 10.0, None),
            measured("a", "ours", 30.0, Some(Bar { against: Against::NetOf(name), most: 1.15 })),
        ]);
        assert!(matches!(&rows[1].bar, Some(BarResult { value: None, met: None, .. })));
    }
}
