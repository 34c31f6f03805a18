//! What each verb makes of the documents. Whether the result is valid is for the schema to say.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::{
    api::types::{ApiError, BackendPatch, BindRequest, ErrorCode, NamedDocument},
    documents::{Document, Documents, Key, Kind},
};

/// Keys of a VIP that are nothing without fall-backs.
const FALLBACK_KEYS: [&str; 3] = ["fallback_pools", "failover", "failback"];

/// One change that somebody asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// A new object.
    Create(Kind, NamedDocument),
    /// A merge patch (RFC 7396) of an object.
    Update(Key, Document),
    /// No such object any more.
    Delete(Key),
    /// A VIP is bound to these pools, the first of them the primary one.
    Bind(String, BindRequest),
    /// A VIP is bound to no pool.
    Unbind(String),
    /// A PoP drains, or no longer.
    DrainPop(String, bool),
    /// State and weight of a backend.
    Backend(String, IpAddr, BackendPatch),
}

impl Edit {
    /// What is asked for, in a line of the history.
    pub fn action(&self) -> String {
        match self {
            Self::Create(kind, object) => format!("create {kind} {}", object.name),
            Self::Update(key, _) => format!("update {key}"),
            Self::Delete(key) => format!("delete {key}"),
            Self::Bind(vip, BindRequest { pools, .. }) => format!("vip bind {vip} {}", pools.join(" ")),
            Self::Unbind(vip) => format!("vip unbind {vip}"),
            Self::DrainPop(pop, drains) => format!("{} --pop {pop}", if *drains { "drain" } else { "undrain" }),
            Self::Backend(pool, address, patch) => {
                let state = patch.state.map(|state| format!(" state {state}")).unwrap_or_default();
                let weight = patch.weight.map(|weight| format!(" weight {weight}")).unwrap_or_default();
                format!("backend {pool} {address}{state}{weight}")
            }
        }
    }

    /// The VIP that it is about, if it is about one alone.
    pub fn vip(&self) -> Option<&str> {
        match self {
            Self::Create(Kind::Vip, object) => Some(&object.name),
            Self::Update(key, _) | Self::Delete(key) if key.kind == Kind::Vip => Some(&key.name),
            Self::Bind(vip, _) | Self::Unbind(vip) => Some(vip),
            Self::Create(..) | Self::Update(..) | Self::Delete(_) | Self::DrainPop(..) | Self::Backend(..) => None,
        }
    }

    /// The documents after it.
    ///
    /// # Errors
    ///
    /// What it is about is there already, or not there; or a pool or prefix goes that is in use.
    pub fn apply(self, documents: &Documents) -> Result<Documents, ApiError> {
        let mut after = documents.clone();
        match self {
            Self::Create(kind, NamedDocument { name, document }) => {
                let key = Key::new(kind, name);
                if after.get(&key).is_some() {
                    let hint = format!("update it, or choose another name: `anycast-xdp get {key}` shows it");
                    return Err(ApiError::new(ErrorCode::Exists, format!("there is a {key}")).hint(hint));
                }
                after.put(key, without_nulls(document));
            }
            Self::Update(key, patch) => {
                let mut document = found(documents, &key)?.clone();
                merge(&mut document, patch);
                after.put(key, document);
            }
            Self::Delete(key) => {
                found(documents, &key)?;
                is_unused(documents, &key)?;
                after.remove(&key);
            }
            Self::Bind(vip, BindRequest { pools, failover, failback }) => {
                let key = Key::new(Kind::Vip, vip);
                let mut document = found(documents, &key)?.clone();
                let [primary, fallbacks @ ..] = pools.as_slice() else {
                    return Err(ApiError::new(ErrorCode::BadRequest, "no pool is named")
                        .hint("name the primary pool, and its fall-backs after it"));
                };
                document.insert("pool".to_owned(), json!(primary));
                match fallbacks {
                    [] => document.retain(|key, _| !FALLBACK_KEYS.contains(&key.as_str())),
                    _ => drop(document.insert("fallback_pools".to_owned(), json!(fallbacks))),
                }
                // Where there is no fall-back the schema says so.
                for (key, value) in [("failover", failover), ("failback", failback)] {
                    document.extend(value.map(|value| (key.to_owned(), json!(value))));
                }
                after.put(key, document);
            }
            Self::Unbind(vip) => {
                let key = Key::new(Kind::Vip, vip);
                let mut document = found(documents, &key)?.clone();
                document.remove("pool");
                document.retain(|key, _| !FALLBACK_KEYS.contains(&key.as_str()));
                after.put(key, document);
            }
            Self::DrainPop(pop, drains) => {
                let key = Key::new(Kind::Pop, pop);
                // One that has no object is up.
                let mut document = documents.get(&key).cloned().unwrap_or_default();
                if drains {
                    document.insert("state".to_owned(), json!("drain"));
                } else {
                    document.remove("state");
                }
                if drains || documents.get(&key).is_some() {
                    after.put(key, document);
                }
            }
            Self::Backend(pool, address, patch) => {
                let key = Key::new(Kind::Pool, pool);
                let mut document = found(documents, &key)?.clone();
                change_backend(&mut document, &key, address, patch)?;
                after.put(key, document);
            }
        }
        Ok(after)
    }
}

fn found<'a>(documents: &'a Documents, key: &Key) -> Result<&'a Document, ApiError> {
    documents.get(key).ok_or_else(|| {
        ApiError::new(ErrorCode::NotFound, format!("there is no {key}"))
            .hint(format!("`anycast-xdp list {}` shows those that there are", key.kind))
    })
}

/// What leads to an object must go first: that is told with its name, not as a fault of what is left.
fn is_unused(documents: &Documents, key: &Key) -> Result<(), ApiError> {
    if key.kind != Kind::Pool {
        return Ok(());
    }
    let is_bound = |vip: &Document| {
        let fallbacks = vip.get("fallback_pools").and_then(Value::as_array).into_iter().flatten();
        vip.get("pool").into_iter().chain(fallbacks).any(|pool| pool.as_str() == Some(&key.name))
    };
    let mut bound = documents.of(Kind::Vip).filter(|(_, vip)| is_bound(vip)).map(|(name, _)| name);
    let Some(first) = bound.next() else { return Ok(()) };
    let more = bound.count();
    let others = if more == 0 { String::new() } else { format!(" and {more} more") };
    let hint = format!("bind it to another pool first: `anycast-xdp vip bind {first} POOL`, or `vip unbind {first}`");
    Err(ApiError::new(ErrorCode::Invalid, format!("{key} is in use by vip {first}{others}")).hint(hint))
}

fn change_backend(document: &mut Document, key: &Key, address: IpAddr, patch: BackendPatch) -> Result<(), ApiError> {
    let backends = document.get_mut("backend").and_then(Value::as_array_mut).into_iter().flatten();
    let has_address = |backend: &&mut Value| {
        let written = backend.get("address").and_then(Value::as_str);
        written.and_then(|written| written.parse::<IpAddr>().ok()) == Some(address)
    };
    let Some(Value::Object(backend)) = backends.into_iter().find(has_address) else {
        let message = format!("{key} has no backend {address}");
        return Err(ApiError::new(ErrorCode::NotFound, message)
            .hint(format!("`anycast-xdp get {key}` shows those that it has")));
    };
    if let Some(state) = patch.state {
        backend.insert("state".to_owned(), json!(state));
    }
    if let Some(weight) = patch.weight {
        backend.insert("weight".to_owned(), json!(weight));
    }
    Ok(())
}

/// Merges a patch: `null` removes a key, a table is merged, everything else takes the place of what was there.
fn merge(document: &mut Document, patch: Document) {
    for (key, value) in patch {
        match (value, document.get_mut(&key)) {
            (Value::Null, _) => drop(document.remove(&key)),
            (Value::Object(patch), Some(Value::Object(inner))) => merge(inner, patch),
            (Value::Object(patch), _) => drop(document.insert(key, Value::Object(without_nulls(patch)))),
            (value, _) => drop(document.insert(key, value)),
        }
    }
}

/// A key without a value is none.
fn without_nulls(document: Document) -> Document {
    let mut clean = Document::new();
    merge(&mut clean, document);
    clean
}
