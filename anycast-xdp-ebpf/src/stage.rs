//! The stages of a packet's way: one file each, one function each that can only fail with an outcome.

pub mod admit;
pub mod answer;
pub mod bounce;
pub mod classify;
pub mod decap;
pub mod echo;
pub mod encap;
pub mod extensions;
pub mod fib;
pub mod flow;
pub mod icmp;
pub mod ip;
pub mod listen;
pub mod mss;
pub mod next_hop;
pub mod release;
pub mod return_path;
pub mod select;
pub mod transition;
pub mod tunnel;
pub mod wrap;
