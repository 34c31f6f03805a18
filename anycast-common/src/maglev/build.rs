//! Filling a table: every backend walks its own permutation of the slots and takes the next free one on its turn.

use alloc::{vec, vec::Vec};
use core::hash::Hasher as _;

use siphasher::sip::SipHasher24;

use super::{Candidate, DOMAIN_PERMUTATION, MaglevError, NOBODY, canonical_order, quota::apportion, table_size};

/// A backend's walk over all slots: `offset + n * skip` modulo the prime table size.
struct Permutation {
    next: u32,
    skip: u32,
    size: u32,
}

impl Permutation {
    fn new(seed: &[u8; 16], address: &[u8; 16], size: u32) -> Self {
        let mut hasher = SipHasher24::new_with_key(seed);
        hasher.write(&[DOMAIN_PERMUTATION]);
        hasher.write(address);
        let hash = hasher.finish();
        Self { next: scale(hash >> 32, size), skip: 1 + scale(hash & 0xffff_ffff, size - 1), size }
    }

    fn step(&mut self) -> usize {
        let slot = self.next;
        self.next += self.skip;
        if self.next >= self.size {
            self.next -= self.size;
        }
        slot as usize
    }
}

/// A 32-bit hash scaled to `0..bound`.
fn scale(hash: u64, bound: u32) -> u32 {
    ((hash * u64::from(bound)) >> 32) as u32
}

/// One backend while the table fills.
struct Turn {
    position: u32,
    permutation: Permutation,
    weight: u64,
    credit: u64,
    left: u32,
}

/// The table of the configured backends: for each of [`table_size`] slots the position of its owner in `candidates`.
///
/// Empty for no candidates, all [`NOBODY`] if every weight is 0.
///
/// # Errors
///
/// [`MaglevError::Duplicate`].
pub fn build(seed: &[u8; 16], candidates: &[Candidate]) -> Result<Vec<u32>, MaglevError> {
    let order = canonical_order(candidates)?;
    let size = table_size(candidates.len());
    let quotas = apportion(size, candidates, &order);
    let mut table = vec![NOBODY; size as usize];
    let mut turns: Vec<Turn> = order
        .into_iter()
        .filter(|position| quotas[*position] > 0)
        .map(|position| Turn {
            position: position as u32,
            permutation: Permutation::new(seed, &candidates[position].address, size),
            weight: u64::from(candidates[position].weight),
            credit: 0,
            left: quotas[position],
        })
        .collect();
    // A round is worth one slot to the heaviest backend, and its part of one to every other.
    let price = turns.iter().map(|turn| turn.weight).max().unwrap_or(0);
    while !turns.is_empty() {
        for turn in &mut turns {
            turn.credit += turn.weight;
            if turn.credit >= price {
                turn.credit -= price;
                turn.claim(&mut table);
            }
        }
        turns.retain(|turn| turn.left > 0);
    }
    Ok(table)
}

impl Turn {
    /// Takes the next free slot. There is one: the quotas sum to the table's size and this one is not met.
    fn claim(&mut self, table: &mut [u32]) {
        loop {
            let slot = self.permutation.step();
            if table[slot] == NOBODY {
                table[slot] = self.position;
                self.left -= 1;
                return;
            }
        }
    }
}
