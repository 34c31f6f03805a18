//! What a PoP host offers to its routers: kernel routes that come, go and stay with what stands behind them.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod bgp;
mod drain;
mod many;
mod restart;
mod routes;
mod unprivileged;
mod watchdog;
mod world;
