//! The dial of a pool: which part of the flows of a binding it takes before the pools behind it.
//!
//! Part of the wire contract of [`crate::HASH_VERSION`], written out in docs/hash.md. A *bucket* is a slot of the table of
//! the binding's first pool. Every pool has an order of buckets of its own, and takes the first so many percent of them: a
//! higher dial adds buckets, a lower one gives some up, and all others stay where they are.

use alloc::vec::Vec;
use core::hash::Hasher as _;

use siphasher::sip::SipHasher24;

/// Domain byte of the order of buckets, beside those of [`crate::maglev`].
const DOMAIN_DIAL: u8 = b'D';

/// A dial that leaves nothing to others.
pub const WHOLE_PERCENT: u8 = 100;

/// A pool of a binding that takes part.
#[derive(Clone, Copy, Debug)]
pub struct Share<'a> {
    /// For each bucket, whether the pool takes it, see [`taken`]; not looked at in the last one, which takes all that is left.
    pub takes: &'a [bool],
    /// The pool's own table, of any size; empty: zeros.
    pub table: &'a [u32],
}

/// For each of `buckets` whether the pool of this name takes it at a dial of `percent`, 0 to 100.
pub fn taken(seed: &[u8; 16], pool: &str, buckets: u32, percent: u8) -> Vec<bool> {
    let count = count(buckets, percent) as usize;
    let mut takes = Vec::new();
    takes.resize(buckets as usize, count > 0);
    if count == 0 || count == buckets as usize {
        return takes;
    }
    let mut hasher = SipHasher24::new_with_key(seed);
    hasher.write(&[DOMAIN_DIAL]);
    hasher.write(pool.as_bytes());
    let key = |bucket: u32| {
        let mut hasher = hasher;
        hasher.write(&bucket.to_le_bytes());
        (hasher.finish(), bucket)
    };
    let mut order: Vec<_> = (0..buckets).map(key).collect();
    let (_, _, others) = order.select_nth_unstable(count - 1);
    for (_, bucket) in others {
        takes[*bucket as usize] = false;
    }
    takes
}

/// How many buckets that is, rounded to the nearest.
fn count(buckets: u32, percent: u8) -> u32 {
    let percent = u64::from(percent.min(WHOLE_PERCENT));
    ((u64::from(buckets) * percent + 50) / 100) as u32
}

/// The table of a binding of `buckets`, whose pools `shares` are in order: the first pool that takes a bucket has it, and what
/// it has there is what its own table has at the place that corresponds.
pub fn split(buckets: u32, shares: &[Share<'_>]) -> Vec<u32> {
    let Some((last, others)) = shares.split_last() else { return Vec::new() };
    let owner = |bucket: u32| {
        let takes = |share: &&Share<'_>| share.takes.get(bucket as usize) == Some(&true);
        let table = others.iter().find(takes).unwrap_or(last).table;
        table.get(slot(bucket, buckets, table.len())).copied().unwrap_or(0)
    };
    (0..buckets).map(owner).collect()
}

/// The slot of a table of `slots` that a bucket corresponds to. The bucket itself, where both are equally many.
fn slot(bucket: u32, buckets: u32, slots: usize) -> usize {
    (u64::from(bucket) * slots as u64 / u64::from(buckets)) as usize
}

#[cfg(test)]
mod tests {
    use std::vec;

    use proptest::prelude::*;

    use super::*;

    const SEED: [u8; 16] = *b"a secret of ours";
    const SIZE: u32 = crate::maglev::TABLE_SIZES[0];

    fn tables() -> [Vec<u32>; 3] {
        let table = |pool: u32, size: u32| (0..size).map(|slot| pool * 1000 + slot % 7).collect();
        [table(1, SIZE), table(2, SIZE), table(3, crate::maglev::TABLE_SIZES[1])]
    }

    fn binding(dials: [u8; 2]) -> Vec<u32> {
        let tables = tables();
        let takes = [taken(&SEED, "near", SIZE, dials[0]), taken(&SEED, "far", SIZE, dials[1]), vec![]];
        let shares = takes.iter().zip(&tables).map(|(takes, table)| Share { takes, table });
        split(SIZE, &shares.collect::<Vec<_>>())
    }

    #[test]
    fn nothing_and_everything_are_exact() {
        let [near, far, _] = tables();
        assert_eq!(binding([100, 50]), near);
        assert_eq!(binding([0, 100]), far);
        assert!(binding([0, 0]).iter().all(|owner| owner / 1000 == 3));
        assert!(split(SIZE, &[]).is_empty());
    }

    #[test]
    fn pool_without_a_table_has_nobody_and_takes_its_share_all_the_same() {
        let takes = taken(&SEED, "near", SIZE, 10);
        let far = vec![7; SIZE as usize];
        let table = split(SIZE, &[Share { takes: &takes, table: &[] }, Share { takes: &[], table: &far }]);
        assert_eq!(table.iter().filter(|owner| **owner == 0).count(), 204);
    }

    proptest! {
        #[test]
        fn share_is_exact_to_half_a_bucket(percent in 0..=100_u8, size in prop::sample::select(crate::maglev::TABLE_SIZES.to_vec())) {
            let count = taken(&SEED, "near", size, percent).into_iter().filter(|takes| *takes).count();
            prop_assert!((count * 100).abs_diff(size as usize * usize::from(percent)) <= 50);
        }

        #[test]
        fn higher_dial_adds_buckets_and_moves_no_other(name in "[a-z]{1,8}", low in 0..=100_u8, high in 0..=100_u8) {
            prop_assume!(low <= high);
            let (low, high) = (taken(&SEED, &name, SIZE, low), taken(&SEED, &name, SIZE, high));
            prop_assert!(low.iter().zip(&high).all(|(low, high)| *high || !*low));
        }

        #[test]
        fn change_of_a_dial_moves_only_what_its_pool_gains_or_loses(before in 0..=100_u8, after in 0..=100_u8, second in 0..=100_u8) {
            let (one, other) = (binding([before, second]), binding([after, second]));
            let moved: Vec<_> = one.iter().zip(&other).filter(|(one, other)| one != other).collect();
            let is_of_first = |(one, other): &(&u32, &u32)| if after > before { **other / 1000 == 1 } else { **one / 1000 == 1 };
            prop_assert!(moved.iter().all(is_of_first));
            let expected = usize::from(before.abs_diff(after)) * SIZE as usize;
            prop_assert!((moved.len() * 100).abs_diff(expected) <= 100);
        }

        #[test]
        fn change_of_the_second_dial_moves_nothing_of_the_first_pool(first in 0..=100_u8, before in 0..=100_u8, after in 0..=100_u8) {
            let (one, other) = (binding([first, before]), binding([first, after]));
            prop_assert!(one.iter().zip(&other).all(|(one, other)| one == other || (one / 1000 != 1 && other / 1000 != 1)));
        }

        #[test]
        fn pools_choose_apart_from_each_other(percent in 10..=90_u8) {
            // Each takes its share of what the other leaves: 4 sigma of 2039 buckets is below 9 %.
            let (near, far) = (taken(&SEED, "near", SIZE, percent), taken(&SEED, "far", SIZE, percent));
            let both = near.iter().zip(&far).filter(|(near, far)| **near && **far).count();
            let expected = SIZE as usize * usize::from(percent).pow(2) / 10_000;
            prop_assert!(both.abs_diff(expected) < SIZE as usize * 9 / 100);
        }
    }
}
