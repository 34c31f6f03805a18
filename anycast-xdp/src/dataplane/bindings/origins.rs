//! What was there before a start.

use std::collections::{BTreeMap, BTreeSet};

use super::{Bindings, Cell};
use crate::dataplane::tables::Arrays;

/// What a start begins from, beside the tables.
#[derive(Clone, Copy, Debug)]
pub struct Origins<'a> {
    /// See [`Plan`](crate::dataplane::apply::plan::Plan).
    pub indexes: &'a BTreeMap<u32, u32>,
    /// Those of `POOLS` that packets find. No flow is on any other, and what lies there may name backends that are others now.
    pub found: &'a BTreeSet<u32>,
    /// See there.
    pub idle_pools: &'a BTreeSet<String>,
    /// What this process knew until now; nothing, if it has just begun.
    pub before: &'a Bindings,
}

impl Origins<'_> {
    /// Where the tables lie that packets find: that of a pool may be found by a binding alone.
    pub(super) fn found_tables(&self, arrays: &Arrays) -> BTreeSet<u32> {
        let tables = self.found.iter().map(|index| Cell::New(*index).get(arrays));
        tables.filter(|table| table.size > 0).map(|table| table.offset).collect()
    }
}
