//! What a client sees of a VIP: how long requests take, step by step as curl measures them, and which PoP they enter at.
//!
//! Needs no rights, no daemon and no configuration. Arithmetic ([`statistics`], [`compare`], [`histogram`], [`entry`]) is
//! apart from what talks to the network.

mod attempt;
pub mod compare;
pub mod entry;
mod exchange;
pub mod histogram;
mod names;
pub mod pops;
pub mod report;
pub mod resolve;
mod run;
pub mod statistics;
pub mod target;
pub mod times;
mod tls;
pub mod walk;

pub use self::run::{Options, run};
