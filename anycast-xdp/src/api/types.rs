//! What answers say, and beside it what [requests](super::requests) ask and [errors](super::error) tell. Server and client
//! share these types.
//!
//! A key that has no value is written as `null`; only those of errors are left out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::{
    error::{ApiError, ErrorAnswer, ErrorCode, Finding},
    requests::{
        BackendPatch, BindRequest, ChangeQuery, DiffQuery, ExportQuery, ListQuery, RevisionsQuery, RollbackRequest,
    },
};
pub use crate::publish::report::{
    Counts, DrainPhase, DrainRequest, DrainStatus, OfferState, Offered, Publishing, PublishingQuery, Scope,
};
use crate::{
    desired::Binding,
    documents::{Document, Kind},
};

/// The version of the API: the number in the paths.
pub const API_VERSION: u32 = 1;

/// Media type of bodies in TOML; those in JSON have `application/json`.
pub const TOML_MEDIA_TYPE: &str = "application/toml";

/// An object with its name: the body of a creation, and an item of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NamedDocument {
    /// Its name.
    pub name: String,
    /// Its other keys.
    #[serde(flatten)]
    pub document: Document,
}

/// `GET /v1/version`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// Of the program.
    pub version: String,
    /// Of the API.
    pub api_version: u32,
    /// The instance that answers.
    pub instance: String,
    /// `pop` or `gateway`.
    pub role: String,
    /// Site of the host.
    pub pop: String,
    /// Name of the host.
    pub host: String,
    /// Where the services are.
    pub source: Source,
    /// The newest revision; 0 before the first.
    pub revision: u64,
    /// The revision that the maps have; `None`: no one yet.
    pub applied_revision: Option<u64>,
}

/// Where an instance has its services from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The store: the API changes them.
    Store,
    /// The host's file: the API only shows them.
    File,
}

/// A part of a list of objects, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The revision that they are of.
    pub revision: u64,
    /// How many there are in all parts.
    pub total: usize,
    /// The objects.
    pub items: Vec<NamedDocument>,
    /// `after` of the next part; `None`: this is the last one.
    pub next: Option<String>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectAnswer {
    /// The revision that it is of.
    pub revision: u64,
    /// The object.
    pub object: NamedDocument,
}

/// What a change did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeResult {
    /// The revision that has it: a new one, or the head where nothing changed.
    pub revision: u64,
    /// Do the maps have it? Without `wait` this is only whether they already do.
    pub applied: bool,
    /// What is different.
    pub changes: Vec<Change>,
}

/// What `POST /v1/pools/NAME/failback` did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailbackResult {
    /// The pool that flows were taken back to.
    pub pool: String,
    /// The bindings whose new flows go there now, and did not before. Empty: none waited for it.
    pub moved: Vec<MovedBinding>,
}

/// A binding whose flows moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MovedBinding {
    /// Names of its pools, in order.
    pub pools: Vec<String>,
    /// `failover` of its VIPs.
    pub failover: String,
    /// `failback` of its VIPs.
    pub failback: String,
}

impl From<Binding> for MovedBinding {
    fn from(binding: Binding) -> Self {
        let Binding { pools, policy } = binding;
        Self { pools, failover: policy.failover.to_string(), failback: policy.failback.to_string() }
    }
}

/// What is different of one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// What happens to it.
    pub action: Action,
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The keys that differ: all of an object that comes or goes.
    pub fields: Vec<FieldChange>,
}

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It comes.
    Create,
    /// It has other keys or values.
    Update,
    /// It goes.
    Delete,
}

/// A key that differs. Documents have no `null`: `None` is a key that is not there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    /// Path within the object: `weight`, `labels.team`, `backend[1].state`.
    pub field: String,
    /// Its value before.
    pub before: Option<Value>,
    /// Its value after.
    pub after: Option<Value>,
}

/// What `apply` of the same body would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The revision that it is a plan for: `if_revision` of an `apply` that does this and nothing else.
    pub base_revision: u64,
    /// What would change.
    pub changes: Vec<Change>,
    /// Would it be refused without `force`?
    pub needs_force: bool,
}

/// What is different between two revisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diff {
    /// What it was.
    pub from: u64,
    /// What it became.
    pub to: u64,
    /// What is different.
    pub changes: Vec<Change>,
}

/// A part of the history, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revisions {
    /// The revisions.
    pub items: Vec<RevisionItem>,
    /// `before` of the next part; `None`: this is the last one.
    pub next: Option<u64>,
}

/// One revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevisionItem {
    /// Its number.
    pub revision: u64,
    /// The one that it was made from; the first one has none.
    pub parent: Option<u64>,
    /// When, in milliseconds since 1970.
    pub at_unix_ms: u64,
    /// Who asked for it.
    pub author: String,
    /// What was asked for: `create vip web`, `apply`, `rollback 3`.
    pub action: String,
    /// How many objects came.
    pub created: usize,
    /// How many objects changed.
    pub updated: usize,
    /// How many objects went.
    pub deleted: usize,
}

/// How far the maps are: `GET /v1/reconciler`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReconcilerStatus {
    /// The newest revision.
    pub revision: u64,
    /// The revision that the maps have; `None`: no one yet.
    pub applied_revision: Option<u64>,
    /// What the reconciler does.
    pub state: ReconcilerState,
    /// Why it failed.
    pub error: Option<String>,
    /// How many map entries differ from those of the applied revision; `None`: nobody looked.
    pub drift: Option<u64>,
}

/// What the reconciler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReconcilerState {
    /// The maps have the newest revision.
    Applied,
    /// They are on the way to it.
    Applying,
    /// They did not take it; it is tried again.
    Failed,
}
