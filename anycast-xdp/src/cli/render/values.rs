//! Values of documents for people.

use serde_json::{Map, Value};

/// A value in few words: lists with commas between, tables as `key=value`, tables of a list one a line.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => word(text),
        Value::Array(list) => {
            let between = if list.iter().any(Value::is_object) { "\n" } else { ", " };
            list.iter().map(shown).collect::<Vec<_>>().join(between)
        }
        Value::Object(table) => pairs(table),
    }
}

/// A text as it is. What a terminal would obey, and nothing at all, is shown as a string.
pub(super) fn word(text: &str) -> String {
    if text.is_empty() || text.contains(char::is_control) { format!("{text:?}") } else { text.to_owned() }
}

/// The value of a key, or `-`.
pub(super) fn value_of(document: &Map<String, Value>, key: &str) -> String {
    document.get(key).map_or_else(|| "-".to_owned(), shown)
}

/// The address of a backend first, then the other keys by name.
fn pairs(table: &Map<String, Value>) -> String {
    let first = table.get_key_value("address");
    let rest = table.iter().filter(|(key, _)| *key != "address");
    let pairs = first.into_iter().chain(rest).map(|(key, value)| format!("{}={}", word(key), shown(value)));
    pairs.collect::<Vec<_>>().join(" ")
}
