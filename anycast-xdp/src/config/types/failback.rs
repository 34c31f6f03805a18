//! When flows go back to a better pool: a duration, or a word.

use serde_json::{Value, json};
use toml::de::DeValue;

use super::{FieldType, Span, text};
use crate::{config::findings::Problem, desired::Failback};

/// How long a better pool may have to stay usable: up to a day.
type Hold = Span<0, 86_400_000>;

const MANUAL: &str = "manual";

impl FieldType for Failback {
    fn kind() -> String {
        format!("\"{MANUAL}\" or {}", Hold::kind())
    }

    fn json_schema() -> Value {
        json!({ "anyOf": [{ "const": MANUAL }, Hold::json_schema()] })
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        if text::<Self>(value)? == MANUAL {
            return Ok(Self::Manual);
        }
        let read = Hold::from_value(value).map(|Span(hold)| Self::After(hold));
        read.map_err(|Problem { what, help, .. }| {
            Problem::new(what, format!("write \"{MANUAL}\", or {}", help.trim_start_matches("write ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn word_or_duration_is_read_and_reads_back_and_others_are_refused_with_both() {
        let read = |written: &'static str| Failback::from_value(&DeValue::String(written.into()));
        assert_eq!(read("manual"), Ok(Failback::Manual));
        for (written, secs) in [("0s", 0), ("10m", 600), ("24h", 86_400)] {
            assert_eq!(read(written), Ok(Failback::After(Duration::from_secs(secs))));
            assert_eq!(Failback::After(Duration::from_secs(secs)).to_string(), written);
        }
        for written in ["25h", "5", "never"] {
            let problem = read(written).expect_err(written);
            assert!(problem.help.starts_with("write \"manual\", or numbers"), "{problem:?}");
        }
    }
}
