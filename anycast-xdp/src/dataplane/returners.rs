//! Who may answer on a PoP: the gateways that flows of a binding are on, each in the tunnel that they go to it by.
//!
//! Entries are there before a VIP's flows can go to a gateway, and until they cannot any more: while tables change, those
//! of the old ones and of the new ones. A gateway has one tunnel in a binding: that of its first pool that names it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use anycast_common::map::{
    BackendEntry, ENCAP_GRE_KEYED, IN_TRANSITION, PoolRef, RETURN_DIRECT, ReturnTunnel, ReturnerKey, TunnelKey,
    VipEntry, VipPolicy,
};
use anyhow::Result;

use super::{
    apply::{
        reach::{Reach, tunnel_address},
        slots::{Cell, read},
    },
    inventory::{Inventory, PoolRecord},
    tables::{Arrays, Dataplane, tunnel_key_of},
};
use crate::desired::{Config, Role, Vip};

/// Lets everybody answer who can be sent to before, during and after a change to `next`. Who may answer already does so
/// still; one that is sent to in another tunnel answers in that from now on.
///
/// # Errors
///
/// A refused system call, of a full table for one.
pub fn add<D: Dataplane>(
    dataplane: &mut D,
    config: &Config,
    next: &Inventory,
    reach: &Reach,
    origins: &BTreeMap<u32, u32>,
) -> Result<()> {
    if !matches!(config.local.role, Role::Pop(_)) {
        return Ok(());
    }
    let arrays = dataplane.arrays();
    let returned = config.services.returning();
    let wanted_bindings: BTreeSet<_> = returned.clone().map(Vip::binding).collect();
    let led = next.bound().filter(|(binding, _)| wanted_bindings.contains(binding)).map(|(_, index)| index);
    // Until they are led there, those VIPs are where they were, and so are those whose answers will go directly, be they all:
    // the tables of their pools change before their policies do.
    let addresses: BTreeSet<_> = returned.map(|vip| vip.address).collect();
    let entries = reach.vips.iter().map(|(address, index)| (address, arrays.vips.get(*index)));
    let bound = entries.filter(|(address, entry)| addresses.contains(address) || comes_back(entry));
    let bound = bound.map(|(_, entry)| PoolRef::from_cell(entry.pool).pool_index);
    let indexes = bound.chain(led).collect();
    let wanted = wanted(arrays, next, &indexes, origins);
    dataplane.keyed().returners.insert_all(&wanted)
}

fn comes_back(vip: &VipEntry) -> bool {
    VipPolicy::from_cell(vip.policy).returns != RETURN_DIRECT
}

/// Do answers of any VIP come back to this PoP now?
pub fn any_comes_back(arrays: &Arrays) -> bool {
    arrays.vips.used().any(|index| comes_back(&arrays.vips.get(index)))
}

/// Lets nobody answer any more whom flows cannot be sent to: a grace period after they were. Read from the tables.
///
/// # Errors
///
/// A refused system call.
pub fn remove_others<D: Dataplane>(dataplane: &mut D, inventory: &Inventory) -> Result<()> {
    let keys = dataplane.vip_keys()?;
    let arrays = dataplane.arrays();
    let entries = keys.into_values().filter(|index| *index < arrays.vips.len()).map(|index| arrays.vips.get(index));
    let returned = entries.filter(comes_back);
    let indexes: BTreeSet<_> = returned.map(|entry| PoolRef::from_cell(entry.pool).pool_index).collect();
    let wanted = wanted(arrays, inventory, &indexes, &BTreeMap::new());
    dataplane.keyed().returners.replace(&wanted)
}

/// Indexes of backends that are in the place of others at the same address which flows go to in another tunnel: a gateway
/// answers in one. Those flows lose nothing, for the others are the same host. None where answers of no VIP come back, neither
/// now nor by `config`.
pub fn superseded(arrays: &Arrays, config: &Config, next: &Inventory) -> BTreeSet<u32> {
    if !config.services.has_returning() && !any_comes_back(arrays) {
        return BTreeSet::new();
    }
    let own: BTreeSet<_> = next.backends().map(|(_, index)| index).collect();
    let mut tunnels: BTreeMap<TunnelKey, BTreeSet<u64>> = BTreeMap::new();
    for (gateway, tunnel) in own.iter().filter_map(|index| tunnel(&arrays.backends.get(*index))) {
        tunnels.entry(gateway).or_default().insert(tunnel);
    }
    let others = arrays.backends.used().filter(|index| !own.contains(index));
    let is_superseded = |index: &u32| {
        tunnel(&arrays.backends.get(*index))
            .is_some_and(|(gateway, tunnel)| tunnels.get(&gateway).is_some_and(|own| !own.contains(&tunnel)))
    };
    others.filter(is_superseded).collect()
}

/// An entry for each gateway that flows of one of these indexes of `POOLS` may be sent to.
fn wanted(
    arrays: &Arrays,
    inventory: &Inventory,
    indexes: &BTreeSet<u32>,
    origins: &BTreeMap<u32, u32>,
) -> BTreeMap<ReturnerKey, u64> {
    let mut by_index: BTreeMap<u32, Vec<&PoolRecord>> =
        inventory.pools.iter().map(|pool| (pool.index, vec![pool])).collect();
    let named = |names: &[String]| names.iter().filter_map(|name| inventory.pool(name)).collect();
    by_index.extend(inventory.bindings.iter().map(|binding| (binding.index, named(&binding.pools))));

    let mut lying = BTreeMap::new();
    let mut wanted = BTreeMap::new();
    for index in indexes.iter().copied().filter(|index| (1..arrays.pools.len()).contains(index)) {
        let pools = by_index.get(&index).map(Vec::as_slice).unwrap_or_default();
        let configured = pools.iter().flat_map(|pool| &pool.backends).map(|backend| backend.index);
        let mut backends: Vec<_> = configured.collect();
        // A binding of several pools gets the tables of each in turn.
        for index in pools.iter().map(|pool| pool.index).chain([index]) {
            for index in [index, origins.get(&index).copied().unwrap_or(index)] {
                for cell in [Cell::New(index), Cell::Old(index)] {
                    let table = cell.get(arrays);
                    let found = lying.entry((table.offset, table.size)).or_insert_with(|| {
                        read(arrays, table).into_iter().map(|slot| slot & !IN_TRANSITION).collect::<BTreeSet<_>>()
                    });
                    backends.extend(found.iter().copied());
                }
            }
        }
        for backend in backends.into_iter().filter(|index| (1..arrays.backends.len()).contains(index)) {
            if let Some((gateway, tunnel)) = tunnel(&arrays.backends.get(backend)) {
                wanted.entry(ReturnerKey { pool_index: index, gateway }).or_insert(tunnel);
            }
        }
    }
    wanted
}

/// The far end of a backend's tunnel and the tunnel, as the ready-made header has them; `None`: the entry is not set.
pub fn tunnel(entry: &BackendEntry) -> Option<(TunnelKey, u64)> {
    let address = tunnel_address(entry)?;
    let behind_ip = match address {
        IpAddr::V4(_) => 20,
        IpAddr::V6(_) => 40,
    };
    // Flags and protocol are before the key.
    let key = entry.outer.get(behind_ip + 4..behind_ip + 8)?;
    let gre_key = if entry.encap == ENCAP_GRE_KEYED { u32::from_ne_bytes(<[u8; 4]>::try_from(key).ok()?) } else { 0 };
    Some((tunnel_key_of(address), ReturnTunnel { encap: entry.encap, gre_key }.to_cell()))
}
