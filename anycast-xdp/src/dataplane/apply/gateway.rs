//! What a gateway takes: its tunnel addresses, its allow-list, its GRE keys. A PoP takes nothing of the kind.
//!
//! Clients' paths name tunnel addresses, keys and PoP hosts by index. So an index is given up in this order: the key that
//! leads to it is removed; after a grace period no program remembers a path by it any more; the paths that do are
//! forgotten; after another one no program reads what is at it, and it is cleared. What is cleared is free.

use std::collections::{BTreeMap, BTreeSet};

use anycast_common::map::{SOURCE_FAMILY_BITS, TunnelKey, TunnelPolicy};
use anyhow::{Context as _, Result};
use ipnet::IpNet;
use nix::time::{ClockId, clock_getres};

use super::{
    super::{
        inventory::Inventory,
        keyed::SourceKey,
        ranges::{Full, Indexes},
        tables::{Arrays, Dataplane, tunnel_key_of},
    },
    peers,
    reach::Reach,
};
use crate::desired::{Config, Role};

/// The index of each tunnel address and key.
struct Lists {
    tunnels: BTreeMap<TunnelKey, u32>,
    gre_keys: BTreeMap<[u8; 4], u32>,
}

/// What the maps are to hold.
#[derive(Debug)]
pub struct Taken {
    tunnels: BTreeSet<TunnelKey>,
    gre_keys: BTreeSet<[u8; 4]>,
    sources: BTreeMap<SourceKey, u32>,
    policy: u64,
}

impl Taken {
    /// What `config` asks for, with the indexes that `next` gives to PoP hosts.
    pub fn of(config: &Config, next: &Inventory) -> Self {
        let (tunnels, gre_keys, sources, policy) = match &config.local.role {
            Role::Pop(role) if config.services.has_returning() => {
                let sources = [role.tunnel_source_ipv4.map(IpNet::V4), role.tunnel_source_ipv6.map(IpNet::V6)];
                let varying_bits =
                    sources.map(|source| source.map_or(0, |source| source.max_prefix_len() - source.prefix_len()));
                let policy = TunnelPolicy {
                    gue_port: role.gue_port,
                    varying_bits_v4: varying_bits[0],
                    varying_bits_v6: varying_bits[1],
                    ..TunnelPolicy::default()
                };
                let firsts = sources.into_iter().flatten().map(|source| source.network());
                let tunnels = firsts.map(tunnel_key_of);
                (tunnels.collect(), BTreeSet::new(), BTreeMap::new(), policy)
            }
            Role::Pop(_) => (BTreeSet::new(), BTreeSet::new(), BTreeMap::new(), TunnelPolicy::default()),
            Role::Gateway(role) => {
                let peers: BTreeMap<_, _> = peers::indexes(config, next).into_iter().collect();
                let index = |prefix: &IpNet| peers.get(&prefix.trunc()).copied().unwrap_or(0);
                let sources = role.allowed_sources.iter().map(|prefix| (source_key(*prefix), index(prefix)));
                let tunnels = role.tunnel_addresses.iter().copied().map(tunnel_key_of);
                let policy = TunnelPolicy {
                    gue_port: role.gue_port,
                    is_gre_keyed: !role.gre_keys.is_empty(),
                    tick_8ns: tick_8ns(),
                    ..TunnelPolicy::default()
                };
                let gre_keys = role.gre_keys.iter().map(|key| key.to_be_bytes());
                (tunnels.collect(), gre_keys.collect(), sources.collect(), policy)
            }
        };
        Self { tunnels, gre_keys, sources, policy: policy.to_cell() }
    }

    /// Takes what is new, beside what was taken before.
    ///
    /// # Errors
    ///
    /// A refused system call, or more than there can be, which validation excludes.
    pub fn add<D: Dataplane>(&self, dataplane: &mut D, reach: &Reach, next: &Inventory) -> Result<()> {
        let lists = if let Ok(lists) = self.lists(dataplane)? {
            lists
        } else {
            // No room for old and new.
            self.remove_other_lists(dataplane)?;
            dataplane.wait_for_readers()?;
            forget_the_rest(dataplane, reach, &next.backend_indexes())?;
            self.lists(dataplane)?.context("tunnel addresses or GRE keys")?
        };
        let Lists { tunnels, gre_keys } = lists;
        let arrays = dataplane.arrays();
        for (key, index) in &tunnels {
            if !has_address(arrays, key, *index) {
                arrays.tunnel_addresses.write(*index, address_of(key));
            }
        }
        for (key, index) in &gre_keys {
            if !has_key(arrays, *key, *index) {
                arrays.gre_key_list.write(*index, key_cell(*key));
            }
        }
        dataplane.keyed().tunnels.insert_all(&tunnels)?;
        dataplane.keyed().gre_keys.insert_all(&gre_keys)?;
        dataplane.keyed().sources.insert_all(&self.led().collect())?;
        // What takes more than before; the rest is for `remove_others`.
        if self.policy != 0 {
            self.store_policy(dataplane.arrays());
        }
        Ok(())
    }

    /// Takes nothing else any more.
    ///
    /// # Errors
    ///
    /// A refused system call.
    pub fn remove_others<D: Dataplane>(&self, dataplane: &mut D) -> Result<()> {
        self.store_policy(dataplane.arrays());
        self.remove_other_lists(dataplane)?;
        dataplane.keyed().sources.replace(&self.sources)
    }

    fn remove_other_lists<D: Dataplane>(&self, dataplane: &mut D) -> Result<()> {
        let keyed = dataplane.keyed();
        keyed.tunnels.remove_others(|key| self.tunnels.contains(key))?;
        keyed.gre_keys.remove_others(|key| self.gre_keys.contains(key))
    }

    /// The sources that lead to a PoP host, and those that nothing is known of yet.
    fn led(&self) -> impl Iterator<Item = (SourceKey, u32)> {
        self.sources.iter().map(|(key, index)| (*key, *index)).filter(|(_, index)| *index != 0)
    }

    fn store_policy(&self, arrays: &mut Arrays) {
        if arrays.gateway.get(1) != self.policy {
            arrays.gateway.store_cell(1, 0, self.policy);
        }
    }

    /// The index of each tunnel address and key.
    fn lists<D: Dataplane>(&self, dataplane: &mut D) -> Result<Result<Lists, Full>> {
        let known_tunnels = dataplane.keyed().tunnels.entries()?;
        let known_keys = dataplane.keyed().gre_keys.entries()?;
        let arrays = dataplane.arrays();
        let (addresses, keys) = (&arrays.tunnel_addresses, &arrays.gre_key_list);
        let tunnels = indexes(&self.tunnels, &known_tunnels, addresses.used(), addresses.len(), |key, index| {
            has_address(arrays, key, index)
        });
        let gre_keys =
            indexes(&self.gre_keys, &known_keys, keys.used(), keys.len(), |key, index| has_key(arrays, *key, index));
        Ok(tunnels.and_then(|tunnels| Ok(Lists { tunnels, gre_keys: gre_keys? })))
    }
}

/// An index for each key: the one that it has, as far as the list bears it out, or a free one.
fn indexes<K: Copy + Ord>(
    wanted: &BTreeSet<K>,
    known: &BTreeMap<K, u32>,
    used: impl Iterator<Item = u32>,
    len: u32,
    holds: impl Fn(&K, u32) -> bool,
) -> Result<BTreeMap<K, u32>, Full> {
    let mut given = BTreeSet::new();
    let kept = wanted.iter().filter_map(|key| Some((*key, *known.get(key)?)));
    let kept = kept.filter(|(key, index)| (1..len).contains(index) && holds(key, *index) && given.insert(*index));
    let mut indexes: BTreeMap<_, _> = kept.collect();
    let mut free = Indexes::new(len, used.chain(known.values().copied()));
    for key in wanted {
        if !indexes.contains_key(key) {
            indexes.insert(*key, free.take()?);
        }
    }
    Ok(indexes)
}

/// How long a tick of the kernel's is: the coarse clocks go by it. Should the kernel not tell, no path grows old.
fn tick_8ns() -> u32 {
    let tick = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).ok();
    tick.and_then(|tick| u32::try_from(tick.tv_nsec() / 8).ok()).unwrap_or(0)
}

/// Clears the tunnel addresses and GRE keys that no key leads to, after the paths by them, and by PoP hosts that no
/// source leads to, are forgotten. `own` are the indexes of PoP hosts that stay what they are. The caller has waited for a grace period since keys were removed; on return, what no
/// key leads to is in no path that a program may be reading.
///
/// # Errors
///
/// A refused system call.
pub fn forget_the_rest<D: Dataplane>(dataplane: &mut D, reach: &Reach, own: &BTreeSet<u32>) -> Result<()> {
    let keyed = dataplane.keyed();
    let tunnels: BTreeSet<u32> = keyed.tunnels.entries()?.into_values().collect();
    let keys: BTreeSet<u32> = keyed.gre_keys.entries()?.into_values().collect();
    let peers: BTreeSet<u32> = keyed.sources.entries()?.into_values().collect();
    let arrays = dataplane.arrays();
    let stale_tunnels: Vec<_> =
        arrays.tunnel_addresses.used().filter(|index| *index != 0 && !tunnels.contains(index)).collect();
    let stale_keys: Vec<_> = arrays.gre_key_list.used().filter(|index| *index != 0 && !keys.contains(index)).collect();
    let goes = |index: &u32| !reach.backends.contains(index) && !own.contains(index);
    if stale_tunnels.is_empty() && stale_keys.is_empty() && !arrays.backends.used().any(|index| goes(&index)) {
        return Ok(());
    }
    let were_some = dataplane.forget_paths(&|_, path| {
        !peers.contains(&path.peer_index)
            || !tunnels.contains(&path.tunnel_index.into())
            || (path.key_index != 0 && !keys.contains(&path.key_index.into()))
    })?;
    if were_some {
        dataplane.wait_for_readers()?;
    }
    let arrays = dataplane.arrays();
    for index in stale_tunnels {
        arrays.tunnel_addresses.write(index, [0; 16]);
    }
    for index in stale_keys {
        arrays.gre_key_list.write(index, 0);
    }
    Ok(())
}

fn address_of(key: &TunnelKey) -> [u8; 16] {
    let [_, _, _, _, address @ ..] = *key;
    address
}

fn has_address(arrays: &Arrays, key: &TunnelKey, index: u32) -> bool {
    arrays.tunnel_addresses.get(index) == address_of(key)
}

fn has_key(arrays: &Arrays, key: [u8; 4], index: u32) -> bool {
    arrays.gre_key_list.get(index) == key_cell(key)
}

/// A key of `GRE_KEY_LIST`: in the first four bytes in memory.
fn key_cell(key: [u8; 4]) -> u64 {
    let [a, b, c, d] = key;
    u64::from_ne_bytes([a, b, c, d, 0, 0, 0, 0])
}

/// The key of a prefix in the allow-list.
fn source_key(prefix: IpNet) -> SourceKey {
    let mapped_bits = if prefix.addr().is_ipv4() { 96 } else { 0 };
    let bits = SOURCE_FAMILY_BITS + mapped_bits + u32::from(prefix.prefix_len());
    SourceKey { bits, key: tunnel_key_of(prefix.network()) }
}
