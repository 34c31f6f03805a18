//! The stages of a packet's way: one file each, one function each that can only fail with an outcome.

pub mod admit;
pub mod answer;
pub mod classify;
pub mod echo;
pub mod encap;
pub mod extensions;
pub mod flow;
pub mod icmp;
pub mod ip;
pub mod listen;
pub mod next_hop;
pub mod select;
pub mod transition;
pub mod tunnel;
