//! Backends that die behind PoPs whose daemons probe them through the datapath: found in time, missed by nobody else's flows, and
//! taken back.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod asking;
mod detection;
mod services;
mod views;
mod world;
