//! Whole numbers within bounds, and the fleet's seed.

use serde_json::{Value, json};
use toml::de::DeValue;

use super::{FieldType, text, wrong_type};
use crate::config::findings::Problem;

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Integer<const MIN: u32, const MAX: u32>(pub(crate) u32);

impl<const MIN: u32, const MAX: u32> FieldType for Integer<MIN, MAX> {
    fn kind() -> String {
        format!("integer from {MIN} to {MAX}")
    }

    fn json_schema() -> Value {
        json!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let help = format!("write a whole number from {MIN} to {MAX}, without quotes");
        let Some(integer) = value.as_integer() else {
            return Err(wrong_type::<Self>(value, &help));
        };
        match u32::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if (MIN..=MAX).contains(&number) => Ok(Self(number)),
            _ => Err(Problem::new(format!("{integer} is out of range"), help)),
        }
    }
}

/// The seed of the fleet. Errors never repeat it: it is a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) [u8; 16]);

impl FieldType for Seed {
    fn kind() -> String {
        "string of 32 hex digits".to_owned()
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let text = text::<Self>(value)?;
        let mut seed = [0; 16];
        let digits: Vec<u8> = text.chars().filter_map(|c| Some(c.to_digit(16)? as u8)).collect();
        if digits.len() != 2 * seed.len() || text.chars().count() != digits.len() {
            return Err(Problem::new(
                "the seed is not 32 hex digits",
                "write the fleet's seed; to make the first one: `openssl rand -hex 16`",
            ));
        }
        for (byte, pair) in seed.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(seed))
    }
}
