//! Numbers about samples.

/// The sample that `percent` of the samples are not above. Sorts them; not a number if there are none.
pub fn percentile(samples: &mut [f64], percent: usize) -> f64 {
    samples.sort_by(f64::total_cmp);
    let Some(last) = samples.len().checked_sub(1) else { return f64::NAN };
    samples[(last * percent.min(100) + 50) / 100]
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_of_unsorted_samples() {
        let mut samples = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(percentile(&mut samples, 0).to_bits(), 1.0_f64.to_bits());
        assert_eq!(percentile(&mut samples, 50).to_bits(), 3.0_f64.to_bits());
        assert_eq!(percentile(&mut samples, 100).to_bits(), 5.0_f64.to_bits());
    }

    #[test]
    fn percentile_of_nothing_is_not_a_number() {
        assert!(percentile(&mut [], 50).is_nan());
    }
}
