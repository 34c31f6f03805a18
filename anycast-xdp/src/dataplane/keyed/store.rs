//! Where the entries of a keyed map are: in the kernel, or in memory.

use std::collections::BTreeMap;

use anycast_common::map::{MapValue, TunnelKey};
use anyhow::{Context as _, Result};
use aya::{
    Pod,
    maps::{HashMap, LpmTrie, MapData, lpm_trie::Key},
};

use super::SourceKey;
use crate::dataplane::tables::Raw;

/// Where the entries are.
pub(super) trait Store<K, V>: Send {
    fn entries(&self) -> Result<BTreeMap<K, V>>;
    fn insert(&mut self, key: K, value: V) -> Result<()>;
    fn remove(&mut self, key: &K) -> Result<()>;
    /// Brings what stands in front of the map up to date with it.
    fn settle(&mut self) -> Result<()> {
        Ok(())
    }
}

impl<K: Copy + Ord + Send, V: Copy + Send> Store<K, V> for BTreeMap<K, V> {
    fn entries(&self) -> Result<BTreeMap<K, V>> {
        Ok(self.clone())
    }

    fn insert(&mut self, key: K, value: V) -> Result<()> {
        BTreeMap::insert(self, key, value);
        Ok(())
    }

    fn remove(&mut self, key: &K) -> Result<()> {
        BTreeMap::remove(self, key);
        Ok(())
    }
}

/// A hash map of the kernel, and its name.
pub(super) struct Hash<K, V> {
    pub name: &'static str,
    pub map: HashMap<MapData, Raw<K>, V>,
}

impl<K: MapValue + Ord + Send, V: Pod + Send> Store<K, V> for Hash<K, V> {
    fn entries(&self) -> Result<BTreeMap<K, V>> {
        let entries = self.map.iter().map(|entry| entry.map(|(Raw(key), value)| (key, value)));
        entries.collect::<Result<_, _>>().with_context(|| format!("cannot read {}", self.name))
    }

    fn insert(&mut self, key: K, value: V) -> Result<()> {
        self.map.insert(Raw(key), value, 0).with_context(|| format!("cannot insert into {}", self.name))
    }

    fn remove(&mut self, key: &K) -> Result<()> {
        self.map.remove(&Raw(*key)).with_context(|| format!("cannot remove from {}", self.name))
    }
}

/// `SOURCES` of the kernel.
pub(super) struct Sources(pub LpmTrie<MapData, TunnelKey, u32>);

impl Store<SourceKey, u32> for Sources {
    fn entries(&self) -> Result<BTreeMap<SourceKey, u32>> {
        let entries = self
            .0
            .iter()
            .map(|entry| entry.map(|(key, value)| (SourceKey { bits: key.prefix_len(), key: key.data() }, value)));
        entries.collect::<Result<_, _>>().context("cannot read SOURCES")
    }

    fn insert(&mut self, key: SourceKey, value: u32) -> Result<()> {
        self.0.insert(&Key::new(key.bits, key.key), value, 0).context("cannot insert an allowed source")
    }

    fn remove(&mut self, key: &SourceKey) -> Result<()> {
        self.0.remove(&Key::new(key.bits, key.key)).context("cannot remove an allowed source")
    }
}
