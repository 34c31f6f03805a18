//! How durations spread over a scale that several series share.

use std::time::Duration;

/// At most so many bins lie on the scale.
const BINS_MAX: u128 = 12;
/// A scale that is this much longer than what nine of ten durations take ends there: the rest goes to the last bin, and
/// does not squeeze all others into the first.
const TAIL_FACTOR: u32 = 5;

/// Bins of equal width, and what falls into each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// In order; none: there were no durations.
    pub bins: Vec<Bin>,
}

/// A part of the scale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bin {
    /// The shortest duration that falls into it.
    pub from: Duration,
    /// The shortest that is too long for it; `None`: all that are longer fall into it.
    pub to: Option<Duration>,
    /// How many of each series fall into it.
    pub counts: Vec<usize>,
}

impl Histogram {
    /// Of all series on one scale.
    pub fn of(series: &[&[Duration]]) -> Self {
        let mut all: Vec<Duration> = series.iter().flat_map(|one| one.iter().copied()).collect();
        all.sort_unstable();
        let (Some(&min), Some(&max)) = (all.first(), all.last()) else {
            return Self { bins: Vec::new() };
        };
        let most = all[(all.len() * 9).div_ceil(10) - 1];
        let end = max.min(most + most.saturating_sub(min) * TAIL_FACTOR);
        let width_ns = bin_width_ns(min.as_nanos(), end.as_nanos());
        let first = min.as_nanos() / width_ns;
        let last = end.as_nanos() / width_ns;
        let mut bins: Vec<Bin> = (first..=last)
            .map(|index| Bin {
                from: of_nanos(index * width_ns),
                to: Some(of_nanos((index + 1) * width_ns)),
                counts: vec![0; series.len()],
            })
            .collect();
        if let Some(last) = bins.last_mut()
            && last.to.is_some_and(|to| max >= to)
        {
            last.to = None;
        }
        for (number, one) in series.iter().enumerate() {
            for duration in *one {
                let index = duration.as_nanos() / width_ns - first;
                let index = usize::try_from(index).unwrap_or(usize::MAX).min(bins.len() - 1);
                bins[index].counts[number] += 1;
            }
        }
        Self { bins }
    }

    /// The largest count of any bin and series.
    pub fn count_max(&self) -> usize {
        self.bins.iter().flat_map(|bin| bin.counts.iter().copied()).max().unwrap_or(0)
    }
}

/// 1, 2 or 5 times a power of ten, so that bounds are short numbers: the least that needs no more than [`BINS_MAX`] bins,
/// and not below a microsecond.
fn bin_width_ns(min_ns: u128, end_ns: u128) -> u128 {
    let mut decade = 1000;
    loop {
        for width in [decade, 2 * decade, 5 * decade] {
            if end_ns / width - min_ns / width < BINS_MAX {
                return width;
            }
        }
        decade *= 10;
    }
}

fn of_nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(values: &[u64]) -> Vec<Duration> {
        values.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn nothing_has_no_bins() {
        assert_eq!(Histogram::of(&[&[], &[]]).bins, []);
    }

    #[test]
    fn series_share_a_scale() {
        let histogram = Histogram::of(&[&ms(&[10, 11, 11]), &ms(&[19])]);
        assert_eq!(histogram.bins.len(), 10);
        assert_eq!(histogram.bins[1].counts, [2, 0]);
        assert_eq!(histogram.bins[9].counts, [0, 1]);
        assert_eq!(histogram.bins[9].to, Some(Duration::from_millis(20)));
        assert_eq!(histogram.count_max(), 2);
    }

    #[test]
    fn one_straggler_does_not_squeeze_the_others() {
        let mut durations = ms(&[10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
        durations.extend(ms(&[3000]));
        let histogram = Histogram::of(&[&durations]);
        let last = histogram.bins.last().unwrap();
        assert_eq!((last.to, last.counts.as_slice()), (None, &[1][..]));
        assert!(histogram.bins.iter().filter(|bin| bin.counts[0] > 0).count() >= 3, "{histogram:?}");
    }

    #[test]
    fn equal_durations_are_one_bin() {
        assert_eq!(Histogram::of(&[&ms(&[5, 5, 5])]).bins.len(), 1);
    }

    proptest! {
        #[test]
        fn every_duration_falls_into_one_bin_that_has_it(nanos in prop::collection::vec(0_u64..100_000_000_000, 1..60)) {
            let durations: Vec<_> = nanos.iter().copied().map(Duration::from_nanos).collect();
            let histogram = Histogram::of(&[&durations]);
            prop_assert!(u128::try_from(histogram.bins.len()).unwrap() <= BINS_MAX);
            for bin in &histogram.bins {
                let within = durations.iter().filter(|d| **d >= bin.from && bin.to.is_none_or(|to| **d < to)).count();
                prop_assert_eq!(bin.counts[0], within);
            }
            prop_assert_eq!(histogram.bins.iter().map(|bin| bin.counts[0]).sum::<usize>(), durations.len());
        }
    }
}
