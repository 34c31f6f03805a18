//! Maps that are looked up by a key, and that packets do not change: entries are inserted and removed one by one.

#[cfg(test)]
mod failing;
pub mod hinted;
mod store;

use std::{collections::BTreeMap, fmt};

use anycast_common::map::{ReturnerKey, TunnelKey};
use anyhow::Result;
use aya::maps::MapData;

#[cfg(test)]
use self::failing::Failing;
use self::{
    hinted::Hinted,
    store::{Hash, Sources, Store},
};
use super::tables::typed;
#[cfg(test)]
use super::tables::{
    faulty::Faults,
    journal::{Event, Journal, KeyChange},
};

/// A key of the gateway's allow-list. They are in order of their lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceKey {
    /// Bits of the key that count.
    pub bits: u32,
    /// Family and network address.
    pub key: TunnelKey,
}

/// All of them.
#[derive(Debug)]
pub struct KeyedMaps {
    /// `TUNNELS`: indexes of `TUNNEL_ADDRESSES`.
    pub tunnels: Keyed<TunnelKey, u32>,
    /// `SOURCES`: indexes of `BACKENDS`, or 0.
    pub sources: Keyed<SourceKey, u32>,
    /// `GRE_KEYS`, by the key in wire order: indexes of `GRE_KEY_LIST`.
    pub gre_keys: Keyed<[u8; 4], u32>,
    /// `RETURNERS`: cells, see [`anycast_common::map::ReturnTunnel`].
    pub returners: Keyed<ReturnerKey, u64>,
    /// `PUBLIC_LINKS`: indexes of `LINKS`.
    pub public_links: Keyed<u32, u32>,
}

/// One map.
pub struct Keyed<K, V> {
    store: Box<dyn Store<K, V>>,
    /// What was written, while somebody looks for what others write.
    written: Option<BTreeMap<K, V>>,
    /// What an entry looks like in a journal, and the journal.
    #[cfg(test)]
    journal: Option<(Change<K, V>, Journal)>,
}

#[cfg(test)]
type Change<K, V> = fn(K, Option<V>) -> KeyChange;

impl<K: Copy + Ord + Send + 'static, V: Copy + PartialEq + Send + 'static> Keyed<K, V> {
    fn new(store: impl Store<K, V> + 'static) -> Self {
        Self {
            store: Box::new(store),
            written: None,
            #[cfg(test)]
            journal: None,
        }
    }

    /// A map without a kernel behind it.
    pub fn in_memory() -> Self {
        Self::new(BTreeMap::new())
    }

    /// Every entry.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn entries(&self) -> Result<BTreeMap<K, V>> {
        self.store.entries()
    }

    /// Inserts those of `wanted` that are not there, or have another value.
    ///
    /// # Errors
    ///
    /// The kernel's refusal, of a full map for one.
    pub fn insert_all(&mut self, wanted: &BTreeMap<K, V>) -> Result<()> {
        let there = self.entries()?;
        let inserted =
            wanted.iter().filter(|(key, value)| there.get(key) != Some(value)).try_for_each(|(key, value)| {
                self.store.insert(*key, *value)?;
                if let Some(written) = &mut self.written {
                    written.insert(*key, *value);
                }
                #[cfg(test)]
                self.record(*key, Some(*value));
                Ok(())
            });
        self.store.settle()?;
        inserted
    }

    /// Removes every entry whose key is not wanted.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn remove_others(&mut self, is_wanted: impl Fn(&K) -> bool) -> Result<()> {
        let removed = self.entries()?.into_keys().filter(|key| !is_wanted(key)).try_for_each(|key| {
            self.store.remove(&key)?;
            if let Some(written) = &mut self.written {
                written.remove(&key);
            }
            #[cfg(test)]
            self.record(key, None);
            Ok(())
        });
        self.store.settle()?;
        removed
    }

    /// Takes what is there for what was written, and remembers from now on what is.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn watch(&mut self) -> Result<()> {
        self.written = Some(self.entries()?);
        Ok(())
    }

    /// Takes back what others have changed since [`Self::watch`]: how many entries that were.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn restore(&mut self) -> Result<usize> {
        let Some(written) = &self.written else { return Ok(0) };
        let there = self.store.entries()?;
        let foreign: Vec<_> = there.keys().filter(|key| !written.contains_key(key)).collect();
        let lost: Vec<_> = written.iter().filter(|(key, value)| there.get(key) != Some(value)).collect();
        for (key, value) in &lost {
            self.store.insert(**key, **value)?;
        }
        for key in &foreign {
            self.store.remove(key)?;
        }
        self.store.settle()?;
        Ok(lost.len() + foreign.len())
    }

    /// Makes the map hold `wanted`: new entries first.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn replace(&mut self, wanted: &BTreeMap<K, V>) -> Result<()> {
        self.insert_all(wanted)?;
        self.remove_others(|key| wanted.contains_key(key))
    }
}

/// What tests look at: see [`super::tables::journal`].
#[cfg(test)]
impl<K: Copy + Ord + Send + 'static, V: Copy + PartialEq + Send + 'static> Keyed<K, V> {
    pub fn set_journal(&mut self, journal: Option<(Change<K, V>, Journal)>) {
        self.journal = journal;
    }

    fn record(&self, key: K, value: Option<V>) {
        if let Some((change, journal)) = &self.journal {
            journal.lock().expect("no panic while it is held").push(Event::Key(change(key, value)));
        }
    }

    fn set_faults(&mut self, faults: &Faults) {
        let store = std::mem::replace(&mut self.store, Box::new(BTreeMap::new()));
        self.store = Box::new(Failing { store, faults: faults.clone() });
    }

    /// Inserts or removes one entry.
    pub fn patch(&mut self, key: K, value: Option<V>) {
        match value {
            Some(value) => self.store.insert(key, value).expect("memory"),
            None => self.store.remove(&key).expect("memory"),
        }
    }
}

impl<K, V> fmt::Debug for Keyed<K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keyed").finish_non_exhaustive()
    }
}

impl KeyedMaps {
    /// Those of the kernel, opened with `open`, which is given the name of each.
    ///
    /// # Errors
    ///
    /// The first that cannot be opened.
    pub fn open(open: &impl Fn(&str) -> Result<MapData>) -> Result<Self> {
        Ok(Self {
            tunnels: Keyed::new(Hinted::open(open, ("TUNNELS", "TUNNEL_HINTS"), "TUNNELS", hinted::of_tunnel)?),
            sources: Keyed::new(Sources(typed(open, "SOURCES")?)),
            gre_keys: Keyed::new(Hash { name: "GRE_KEYS", map: typed(open, "GRE_KEYS")? }),
            returners: Keyed::new(Hash { name: "RETURNERS (limits.backends)", map: typed(open, "RETURNERS")? }),
            public_links: Keyed::new(Hinted::open(
                open,
                ("PUBLIC_LINKS", "LINK_HINTS"),
                "PUBLIC_LINKS (limits.links)",
                hinted::of_link,
            )?),
        })
    }

    /// Empty ones without a kernel behind them.
    pub fn in_memory() -> Self {
        Self {
            tunnels: Keyed::in_memory(),
            sources: Keyed::in_memory(),
            gre_keys: Keyed::in_memory(),
            returners: Keyed::in_memory(),
            public_links: Keyed::in_memory(),
        }
    }

    /// Lets the calls of all of them fail on schedule.
    #[cfg(test)]
    pub fn set_faults(&mut self, faults: &Faults) {
        self.tunnels.set_faults(faults);
        self.sources.set_faults(faults);
        self.gre_keys.set_faults(faults);
        self.returners.set_faults(faults);
        self.public_links.set_faults(faults);
    }
}
