//! Durations as people write them.

use std::{fmt::Write as _, time::Duration};

/// The units that a duration may have, the longest first, and how many milliseconds each is.
pub(crate) const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Whole milliseconds, as they are written in a file.
pub(crate) fn written(duration: Duration) -> String {
    let mut left_ms = duration.as_millis();
    let mut text = String::new();
    for (unit, unit_ms) in UNITS {
        let unit_ms = u128::from(unit_ms);
        if left_ms >= unit_ms {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}{unit}", left_ms / unit_ms);
            left_ms %= unit_ms;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}
