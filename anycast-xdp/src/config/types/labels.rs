//! Labels of an object.

use serde_json::{Value, json};
use toml::de::DeValue;

use super::{FieldType, wrong_type};
use crate::config::findings::Problem;

/// Most labels of an object, each of them a label of its metrics.
const COUNT_MAX: usize = 16;
/// Longest value.
const VALUE_BYTES_MAX: usize = 128;

/// `key = "value"` pairs, by which objects are chosen and metrics are grouped. What they are is kept in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Labels;

impl FieldType for Labels {
    fn kind() -> String {
        "table of strings".to_owned()
    }

    fn json_schema() -> Value {
        json!({ "type": "object", "additionalProperties": { "type": "string", "maxLength": VALUE_BYTES_MAX }, "maxProperties": COUNT_MAX })
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let Some(labels) = value.as_table() else {
            return Err(wrong_type::<Self>(value, "write it as a table: { team = \"game\" }"));
        };
        if labels.len() > COUNT_MAX {
            return Err(Problem::new(
                format!("{} labels are more than {COUNT_MAX}", labels.len()),
                "keep those by which objects are chosen or metrics grouped",
            ));
        }
        for (key, value) in labels {
            check_key(key.get_ref())?;
            let is_short = |text: &str| text.len() <= VALUE_BYTES_MAX && !text.chars().any(char::is_control);
            if !value.get_ref().as_str().is_some_and(is_short) {
                return Err(Problem::new(
                    format!("the value of label `{}` is none", key.get_ref()),
                    format!("write a string of at most {VALUE_BYTES_MAX} bytes on one line"),
                ));
            }
        }
        Ok(Self)
    }
}

/// Label names are those of metrics, but for the reserved ones (Prometheus data model).
fn check_key(key: &str) -> Result<(), Problem> {
    let starts_well = key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if starts_well && !key.starts_with("__") && key.chars().all(allowed) && key.len() <= VALUE_BYTES_MAX {
        return Ok(());
    }
    Err(Problem::new(
        format!("`{key}` is not the name of a label"),
        "write letters, digits and `_`, not starting with a digit or `__`",
    ))
}
