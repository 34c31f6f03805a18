//! A plain-Rust model of the datapath, packets and tables at random, and their comparison with the loaded programs.
//!
//! * [`model`] says what must happen to a packet: docs/datapath.md once more, in Rust for people.
//! * [`generate`] makes tables and packets from a seed.
//! * [`differential`] gives each packet to the model and to a [`subject::Subject`], and compares action, bytes and
//!   counters.
//! * [`coverage`] is a subject that interprets the programs and tells which of their lines the packets reached.

mod clock;
pub mod compare;
pub mod coverage;
pub mod differential;
mod elements;
pub mod generate;
pub mod kernel;
pub mod model;
pub mod place;
mod report;
mod shrink;
pub mod subject;
pub mod tables;
