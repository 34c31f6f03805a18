//! Probes and the prober, between two network namespaces: real sockets, real servers, no datapath. Needs root; skips loudly without.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod cost;
mod detection;
mod lab;
#[path = "../common/namespace.rs"]
mod namespace;
mod probes;
mod servers;
