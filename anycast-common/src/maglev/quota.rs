//! How many slots each backend owns: the method of largest remainders (Hamilton's), in integers.

use alloc::vec::Vec;

use super::{Candidate, MaglevError, canonical_order};

/// Slots of each candidate, in the order of the list, in a table of `size` slots.
///
/// Each gets its exact share rounded down; the slots that are left go to those with the largest remainders, on a tie to
/// the lower address. So no share is off by a whole slot, and a backend of positive weight owns no slot only if its
/// share of the table is below one slot and its remainder too small; `check` can warn of that.
///
/// # Errors
///
/// [`MaglevError::Duplicate`].
pub fn quotas(size: u32, candidates: &[Candidate]) -> Result<Vec<u32>, MaglevError> {
    let order = canonical_order(candidates)?;
    Ok(apportion(size, candidates, &order))
}

pub(super) fn apportion(size: u32, candidates: &[Candidate], order: &[usize]) -> Vec<u32> {
    let total: u64 = candidates.iter().map(|candidate| u64::from(candidate.weight)).sum();
    if total == 0 {
        return candidates.iter().map(|_| 0).collect();
    }
    let share = |position: usize| u64::from(size) * u64::from(candidates[position].weight);
    let mut quotas: Vec<u32> = (0..candidates.len()).map(|position| (share(position) / total) as u32).collect();
    let left = size - quotas.iter().sum::<u32>();
    let mut by_remainder = order.to_vec();
    // Stable: equal remainders stay in canonical order.
    by_remainder.sort_by_key(|position| core::cmp::Reverse(share(*position) % total));
    for position in by_remainder.into_iter().take(left as usize) {
        quotas[position] += 1;
    }
    quotas
}
