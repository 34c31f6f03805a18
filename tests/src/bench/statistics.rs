//! Numbers about samples.

/// The value below which the fraction `at` of the samples lies. Sorts them.
pub fn quantile(samples: &mut [f64], at: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let Some(last) = samples.len().checked_sub(1) else { return f64::NAN };
    #[expect(clippy::cast_sign_loss, reason = "a fraction of a length is not negative")]
    let index = (at * last as f64).round() as usize;
    samples[index.min(last)]
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles_of_unsorted_samples() {
        let mut samples = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(quantile(&mut samples, 0.0).to_bits(), 1.0_f64.to_bits());
        assert_eq!(quantile(&mut samples, 0.5).to_bits(), 3.0_f64.to_bits());
        assert_eq!(quantile(&mut samples, 1.0).to_bits(), 5.0_f64.to_bits());
    }

    #[test]
    fn quantile_of_nothing_is_not_a_number() {
        assert!(quantile(&mut [], 0.5).is_nan());
    }
}
