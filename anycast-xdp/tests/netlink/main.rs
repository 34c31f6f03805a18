//! The follower of routes, neighbours and links, in real network namespaces. Needs root; skips loudly without.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod lab;
mod links;
#[path = "../common/namespace.rs"]
mod namespace;
mod neighbours;
mod routes;
