//! The control plane's API, version 1 ([ADR 8](../../../docs/adr/0008-services-in-a-store.md)).

pub mod error;
pub mod requests;
pub mod types;
