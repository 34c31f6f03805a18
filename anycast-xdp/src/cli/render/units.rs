//! Numbers for people.

/// Below this a number is shown exactly: it is short enough to read and to compare.
const EXACT_BELOW: u64 = 10_000_000;

const SUFFIXES: [&str; 6] = ["k", "M", "G", "T", "P", "E"];

/// A count: exact while it is short, else three to four digits with a decimal suffix, `12.35M`.
pub(super) fn count(count: u64) -> String {
    if count < EXACT_BELOW { count.to_string() } else { scaled(approximate(count)) }
}

/// Bytes with a decimal suffix, `1.50 MB`.
pub(super) fn bytes(bytes: u64) -> String {
    let scaled = scaled(approximate(bytes));
    match scaled.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => format!("{} {}B", &scaled[..at], &scaled[at..]),
        None => format!("{scaled} B"),
    }
}

/// A rate: whole below 1000, else with a decimal suffix, `1.20M`.
pub(super) fn rate(per_sec: f64) -> String {
    // A trickle is not nothing.
    if per_sec > 0.0 && per_sec < 0.95 { format!("{per_sec:.1}") } else { scaled(per_sec) }
}

/// A count as a number to compute with.
#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 the error is below 1 in 10^15, and four digits are shown")]
pub(super) fn approximate(count: u64) -> f64 {
    count as f64
}

/// A second since 1970 as date and time, `2026-11-28 10:33:06`.
pub(super) fn utc(unix_secs: u64) -> String {
    let (days, second) = (unix_secs / 86_400, unix_secs % 86_400);
    // Years begin in March here, so that the day that leap years add is their last one: eras of 400 years have
    // 146,097 days (H. Hinnant, chrono-compatible low-level date algorithms).
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day + 2) / 153;
    let day = day - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

fn scaled(number: f64) -> String {
    let mut number = number;
    let mut suffix = "";
    for next in SUFFIXES {
        // 999.5 would be shown as 1000.
        if number < 999.5 {
            break;
        }
        number /= 1000.0;
        suffix = next;
    }
    match number {
        _ if suffix.is_empty() => format!("{number:.0}"),
        number if number < 9.995 => format!("{number:.2}{suffix}"),
        number if number < 99.95 => format!("{number:.1}{suffix}"),
        number => format!("{number:.0}{suffix}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_is_exact_while_short() {
        assert_eq!(count(0), "0");
        assert_eq!(count(9_999_999), "9999999");
        assert_eq!(count(12_345_678), "12.3M");
        assert_eq!(count(u64::MAX), "18.4E");
    }

    #[test]
    fn bytes_have_decimal_suffixes() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1500), "1.50 kB");
        assert_eq!(bytes(999_600), "1.00 MB");
        assert_eq!(bytes(123_456_789), "123 MB");
    }

    #[test]
    fn rate_shows_a_trickle() {
        assert_eq!(rate(0.0), "0");
        assert_eq!(rate(0.2), "0.2");
        assert_eq!(rate(0.96), "1");
        assert_eq!(rate(1_200_000.0), "1.20M");
    }

    #[test]
    fn utc_knows_leap_years() {
        // As `date --utc --date @N` tells them.
        for (unix_secs, told) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (951_868_800, "2000-03-01 00:00:00"),
            (1_735_689_599, "2024-12-31 23:59:59"),
            (1_795_861_986, "2026-11-28 10:33:06"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(utc(unix_secs), told);
        }
    }
}
