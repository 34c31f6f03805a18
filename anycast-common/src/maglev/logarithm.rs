//! A logarithm that is the same on every machine: integers only.

/// Binary digits after the point.
pub(super) const FRACTION_BITS: u32 = 32;

/// `-log2(hash / 2^64)` in units of `2^-FRACTION_BITS`, rounded up to within a few of them; a hash of 0 counts as 1.
///
/// The digits come out one by one by squaring, each square truncated to 64 bits. That truncation is part of the
/// contract: an implementation must follow it to the bit. At most `64 << FRACTION_BITS`, and never increasing in `hash`.
pub(super) const fn negative_log2(hash: u64) -> u64 {
    let hash = if hash == 0 { 1 } else { hash };
    let exponent = hash.ilog2();
    let mut mantissa = hash << (63 - exponent);
    let mut log = exponent as u64;
    let mut digit = 0;
    while digit < FRACTION_BITS {
        // [1, 2) squared is [1, 4), with 126 binary digits after the point.
        let square = mantissa as u128 * mantissa as u128;
        let above_two = (square >> 127) as u64;
        mantissa = (square >> (63 + above_two)) as u64;
        log = log << 1 | above_two;
        digit += 1;
    }
    (64 << FRACTION_BITS) - log
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "compared with a tolerance far above what f64 loses")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn powers_of_two_are_exact() {
        for exponent in 0..64_u32 {
            assert_eq!(negative_log2(1 << exponent), (64 - u64::from(exponent)) << FRACTION_BITS);
        }
        assert_eq!(negative_log2(0), negative_log2(1));
    }

    #[test]
    fn largest_hash_still_costs_something() {
        assert!(negative_log2(u64::MAX) > 0);
    }

    proptest! {
        #[test]
        fn agrees_with_floating_point(hash in 1..=u64::MAX, shift in 0u32..64) {
            let hash = (hash >> shift).max(1);
            let expected = 64.0 - (hash as f64).log2();
            let got = negative_log2(hash) as f64 / (1_u64 << FRACTION_BITS) as f64;
            prop_assert!((got - expected).abs() < 1e-8, "{hash}: {got} {expected}");
        }

        #[test]
        fn negative_logarithm_never_increases(a in any::<u64>(), step in 0u64..1 << 40, shift in 0u32..64) {
            let a = a >> shift;
            prop_assert!(negative_log2(a.saturating_add(step)) <= negative_log2(a));
        }
    }
}
