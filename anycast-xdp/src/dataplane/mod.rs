//! The kernel's side of the state: pinned maps, programs and links, and the code that changes them while packets flow.
//!
//! Rules (ARCHITECTURE.md tells why): every live change is one aligned 8-byte store into a cell; entries are
//! written once, at an index that nothing refers to; an index is reused only after a grace period.

pub mod apply;
pub mod array;
pub mod attach;
pub mod axp;
pub mod bindings;
pub mod bpf;
pub mod bpffs;
pub mod egress;
pub mod ethtool;
pub mod generations;
pub mod grace;
pub mod icmp;
pub mod inspect;
pub mod interfaces;
pub mod inventory;
pub mod keyed;
pub mod loader;
pub mod losses;
pub mod own_addresses;
pub mod pins;
pub mod prepare;
pub mod programs;
pub mod ranges;
pub mod returners;
pub mod second_copy;
pub mod tables;
pub mod test_run;
pub mod tracepoints;
pub mod ways;

pub use pins::detach;
