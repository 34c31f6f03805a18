//! Durations as people write them.

use std::time::Duration;

use serde_json::{Value, json};
use toml::de::DeValue;

use super::{FieldType, text};
use crate::{
    config::findings::Problem,
    desired::durations::{UNITS, written},
};

/// A duration from `MIN_MS` to `MAX_MS` milliseconds: `"200ms"`, `"5s"`, `"1m30s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span<const MIN_MS: u32, const MAX_MS: u32>(pub(crate) Duration);

impl<const MIN_MS: u32, const MAX_MS: u32> Span<MIN_MS, MAX_MS> {
    /// "100ms to 1h30m"
    fn range() -> String {
        let [min, max] = [MIN_MS, MAX_MS].map(|ms| written(Duration::from_millis(ms.into())));
        format!("{min} to {max}")
    }
}

impl<const MIN_MS: u32, const MAX_MS: u32> FieldType for Span<MIN_MS, MAX_MS> {
    fn kind() -> String {
        format!("duration from {}", Self::range())
    }

    fn json_schema() -> Value {
        json!({ "type": "string", "pattern": "^([0-9]+(h|m|s|ms))+$" })
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let found = text::<Self>(value)?;
        let help = format!(
            "write numbers with h, m, s or ms behind, such as \"200ms\", \"5s\" or \"1m30s\", from {}",
            Self::range()
        );
        match milliseconds(found) {
            Some(ms) if (u64::from(MIN_MS)..=u64::from(MAX_MS)).contains(&ms) => Ok(Self(Duration::from_millis(ms))),
            Some(_) => Err(Problem::new(format!("`{found}` is out of range"), help)),
            None => Err(Problem::new(format!("`{found}` is no duration"), help)),
        }
    }
}

/// Reads whole numbers with their units, each unit once and the longer ones first.
fn milliseconds(mut written: &str) -> Option<u64> {
    let mut units = UNITS.iter();
    let mut total = 0_u64;
    if written.is_empty() {
        return None;
    }
    while !written.is_empty() {
        let digits = written.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = written.split_at(digits);
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (word, rest) = rest.split_at(letters);
        let (_, unit_ms) = units.find(|(unit, _)| *unit == word)?;
        total = number.parse::<u64>().ok()?.checked_mul(*unit_ms)?.checked_add(total)?;
        written = rest;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<const MIN_MS: u32, const MAX_MS: u32>(written: &str) -> Result<Duration, String> {
        let value = DeValue::String(written.into());
        Span::<MIN_MS, MAX_MS>::from_value(&value).map(|span| span.0).map_err(|problem| problem.what)
    }

    #[test]
    fn numbers_with_units_are_added() {
        for (written, ms) in [
            ("0s", 0),
            ("200ms", 200),
            ("5s", 5000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1m30s", 90_000),
            ("1h2m3s4ms", 3_723_004),
        ] {
            assert_eq!(read::<0, { u32::MAX }>(written), Ok(Duration::from_millis(ms)), "{written}");
        }
    }

    #[test]
    fn what_has_no_unit_or_units_out_of_order_is_no_duration() {
        for written in ["", "5", "s", "1.5s", "-1s", "5 s", "5S", "1d", "30s1m", "1s1s", "99999999999999999999s"] {
            assert_eq!(read::<0, { u32::MAX }>(written), Err(format!("`{written}` is no duration")));
        }
    }

    #[test]
    fn bounds_belong_to_the_range_and_are_told() {
        assert_eq!(read::<100, 1000>("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(read::<100, 1000>("1s"), Ok(Duration::from_secs(1)));
        for written in ["99ms", "1001ms", "2h"] {
            assert_eq!(read::<100, 1000>(written), Err(format!("`{written}` is out of range")));
        }
        assert_eq!(Span::<100, 5_400_000>::kind(), "duration from 100ms to 1h30m");
        assert_eq!(Span::<0, 1>::kind(), "duration from 0s to 1ms");
    }

    proptest::proptest! {
        #[test]
        fn every_duration_reads_back(ms: u32) {
            proptest::prop_assert_eq!(milliseconds(&written(Duration::from_millis(ms.into()))), Some(u64::from(ms)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = milliseconds(&text);
        }
    }
}
