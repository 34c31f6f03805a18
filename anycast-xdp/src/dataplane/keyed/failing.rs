//! Entries of another store, by calls that fail on schedule.

use std::collections::BTreeMap;

use anyhow::Result;

use super::store::Store;
use crate::dataplane::tables::faulty::Faults;

/// The store, and the schedule.
pub(super) struct Failing<K, V> {
    pub store: Box<dyn Store<K, V>>,
    pub faults: Faults,
}

impl<K: Copy + Send, V: Send> Store<K, V> for Failing<K, V> {
    fn entries(&self) -> Result<BTreeMap<K, V>> {
        self.faults.one("read", || self.store.entries())
    }

    fn insert(&mut self, key: K, value: V) -> Result<()> {
        self.faults.one("insert", || self.store.insert(key, value))
    }

    fn remove(&mut self, key: &K) -> Result<()> {
        self.faults.one("remove", || self.store.remove(key))
    }
}
