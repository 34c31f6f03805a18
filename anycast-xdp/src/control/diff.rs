//! What is different between two sets of documents, by fields.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    api::types::{Action, Change, FieldChange},
    documents::{Document, Documents, Key, Kind},
    store,
};

/// What makes `after` of `before`, by kind and name.
pub fn diff(before: &Documents, after: &Documents) -> Vec<Change> {
    store::difference(before, after).into_iter().map(|(key, change)| of(key, change)).collect()
}

fn of(key: &Key, change: store::Change<'_>) -> Change {
    let nothing = Document::new();
    let (action, before, after) = match change {
        store::Change::Created(after) => (Action::Create, &nothing, after),
        store::Change::Updated { before, after } => (Action::Update, before, after),
        store::Change::Deleted(before) => (Action::Delete, before, &nothing),
    };
    let mut fields = Vec::new();
    tables(&mut fields, "", before, after);
    Change { action, kind: key.kind, name: key.name.clone(), fields }
}

fn tables(fields: &mut Vec<FieldChange>, path: &str, before: &Document, after: &Document) {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        values(fields, path, before.get(key), after.get(key));
    }
}

fn values(fields: &mut Vec<FieldChange>, path: String, before: Option<&Value>, after: Option<&Value>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => tables(fields, &path, before, after),
        (Some(Value::Array(before)), Some(Value::Array(after))) if has_addresses(before) && has_addresses(after) => {
            let addresses: BTreeSet<_> = before.iter().chain(after).filter_map(address).collect();
            for wanted in addresses {
                let one = |list: &'_ [Value]| list.iter().find(|entry| address(entry) == Some(wanted)).cloned();
                values(fields, format!("{path}[{wanted}]"), one(before).as_ref(), one(after).as_ref());
            }
        }
        (before, after) => {
            fields.push(FieldChange { field: path, before: before.cloned(), after: after.cloned() });
        }
    }
}

/// Backends are known by their addresses: one that goes does not change those behind it.
fn has_addresses(list: &[Value]) -> bool {
    let addresses: BTreeSet<_> = list.iter().filter_map(address).collect();
    addresses.len() == list.len()
}

fn address(entry: &Value) -> Option<&str> {
    entry.get("address")?.as_str()
}

/// Why a change wants to be asked for twice: it removes more than a tenth of the VIPs and more than one, or the last one.
pub fn removes_much(before: &Documents, changes: &[Change]) -> Option<String> {
    let count = |action| changes.iter().filter(|change| change.kind == Kind::Vip && change.action == action).count();
    let (gone, come) = (count(Action::Delete), count(Action::Create));
    if gone == 0 {
        return None;
    }
    let had = before.count(Kind::Vip);
    if had + come == gone {
        return Some(format!("it would remove every VIP: {had}"));
    }
    (gone > 1 && gone * 10 > had).then(|| format!("it would remove {gone} of {had} VIPs, more than a tenth"))
}
