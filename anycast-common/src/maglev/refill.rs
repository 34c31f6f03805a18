//! Giving away the slots of backends that are down: weighted rendezvous hashing (Thaler and Ravishankar, "Using
//! name-based mappings to increase hit rates", 1998; weights as in Schindelhauer and Schomaker, "Weighted distributed
//! hash tables", 2005).
//!
//! Every backend that is up draws a cost for the slot, and the lowest one gets it. The draw depends on backend and slot
//! alone: when one more backend fails only its own slots are drawn again, and when one returns it takes only those where
//! its cost is the lowest.

use alloc::vec::Vec;
use core::{cmp::Reverse, hash::Hasher as _};

use siphasher::sip::SipHasher24;

use super::{Candidate, DOMAIN_REFILL, MaglevError, NOBODY, canonical_order, logarithm::negative_log2, table_size};

/// A backend that slots can be given to.
struct Bidder {
    position: u32,
    rank: usize,
    weight: u64,
    /// SipHash state after the domain byte and the address: only the slot is missing.
    hasher: SipHasher24,
}

/// A bidder's draw for one slot. Its cost is `log / weight`: exponentially distributed with a rate of its weight, so
/// the lowest of several is anyone's with a probability of weight over sum of weights.
struct Bid<'a> {
    hash: u64,
    log: u64,
    bidder: &'a Bidder,
}

impl Bid<'_> {
    /// Lower cost, on a tie the lower address. Cross-multiplied, so that nothing is rounded: at most 39 + 16 bits.
    fn beats(&self, other: &Self) -> bool {
        (self.log * other.bidder.weight, self.bidder.rank) < (other.log * self.bidder.weight, other.bidder.rank)
    }
}

/// The table while some backends are down: `table`, which [`build`](super::build) made of the same candidates, with only
/// the slots of backends that are `down` (by position) given to others, in proportion to weight. [`NOBODY`] where none is left.
///
/// # Errors
///
/// [`MaglevError`]: duplicates, a down set of another length, or a table of other candidates.
pub fn refill(
    seed: &[u8; 16],
    candidates: &[Candidate],
    table: &[u32],
    down: &[bool],
) -> Result<Vec<u32>, MaglevError> {
    if down.len() != candidates.len() {
        return Err(MaglevError::DownSetLength { down: down.len(), candidates: candidates.len() });
    }
    if table.len() != table_size(candidates.len()) as usize {
        return Err(MaglevError::ForeignTable);
    }
    let bidders = bidders(seed, candidates, down)?;
    let owner_of = |(slot, &owner): (usize, &u32)| {
        if owner == NOBODY {
            return Ok(NOBODY);
        }
        match down.get(owner as usize) {
            Some(false) => Ok(owner),
            Some(true) => Ok(winner(&bidders, slot as u32)),
            None => Err(MaglevError::ForeignTable),
        }
    };
    table.iter().enumerate().map(owner_of).collect()
}

fn bidders(seed: &[u8; 16], candidates: &[Candidate], down: &[bool]) -> Result<Vec<Bidder>, MaglevError> {
    let mut bidders: Vec<Bidder> = canonical_order(candidates)?
        .into_iter()
        .enumerate()
        .filter(|(_, position)| !down[*position] && candidates[*position].weight > 0)
        .map(|(rank, position)| {
            let mut hasher = SipHasher24::new_with_key(seed);
            hasher.write(&[DOMAIN_REFILL]);
            hasher.write(&candidates[position].address);
            Bidder { position: position as u32, rank, weight: u64::from(candidates[position].weight), hasher }
        })
        .collect();
    // Only for speed, see `winner`.
    bidders.sort_by_key(|bidder| Reverse(bidder.weight));
    Ok(bidders)
}

fn winner(bidders: &[Bidder], slot: u32) -> u32 {
    let mut best: Option<Bid<'_>> = None;
    for bidder in bidders {
        let mut hasher = bidder.hasher;
        hasher.write(&slot.to_le_bytes());
        let hash = hasher.finish();
        // The heaviest bid first. Whoever weighs no more and drew lower cannot win, so the logarithm, which costs ten
        // times the hash, is needed for few.
        if best.as_ref().is_some_and(|best| hash < best.hash) {
            continue;
        }
        let bid = Bid { hash, log: negative_log2(hash), bidder };
        if best.as_ref().is_none_or(|best| bid.beats(best)) {
            best = Some(bid);
        }
    }
    best.map_or(NOBODY, |best| best.bidder.position)
}
