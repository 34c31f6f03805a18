//! Free places in tables: single indexes, and runs of slots. What is in use is always derived, never stored.

use std::collections::BTreeSet;

/// Indexes of a table. Index 0 is reserved.
#[derive(Clone, Debug)]
pub struct Indexes {
    used: BTreeSet<u32>,
    /// No index below is free.
    lowest: u32,
    capacity: u32,
}

/// A table has no room left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all {capacity} entries are in use")]
pub struct Full {
    /// Entries that the table has.
    pub capacity: u32,
}

impl Indexes {
    /// With these in use, out of `capacity` entries.
    pub fn new(capacity: u32, used: impl IntoIterator<Item = u32>) -> Self {
        Self { used: used.into_iter().collect(), lowest: 1, capacity }
    }

    /// Takes the lowest free index.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn take(&mut self) -> Result<u32, Full> {
        while self.used.contains(&self.lowest) {
            self.lowest += 1;
        }
        if self.lowest >= self.capacity {
            return Err(Full { capacity: self.capacity });
        }
        self.used.insert(self.lowest);
        Ok(self.lowest)
    }

    /// Those that are not free.
    pub fn taken(&self) -> &BTreeSet<u32> {
        &self.used
    }

    /// Gives an index back; the caller has waited for a grace period since anything referred to it, or will before it
    /// is written again.
    pub fn give_back(&mut self, index: u32) {
        if self.used.remove(&index) {
            self.lowest = self.lowest.min(index.max(1));
        }
    }
}

/// The offset of a free run of `length` places among the `used` runs (offset, length); even, because slots come in
/// pairs, and never 0.
///
/// # Errors
///
/// No gap is as long.
pub fn free_run(used: &[(u32, u32)], length: u32, capacity: u32) -> Result<u32, Full> {
    let mut runs: Vec<_> = used.iter().filter(|(_, length)| *length > 0).copied().collect();
    runs.sort_unstable();
    let mut offset = 2;
    for (start, used_length) in runs {
        if offset + length <= start {
            break;
        }
        offset = offset.max((start + used_length).next_multiple_of(2));
    }
    if offset + length <= capacity { Ok(offset) } else { Err(Full { capacity }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn take_gives_the_lowest_free_index_and_never_zero() {
        let mut indexes = Indexes::new(5, [1, 3]);
        assert_eq!(indexes.take(), Ok(2));
        assert_eq!(indexes.take(), Ok(4));
        assert_eq!(indexes.take(), Err(Full { capacity: 5 }));
        indexes.give_back(3);
        assert_eq!(indexes.take(), Ok(3));
    }

    #[test]
    fn free_run_fills_gaps_and_keeps_to_even_offsets() {
        assert_eq!(free_run(&[], 251, 1000), Ok(2));
        assert_eq!(free_run(&[(2, 251)], 251, 1000), Ok(254));
        assert_eq!(free_run(&[(254, 251), (600, 10)], 251, 1000), Ok(2));
        assert_eq!(free_run(&[(2, 251), (254, 251)], 500, 1000), Err(Full { capacity: 1000 }));
    }
}
