//! What instructions compute: RFC 9669 sections 4.1 to 4.3, for the instructions of version 3.

/// The result of an arithmetic instruction; `None`: there is no such operation. The result of a 32-bit one is below 2^32.
pub(super) fn alu(operation: u8, is_wide: bool, left: u64, right: u64) -> Option<u64> {
    let (left, right) = if is_wide { (left, right) } else { (left & 0xffff_ffff, right & 0xffff_ffff) };
    let shift = right as u32 % if is_wide { 64 } else { 32 };
    let result = match operation {
        0x00 => left.wrapping_add(right),
        0x10 => left.wrapping_sub(right),
        0x20 => left.wrapping_mul(right),
        0x30 => left.checked_div(right).unwrap_or(0),
        0x40 => left | right,
        0x50 => left & right,
        0x60 => left << shift,
        0x70 => left >> shift,
        0x80 => left.wrapping_neg(),
        0x90 => left.checked_rem(right).unwrap_or(left),
        0xa0 => left ^ right,
        0xb0 => right,
        0xc0 if is_wide => (left.cast_signed() >> shift).cast_unsigned(),
        0xc0 => u64::from((left as i32 >> shift).cast_unsigned()),
        _ => return None,
    };
    Some(if is_wide { result } else { result & 0xffff_ffff })
}

/// The low `bits` in little-endian or big-endian order; `None`: no such number of bits.
pub(super) fn in_byte_order(value: u64, bits: i32, is_big_endian: bool) -> Option<u64> {
    Some(match (bits, is_big_endian) {
        (16, false) => u64::from((value as u16).to_le()),
        (16, true) => u64::from((value as u16).to_be()),
        (32, false) => u64::from((value as u32).to_le()),
        (32, true) => u64::from((value as u32).to_be()),
        (64, false) => value.to_le(),
        (64, true) => value.to_be(),
        _ => return None,
    })
}

/// Does the jump's comparison hold? `None`: there is no such comparison.
pub(super) fn holds(comparison: u8, is_wide: bool, left: u64, right: u64) -> Option<bool> {
    let (left, right) = if is_wide { (left, right) } else { (left & 0xffff_ffff, right & 0xffff_ffff) };
    let signed = |value: u64| if is_wide { value.cast_signed() } else { i64::from(value as i32) };
    Some(match comparison {
        0x00 => true,
        0x10 => left == right,
        0x20 => left > right,
        0x30 => left >= right,
        0x40 => left & right != 0,
        0x50 => left != right,
        0x60 => signed(left) > signed(right),
        0x70 => signed(left) >= signed(right),
        0xa0 => left < right,
        0xb0 => left <= right,
        0xc0 => signed(left) < signed(right),
        0xd0 => signed(left) <= signed(right),
        _ => return None,
    })
}

/// What an atomic instruction stores; `None`: there is no such operation. `expected` is register 0.
pub(super) fn atomic(operation: i32, is: u64, operand: u64, expected: u64) -> Option<u64> {
    Some(match operation & !FETCH {
        0x00 => is.wrapping_add(operand),
        0x40 => is | operand,
        0x50 => is & operand,
        0xa0 => is ^ operand,
        0xe0 => operand,
        0xf0 if is == expected => operand,
        0xf0 => is,
        _ => return None,
    })
}

/// An atomic instruction gives what was there before.
pub(super) const FETCH: i32 = 0x01;
/// It gives that in register 0, and not in its source register.
pub(super) const COMPARE_AND_EXCHANGE: i32 = 0xf1;

#[cfg(test)]
mod tests {
    use super::*;

    const MINUS_ONE: u64 = u64::MAX;

    #[test]
    fn wide_arithmetic_wraps_and_masks_shifts() {
        let results = [
            (0x00, MINUS_ONE, 2, 1),
            (0x10, 1, 2, MINUS_ONE),
            (0x20, 1 << 63, 2, 0),
            (0x30, MINUS_ONE, 2, i64::MAX as u64),
            (0x40, 0xf0, 0x0f, 0xff),
            (0x50, 0xff, 0x1_0000_000f, 0x0f),
            (0x60, 1, 65, 2),
            (0x70, 1 << 63, 63, 1),
            (0x80, 1, 0, MINUS_ONE),
            (0x90, 17, 5, 2),
            (0xa0, 0xff, 0x0f, 0xf0),
            (0xb0, 7, MINUS_ONE, MINUS_ONE),
            (0xc0, 1 << 63, 63, MINUS_ONE),
        ];
        for (operation, left, right, expected) in results {
            assert_eq!(alu(operation, true, left, right), Some(expected), "{operation:#x}");
        }
    }

    #[test]
    fn narrow_arithmetic_zeroes_the_upper_half() {
        let results = [
            (0x00, MINUS_ONE, 1, 0),
            (0x10, 0, 1, 0xffff_ffff),
            (0x20, 0x8000_0001, 2, 2),
            (0x30, MINUS_ONE, 1 << 32 | 2, 0x7fff_ffff),
            (0x60, 1, 33, 2),
            (0x70, MINUS_ONE, 31, 1),
            (0x80, 1, 0, 0xffff_ffff),
            (0x90, 0x1_0000_0011, 5, 2),
            (0xb0, 0, MINUS_ONE, 0xffff_ffff),
            (0xc0, 0x8000_0000, 31, 0xffff_ffff),
        ];
        for (operation, left, right, expected) in results {
            assert_eq!(alu(operation, false, left, right), Some(expected), "{operation:#x}");
        }
    }

    #[test]
    fn division_by_zero_gives_zero_and_remainder_the_dividend() {
        assert_eq!([alu(0x30, true, 5, 0), alu(0x90, true, MINUS_ONE, 0)], [Some(0), Some(MINUS_ONE)]);
        // Only the lower half divides.
        assert_eq!([alu(0x30, false, 5, 1 << 32), alu(0x90, false, MINUS_ONE, 1 << 32)], [Some(0), Some(0xffff_ffff)]);
    }

    #[test]
    fn byte_orders_cut_to_their_width() {
        let value = 0x1122_3344_5566_7788_u64;
        let big = [16, 32, 64].map(|bits| in_byte_order(value, bits, true).map(u64::swap_bytes));
        assert_eq!(big, [Some(0x7788 << 48), Some(0x5566_7788 << 32), Some(value)].map(|order| order.map(u64::to_le)));
        assert_eq!([in_byte_order(value, 16, false), in_byte_order(value, 8, false)], [Some(0x7788_u64.to_le()), None]);
    }

    #[test]
    fn comparisons_know_sign_and_width() {
        let cases = [
            (0x20, true, MINUS_ONE, 1, true),
            (0x60, true, MINUS_ONE, 1, false),
            (0xa0, true, 1, 1 << 32, true),
            (0xa0, false, 1, 1 << 32, false),
            (0xc0, false, 0xffff_ffff, 0, true),
            (0xc0, true, 0xffff_ffff, 0, false),
            (0x10, false, 1 << 32 | 5, 5, true),
            (0x50, true, 1 << 32 | 5, 5, true),
            (0x40, false, 1 << 32, 1 << 32, false),
            (0x40, true, 0b110, 0b010, true),
            (0x30, true, 5, 5, true),
            (0xb0, true, 5, 5, true),
            (0x70, true, 5, 5, true),
            (0xd0, true, 6, 5, false),
            (0x00, true, 0, 1, true),
        ];
        for (comparison, is_wide, left, right, expected) in cases {
            assert_eq!(holds(comparison, is_wide, left, right), Some(expected), "{comparison:#x} {left:#x} {right:#x}");
        }
    }

    #[test]
    fn atomics_store_by_operation() {
        assert_eq!(atomic(FETCH, 40, 2, 0), Some(42));
        assert_eq!(atomic(0x40 | FETCH, 0b100, 0b001, 0), Some(0b101));
        assert_eq!(atomic(0x50, 0b110, 0b011, 0), Some(0b010));
        assert_eq!(atomic(0xa0, 0b110, 0b011, 0), Some(0b101));
        assert_eq!(atomic(0xe1, 1, 2, 0), Some(2));
        assert_eq!([atomic(COMPARE_AND_EXCHANGE, 1, 2, 1), atomic(COMPARE_AND_EXCHANGE, 1, 2, 3)], [Some(2), Some(1)]);
    }

    #[test]
    fn unknown_operations_are_refused() {
        assert_eq!((alu(0xd0, true, 1, 1), holds(0xe0, true, 1, 1), atomic(0x10, 1, 1, 1)), (None, None, None));
    }
}
