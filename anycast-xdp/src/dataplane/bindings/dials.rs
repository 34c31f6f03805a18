//! Tables of bindings whose pools have dials.

use std::collections::BTreeMap;

use anycast_common::dial::{Share, split, taken};

use super::pool::Pool;

/// Which buckets pools take, each found out once: dials change with the configuration.
#[derive(Debug, Default)]
pub struct Dials {
    seed: [u8; 16],
    /// By position of the pool, and count of buckets.
    takes: BTreeMap<(usize, u32), Vec<bool>>,
}

impl Dials {
    /// With the fleet's seed.
    pub const fn new(seed: [u8; 16]) -> Self {
        Self { seed, takes: BTreeMap::new() }
    }

    /// The table for new flows of a binding: `list` are its pools and `taking` those that get flows, by their positions, in order.
    pub fn table(&mut self, pools: &[Pool], list: &[usize], taking: &[usize]) -> Vec<u32> {
        if let [used] = taking {
            return pools[*used].wanted.clone();
        }
        let buckets = list.first().map_or(0, |first| pools[*first].wanted.len() as u32);
        for at in taking {
            let record = &pools[*at].record;
            let takes = || taken(&self.seed, &record.name, buckets, record.dial_percent);
            self.takes.entry((*at, buckets)).or_insert_with(takes);
        }
        let shares = taking.iter().map(|at| Share { takes: &self.takes[&(*at, buckets)], table: &pools[*at].wanted });
        split(buckets, &shares.collect::<Vec<_>>())
    }
}
