//! Types of values: what each accepts, what it is called, and what an error tells to do.

mod addresses;
mod choices;
mod durations;
mod failback;
mod host_names;
mod labels;
mod names;
mod numbers;
mod probes;

use serde_json::{Value, json};
use toml::de::DeValue;

pub(super) use self::{
    choices::{CheckName, EncapName, InterfaceRole, PopState, ReturnWay, RoleName, WithoutPop},
    durations::Span,
    host_names::{AbsolutePath, GroupName},
    labels::Labels,
    names::{InterfaceName, Name, check_name},
    numbers::{Integer, Seed},
    probes::{DomainName, Payload, RequestPath, Statuses},
};
use super::findings::Problem;

/// A type that a field or a list element may have.
pub(super) trait FieldType: Sized {
    /// What it is called in the reference and in errors, without article.
    fn kind() -> String;

    /// Its JSON Schema, as far as that can say it.
    fn json_schema() -> Value {
        json!({ "type": "string" })
    }

    /// The value, or what is wrong with it.
    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem>;
}

impl FieldType for bool {
    fn kind() -> String {
        "boolean".to_owned()
    }

    fn json_schema() -> Value {
        json!({ "type": "boolean" })
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        match value.as_bool() {
            Some(value) => Ok(value),
            None => Err(wrong_type::<Self>(value, "write `true` or `false`, without quotes")),
        }
    }
}

/// The text of a string value of type `T`.
pub(super) fn text<'v, T: FieldType>(value: &'v DeValue<'_>) -> Result<&'v str, Problem> {
    value.as_str().ok_or_else(|| wrong_type::<T>(value, "write it as a string, in double quotes"))
}

fn wrong_type<T: FieldType>(value: &DeValue<'_>, help: &str) -> Problem {
    Problem::new(format!("expected {}, found {}", article(&T::kind()), article(type_name(value))), help)
}

/// What a value is, in the words of TOML.
pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "string",
        DeValue::Integer(_) => "integer",
        DeValue::Float(_) => "float",
        DeValue::Boolean(_) => "boolean",
        DeValue::Datetime(_) => "date",
        DeValue::Array(_) => "list",
        DeValue::Table(_) => "table",
    }
}

/// `noun` with its article; words in quotes stand for themselves.
pub(super) fn article(noun: &str) -> String {
    match noun.chars().next() {
        Some('"') => noun.to_owned(),
        Some('a' | 'e' | 'i' | 'o' | 'I') => format!("an {noun}"),
        _ => format!("a {noun}"),
    }
}
