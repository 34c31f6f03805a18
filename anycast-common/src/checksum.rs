//! Internet checksum arithmetic (RFC 1071, RFC 1624) on native-order 16-bit words.
//!
//! One's-complement sums do not depend on byte order as long as words are loaded and stored the same way
//! (RFC 1071 section 2 (B)), so nothing here swaps bytes: sums of native loads are stored natively.

/// Folds a sum of 16-bit words to 16 bits.
#[inline(always)]
pub const fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// The checksum field for a header whose other words sum to `sum`.
#[inline(always)]
pub const fn finish(sum: u32) -> u16 {
    !fold(sum)
}

/// The checksum after one word changed from `old` to `new` (RFC 1624 equation 3). All three in native order.
#[inline(always)]
pub const fn replace_word(checksum: u16, old: u16, new: u16) -> u16 {
    finish((!checksum) as u32 + (!old) as u32 + new as u32)
}

/// Sum of the two native-order halves of a word.
#[inline(always)]
pub const fn halves(word: u32) -> u32 {
    (word & 0xffff) + (word >> 16)
}

/// Sum of the native-order words of `bytes`, whose length is even.
pub const fn sum(bytes: &[u8]) -> u32 {
    let mut total = 0;
    let mut at = 0;
    while at + 1 < bytes.len() {
        total += u16::from_ne_bytes([bytes[at], bytes[at + 1]]) as u32;
        at += 2;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn replace_word_equals_recomputing(mut header in proptest::array::uniform20(any::<u8>()), at in 0usize..10, new in any::<[u8; 2]>()) {
            header[10] = 0;
            header[11] = 0;
            let at = if at == 5 { 0 } else { at * 2 };
            let before = finish(sum(&header));
            let old = [header[at], header[at + 1]];
            header[at..at + 2].copy_from_slice(&new);
            let after = replace_word(before, u16::from_ne_bytes(old), u16::from_ne_bytes(new));
            // 0x0000 and 0xffff are the same number; a header that is not all zero never sums to +0.
            let recomputed = finish(sum(&header));
            prop_assert!(after == recomputed || (after ^ recomputed) == 0xffff, "{after:04x} {recomputed:04x}");
            if sum(&header) != 0 {
                prop_assert_eq!(after, recomputed);
            }
        }

        #[test]
        fn header_with_its_checksum_sums_to_all_ones(mut header in proptest::array::uniform20(any::<u8>())) {
            header[0] |= 0x40;
            header[10..12].fill(0);
            let checksum = finish(sum(&header));
            header[10..12].copy_from_slice(&checksum.to_ne_bytes());
            prop_assert_eq!(fold(sum(&header)), 0xffff);
        }
    }
}
