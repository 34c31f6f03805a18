//! Text of `get` and `list`.

use serde_json::Value;

use super::{
    style::Style,
    table::{Column, headless, plain},
    values::{shown, value_of, word},
};
use crate::{
    api::types::{NamedDocument, ObjectAnswer},
    documents::{Document, Kind},
};

/// One object: its keys, and its backends as a table.
pub fn object(kind: Kind, answer: &ObjectAnswer, style: Style) -> String {
    let NamedDocument { name, document } = &answer.object;
    let mut rows =
        vec![vec![kind.singular().to_owned(), word(name)], vec!["revision".to_owned(), answer.revision.to_string()]];
    let mut tables = String::new();
    for (key, value) in document {
        match value.as_array().filter(|list| !list.is_empty() && list.iter().all(Value::is_object)) {
            Some(list) => tables.push_str(&table(key, list, style.width)),
            None => rows.push(vec![word(key), shown(value)]),
        }
    }
    headless(&[Column::Whole(""), Column::Text("")], rows, style.width) + &tables
}

/// A list of tables: the keys that any has, by name, with the address first.
fn table(title: &str, list: &[Value], width: Option<u16>) -> String {
    let mut keys: Vec<&str> = Vec::new();
    for key in list.iter().filter_map(Value::as_object).flat_map(|table| table.keys()) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    keys.sort_by_key(|key| (*key != "address", *key));
    let heads: Vec<_> = keys.iter().map(|key| key.to_uppercase()).collect();
    let mut rows = vec![heads];
    for table in list.iter().filter_map(Value::as_object) {
        rows.push(keys.iter().map(|key| value_of(table, key)).collect());
    }
    let columns: Vec<_> = keys.iter().map(|_| Column::Text("")).collect();
    format!("\n{}\n{}", word(title), headless(&columns, rows, width))
}

/// The objects of a kind, one a row.
pub fn objects(kind: Kind, items: &[NamedDocument], style: Style) -> String {
    let columns: &[Column] = match kind {
        Kind::Pop => &POP_COLUMNS,
        Kind::Prefix => &PREFIX_COLUMNS,
        Kind::Pool => &POOL_COLUMNS,
        Kind::Vip => &VIP_COLUMNS,
    };
    let cells = |document: &Document| match kind {
        Kind::Pop => pop(document),
        Kind::Prefix => prefix(document),
        Kind::Pool => pool(document),
        Kind::Vip => vip(document),
    };
    let rows = items.iter().map(|item| [vec![word(&item.name)], cells(&item.document)].concat());
    plain(columns, rows.collect(), style.width)
}

const POP_COLUMNS: [Column; 3] = [Column::Text("NAME"), Column::Text("STATE"), Column::Text("LABELS")];

fn pop(document: &Document) -> Vec<String> {
    ["state", "labels"].map(|key| value_of(document, key)).to_vec()
}

const PREFIX_COLUMNS: [Column; 4] =
    [Column::Text("NAME"), Column::Whole("PREFIX"), Column::Text("PUBLISH"), Column::Text("LABELS")];

fn prefix(document: &Document) -> Vec<String> {
    ["prefix", "publish", "labels"].map(|key| value_of(document, key)).to_vec()
}

const POOL_COLUMNS: [Column; 5] = [
    Column::Text("NAME"),
    Column::Text("HOME REGION"),
    Column::Text("STATE"),
    Column::Number("BACKENDS"),
    Column::Text("LABELS"),
];

fn pool(document: &Document) -> Vec<String> {
    let backends = document.get("backend").and_then(Value::as_array).map_or(0, Vec::len);
    vec![
        value_of(document, "home_region"),
        value_of(document, "state"),
        backends.to_string(),
        value_of(document, "labels"),
    ]
}

const VIP_COLUMNS: [Column; 5] = [
    Column::Text("NAME"),
    Column::Whole("ADDRESS"),
    Column::Text("POOLS"),
    Column::Text("LISTENERS"),
    Column::Text("LABELS"),
];

fn vip(document: &Document) -> Vec<String> {
    let pools = document.get("pool").into_iter().map(shown);
    let fallbacks = document.get("fallback_pools").into_iter().map(shown);
    let pools: Vec<_> = pools.chain(fallbacks).collect();
    let pools = if pools.is_empty() { "-".to_owned() } else { pools.join(", ") };
    let listeners = document.get("listeners").map_or_else(|| "all".to_owned(), shown);
    vec![value_of(document, "address"), pools, listeners, value_of(document, "labels")]
}
