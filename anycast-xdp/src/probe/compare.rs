//! Is one series of durations faster than another, measured alternately?

use std::time::Duration;

/// How sure a difference must be: the interval around it has the true median of the differences in 95 of 100 cases.
const CONFIDENCE: f64 = 0.95;

/// The difference between pairs of durations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Pairs of which both were measured.
    pub pairs: usize,
    /// Median of the differences, in seconds: below 0 the first series is faster.
    pub median_secs: f64,
    /// The same in percent of the second series' median; `None`: that is 0.
    pub percent: Option<f64>,
    /// Lower and upper bound of the median's confidence interval, in seconds. `None`: too few pairs for one.
    pub interval_secs: Option<(f64, f64)>,
}

/// What a difference says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The first series is.
    Faster,
    /// The first series is.
    Slower,
    /// The interval has 0 in it: more attempts may tell.
    WithinNoise,
    /// Fewer than six pairs: no interval is that sure.
    TooFew,
}

impl Difference {
    /// Of pairs (first, second); `None`: there are none.
    pub fn of(pairs: &[(Duration, Duration)]) -> Option<Self> {
        let mut sorted: Vec<f64> = pairs.iter().map(|(a, b)| a.as_secs_f64() - b.as_secs_f64()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let mut second: Vec<f64> = pairs.iter().map(|(_, b)| b.as_secs_f64()).collect();
        second.sort_unstable_by(f64::total_cmp);
        let median_secs = median(&sorted)?;
        let percent = median(&second).filter(|base| *base > 0.0).map(|base| 100.0 * median_secs / base);
        let interval_secs = interval_rank(sorted.len()).map(|rank| (sorted[rank], sorted[sorted.len() - 1 - rank]));
        Some(Self { pairs: sorted.len(), median_secs, percent, interval_secs })
    }

    /// What it says.
    pub fn verdict(&self) -> Verdict {
        match self.interval_secs {
            None => Verdict::TooFew,
            Some((_, upper)) if upper < 0.0 => Verdict::Faster,
            Some((lower, _)) if lower > 0.0 => Verdict::Slower,
            Some(_) => Verdict::WithinNoise,
        }
    }
}

fn median(sorted: &[f64]) -> Option<f64> {
    let upper = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied();
    if sorted.len().is_multiple_of(2) { Some(f64::midpoint(at(upper.checked_sub(1)?)?, at(upper)?)) } else { at(upper) }
}

/// How many of `pairs` sorted differences lie outside of the interval on each side: as many as may, so that the median of
/// all differences there could be lies within with [`CONFIDENCE`]. Each of them is below that median with probability
/// 1/2, whatever the distribution (the sign test), so the number below it is binomial. `None`: not even the whole range is
/// so sure.
fn interval_rank(pairs: usize) -> Option<usize> {
    let tail_max = (1.0 - CONFIDENCE) / 2.0;
    let count = i32::try_from(pairs).ok()?;
    // From logarithms: 2^-n is 0 for a thousand pairs.
    let mut log2_probability = -f64::from(count);
    let mut tail = log2_probability.exp2();
    let mut rank = None;
    for below in 0..count {
        if tail > tail_max {
            break;
        }
        rank = usize::try_from(below).ok();
        log2_probability += (f64::from(count - below) / f64::from(below + 1)).log2();
        tail += log2_probability.exp2();
    }
    rank
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(first_ms: &[u64], second_ms: &[u64]) -> Difference {
        let ms = |ms: &u64| Duration::from_millis(*ms);
        let pairs: Vec<_> = first_ms.iter().map(ms).zip(second_ms.iter().map(ms)).collect();
        Difference::of(&pairs).unwrap()
    }

    #[test]
    fn nothing_has_no_difference() {
        assert_eq!(Difference::of(&[]), None);
    }

    /// Ranks of the confidence interval for a median, as tables of the sign test have them (0 is the extreme value).
    #[test]
    fn ranks_are_those_of_the_sign_test() {
        let known =
            [(5, None), (6, Some(0)), (8, Some(0)), (9, Some(1)), (10, Some(1)), (20, Some(5)), (100, Some(39))];
        for (pairs, rank) in known {
            assert_eq!(interval_rank(pairs), rank, "{pairs} pairs");
        }
        // Where 2^-n is no number any more: n/2 less 0.98 times the root of n.
        assert_eq!(interval_rank(10_000), Some(4901));
    }

    #[test]
    fn what_is_always_shorter_is_faster() {
        let difference = difference(&[10, 11, 10, 12, 10, 11], &[20, 21, 22, 20, 21, 20]);
        assert_eq!(difference.verdict(), Verdict::Faster);
        assert!((difference.median_secs + 0.010).abs() < 1e-9, "{difference:?}");
        assert!((difference.percent.unwrap() + 48.78).abs() < 0.01, "{difference:?}");
        assert_eq!(difference.interval_secs.map(|(lower, _)| (lower * 1000.0).round()), Some(-12.0));
    }

    #[test]
    fn what_is_always_longer_is_slower() {
        assert_eq!(difference(&[20; 6], &[10; 6]).verdict(), Verdict::Slower);
    }

    #[test]
    fn one_outlier_among_ten_does_not_turn_the_verdict() {
        let mut first = [10; 10];
        first[3] = 900;
        assert_eq!(difference(&first, &[20; 10]).verdict(), Verdict::Faster);
    }

    #[test]
    fn what_is_now_shorter_and_now_longer_is_noise() {
        assert_eq!(difference(&[10, 20, 10, 20, 10, 20], &[15; 6]).verdict(), Verdict::WithinNoise);
    }

    #[test]
    fn five_pairs_are_too_few() {
        assert_eq!(difference(&[10; 5], &[20; 5]).verdict(), Verdict::TooFew);
    }

    #[test]
    fn nothing_in_no_time_has_no_percentage() {
        assert_eq!(difference(&[1; 6], &[0; 6]).percent, None);
    }
}
