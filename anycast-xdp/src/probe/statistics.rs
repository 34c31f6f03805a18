//! Order statistics of durations.

use std::time::Duration;

/// What a series of durations is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many there are.
    pub count: usize,
    /// The shortest.
    pub min: Duration,
    /// Half are no longer; of an even number, the middle between two.
    pub median: Duration,
    /// Nine of ten are no longer (nearest rank).
    pub p90: Duration,
    /// The longest.
    pub max: Duration,
}

impl Summary {
    /// Of any order; `None`: there are none.
    pub fn of(series: &[Duration]) -> Option<Self> {
        let mut sorted = series.to_vec();
        sorted.sort_unstable();
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        Some(Self { count: sorted.len(), min, median: median(&sorted), p90: nearest_rank(&sorted, 90), max })
    }
}

/// Of a series that is sorted and not empty.
fn median(sorted: &[Duration]) -> Duration {
    let upper = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { (sorted[upper - 1] + sorted[upper]) / 2 } else { sorted[upper] }
}

/// The least value that so many of a hundred do not exceed, of a series that is sorted and not empty.
fn nearest_rank(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent).div_ceil(100).saturating_sub(1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(ms: &[u64]) -> Option<Summary> {
        Summary::of(&ms.iter().copied().map(Duration::from_millis).collect::<Vec<_>>())
    }

    #[test]
    fn nothing_has_no_summary() {
        assert_eq!(summary(&[]), None);
    }

    #[test]
    fn one_duration_is_all_of_it() {
        let one = summary(&[7]).unwrap();
        let ms = Duration::from_millis(7);
        assert_eq!(one, Summary { count: 1, min: ms, median: ms, p90: ms, max: ms });
    }

    #[test]
    fn order_does_not_matter() {
        let summary = summary(&[9, 1, 10, 3, 8, 2, 7, 4, 6, 5]).unwrap();
        assert_eq!((summary.min, summary.max), (Duration::from_millis(1), Duration::from_millis(10)));
        assert_eq!((summary.median, summary.p90), (Duration::from_micros(5500), Duration::from_millis(9)));
    }

    #[test]
    fn median_of_an_odd_number_is_the_middle_one() {
        assert_eq!(summary(&[30, 10, 20]).unwrap().median, Duration::from_millis(20));
        assert_eq!(summary(&[30, 10, 20]).unwrap().p90, Duration::from_millis(30));
    }
}
