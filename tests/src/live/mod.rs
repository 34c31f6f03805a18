//! What the tests of running daemons share: a rate that the lab carries, taps that tell by which router a datagram
//! went, commands without start-up time, raw senders that count, and the stress of changing tables.

pub mod batch;
pub mod log;
pub mod rate;
pub mod raw;
pub mod stress;
pub mod tap;
pub mod time;
