//! TCP segments with options, most of them SYNs.

use fastrand::Rng;

use super::{bytes, one_in, pick};

/// A segment, its checksum anything.
pub(super) fn segment(rng: &mut Rng) -> Vec<u8> {
    let mut options = Vec::new();
    for _ in 0..rng.usize(..=9) {
        match rng.u8(..20) {
            0..7 => options.push(1),
            7..9 => options.extend([4, 2]),
            9..11 => options.extend([3, 3, 7]),
            11 => options.push(0),
            12 => {
                let length = rng.u8(..);
                options.extend([rng.u8(..), pick(rng, &[0, 1, 2, 9, 40, 43, 44, 63, length])]);
            }
            _ => {
                let anything = rng.u16(..);
                options.extend([2, 4]);
                options.extend(pick(rng, &[536, 1220, 1380, 1400, 1440, 1460, 8960, u16::MAX, anything]).to_be_bytes());
            }
        }
    }
    options.truncate(40);
    options.resize(options.len().next_multiple_of(4), 1);
    let mut segment = bytes(rng, 20);
    let words = if one_in(rng, 10) { rng.u8(..16) } else { 5 + (options.len() / 4) as u8 };
    segment[12] = words << 4;
    segment[13] = pick(rng, &[0x02, 0x02, 0x12, 0xc2, 0x10, 0x04]);
    segment.extend(options);
    if one_in(rng, 10) {
        segment.truncate(rng.usize(..=segment.len()));
    }
    segment
}
