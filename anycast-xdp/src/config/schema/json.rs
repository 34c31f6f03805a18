//! The schema of service objects as JSON Schema, for the API's document.

use serde_json::{Map, Value, json};

use super::{Section, Spec, fields};
use crate::documents::Kind;

/// What an object of this kind looks like, its name with it.
pub fn json_schema(kind: Kind) -> Value {
    let section = match kind {
        Kind::Pop => &fields::pop::SECTION,
        Kind::Prefix => &fields::prefix::SECTION,
        Kind::Pool => &fields::pool::SECTION,
        Kind::Vip => &fields::vip::SECTION,
    };
    table(section)
}

fn table(section: &Section) -> Value {
    let fields = section.fields.iter().map(|field| (field.key.to_owned(), property(field)));
    let inner = section.sections.iter().map(|inner| {
        let least = usize::from(inner.required);
        let one = table(inner);
        let schema = if inner.is_list() { json!({ "type": "array", "minItems": least, "items": one }) } else { one };
        (inner.key.to_owned(), schema)
    });
    json!({
        "type": "object",
        "description": section.description,
        "properties": fields.chain(inner).collect::<Map<_, _>>(),
        "required": section.required_keys(),
        "additionalProperties": false,
    })
}

fn property(field: &Spec) -> Value {
    let one = (field.json_schema)();
    let mut schema = if field.list { json!({ "type": "array", "items": one, "minItems": 1 }) } else { one };
    schema["description"] = field.description.into();
    schema
}
