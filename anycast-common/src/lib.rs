//! What the kernel programs and userspace share.
//!
//! Everything here is pure: no pointers, no allocation outside the `user` feature, no knowledge of aya.
//!
//! # Boundary contract
//!
//! * Addresses, ports, VLAN tags and MACs are byte arrays in wire order. IPv4 addresses in 16-byte fields are
//!   v4-mapped (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2), so one field compares both families.
//! * Integers are native-endian and never on the wire.
//! * No `bool`, `Option` or Rust enum in a map value; no implicit padding; zeroed memory is valid and selects nothing.
//! * **Cells** are aligned `u64` fields. A live change is one store to one cell; every other field of an entry is
//!   written once, at a fresh index, before any cell refers to it.
//! * [`ABI_VERSION`] changes with every change of a layout below; maps of another version are left to
//!   the build that made them, but for what a generation says of itself (docs/adr/0007-generations.md).
#![no_std]

#[cfg(feature = "user")]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod bench;
pub mod checksum;
#[cfg(feature = "user")]
pub mod dial;
pub mod ecn;
#[cfg(feature = "user")]
pub mod encap;
pub mod flow;
pub mod header;
pub mod limiter;
pub mod listen;
#[cfg(feature = "user")]
pub mod listeners;
#[cfg(feature = "user")]
pub mod maglev;
pub mod map;
pub mod outcome;
#[cfg(feature = "user")]
pub mod outer;
pub mod outer_patch;
pub mod probe;

/// Version of the map layouts and of their meaning. A test build says another one, and has other layouts.
pub const ABI_VERSION: u32 = if cfg!(feature = "other-abi") { 1006 } else { 6 };

/// Version of flow hash, table size, permutation, refill and dial: what every `PoP` must compute alike.
pub const HASH_VERSION: u32 = 1;
