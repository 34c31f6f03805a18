//! The Maglev table of a pool: which backend each slot of the flow hash goes to (Eisenbud et al., "Maglev: A Fast and
//! Reliable Software Network Load Balancer", NSDI 2016, section 3.4).
//!
//! Part of the wire contract of [`crate::HASH_VERSION`], written out in docs/hash.md: every `PoP` of a fleet computes the
//! same table from the same configured backends and the same down set, in whatever order its lists are.
//!
//! [`build`] depends on the configured backends alone. [`refill`] then gives away the slots of those that are down, and
//! touches no other: a backend that fails or returns moves nobody else's flows.

mod build;
mod logarithm;
mod quota;
mod refill;

use alloc::vec::Vec;
use core::fmt;

pub use build::build;
pub use quota::quotas;
pub use refill::refill;

/// One backend, as the contract sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// Tunnel address, v4-mapped: the identity of a backend within its pool.
    pub address: [u8; 16],
    /// Share of the flows; 0: none, from the table or by refill.
    pub weight: u16,
}

/// The owner of a slot that no backend can have: all of positive weight are down, or there is none.
pub const NOBODY: u32 = u32::MAX;

/// Sizes of tables: primes, so that every skip of a permutation visits every slot.
///
/// Few of them, far apart: a pool that grows past one gets a table that has nothing in common with its last.
pub const TABLE_SIZES: [u32; 3] = [2039, 16_381, 131_071];

/// Slots per backend that a table has at least, where it can: shares are then within 1 % of their weights.
const SLOTS_PER_BACKEND: usize = 100;

/// Number of slots for a pool of so many configured backends: the smallest of [`TABLE_SIZES`] that gives 100 to each,
/// else the largest; 0 for none.
pub fn table_size(backend_count: usize) -> u32 {
    if backend_count == 0 {
        return 0;
    }
    let wanted = backend_count.saturating_mul(SLOTS_PER_BACKEND);
    let [.., largest] = TABLE_SIZES;
    TABLE_SIZES.into_iter().find(|size| *size as usize >= wanted).unwrap_or(largest)
}

/// Why there is no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaglevError {
    /// Two candidates have this address (v4-mapped).
    Duplicate([u8; 16]),
    /// `down` does not have one entry for each candidate.
    DownSetLength {
        /// Entries of `down`.
        down: usize,
        /// Candidates.
        candidates: usize,
    },
    /// The table was not built from these candidates.
    ForeignTable,
}

impl fmt::Display for MaglevError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(address) => {
                let address = core::net::Ipv6Addr::from(*address).to_canonical();
                write!(formatter, "backend {address} is in the pool twice")
            }
            Self::DownSetLength { down, candidates } => {
                write!(formatter, "the down set has {down} entries for {candidates} backends")
            }
            Self::ForeignTable => write!(formatter, "the Maglev table belongs to other backends"),
        }
    }
}

impl core::error::Error for MaglevError {}

/// Domain bytes: what a SipHash of the pool's code is for. The flow key's hashes are told apart by their length of 1.
const DOMAIN_PERMUTATION: u8 = b'P';
const DOMAIN_REFILL: u8 = b'R';

/// Positions in the given list, in the order of their addresses: what makes the result independent of the list's order.
fn canonical_order(candidates: &[Candidate]) -> Result<Vec<usize>, MaglevError> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_unstable_by_key(|position| candidates[*position].address);
    for pair in order.windows(2) {
        if candidates[pair[0]].address == candidates[pair[1]].address {
            return Err(MaglevError::Duplicate(candidates[pair[0]].address));
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests;
