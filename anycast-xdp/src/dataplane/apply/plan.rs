//! The plan of a change: indexes for everything, found without touching anything.

use std::{collections::BTreeMap, net::IpAddr};

use anyhow::{Context as _, Result};

use super::super::{
    inventory::{BackendRecord, Inventory, PoolRecord, VipRecord},
    ranges::Indexes,
    tables::Dataplane,
};
use crate::desired::{Config, PopRole, Role};

/// What is to be changed, and what was.
#[derive(Debug)]
pub struct Plan<'a> {
    pub(super) config: &'a Config,
    /// The inventory after the change.
    pub next: Inventory,
    /// Everything that the maps may refer to while the change is under way.
    pub during: Inventory,
    pub(super) new_vips: Vec<u32>,
    pub(super) new_backends: Vec<u32>,
}

/// Plans the change from what `current` and the maps hold to what `config` asks for.
///
/// What was there keeps its index, and so its counters: VIPs by address, pools by name, backends by pool, address and
/// tunnel source.
///
/// # Errors
///
/// A table without room for old and new side by side.
pub fn plan<'a, D: Dataplane>(dataplane: &mut D, current: &Inventory, config: &'a Config) -> Result<Plan<'a>> {
    let keys = dataplane.vip_keys()?;
    let arrays = dataplane.arrays();
    let mut pool_indexes = Indexes::new(
        arrays.pools.len(),
        arrays.pools.used().chain(current.pools.iter().map(|pool| pool.index)),
    );
    let mut backend_indexes = Indexes::new(
        arrays.backends.len(),
        arrays.backends.used().chain(current.pools.iter().flat_map(|pool| &pool.backends).map(|backend| backend.index)),
    );
    let mut vip_indexes =
        Indexes::new(arrays.vips.len(), arrays.vips.used().chain(current.vips.iter().map(|vip| vip.index)));

    let mut new_backends = Vec::new();
    let mut pools = Vec::new();
    for pool in &config.services.pools {
        let known = current.pool(&pool.name);
        let mut backends = Vec::new();
        for backend in &pool.backends {
            let source = tunnel_source(config, backend.address);
            let same = known.and_then(|known| {
                known.backends.iter().find(|other| other.address == backend.address && other.source == source)
            });
            let index = match same {
                Some(same) => same.index,
                None => {
                    let index = backend_indexes.take().context("backends (limits.backends)")?;
                    new_backends.push(index);
                    index
                }
            };
            backends.push(BackendRecord { index, address: backend.address, source, weight: backend.weight });
        }
        let (index, offset, size) = match known {
            Some(known) => (known.index, known.offset, known.size),
            None => (pool_indexes.take().context("pools (limits.pools)")?, 0, 0),
        };
        let home_region = pool.home_region.clone();
        pools.push(PoolRecord { index, name: pool.name.clone(), home_region, offset, size, backends });
    }

    let (vips, new_vips) = plan_vips(config, &keys, &mut vip_indexes)?;
    let next = Inventory { vips, pools, ..header(config) };
    let during = union(current, &next);
    Ok(Plan { config, next, during, new_vips, new_backends })
}

fn plan_vips(
    config: &Config,
    keys: &BTreeMap<IpAddr, u32>,
    indexes: &mut Indexes,
) -> Result<(Vec<VipRecord>, Vec<u32>)> {
    let mut new = Vec::new();
    let mut vips = Vec::new();
    for vip in &config.services.vips {
        let index = match keys.get(&vip.address) {
            Some(index) => *index,
            None => {
                let index = indexes.take().context("VIPs (limits.vips)")?;
                new.push(index);
                index
            }
        };
        vips.push(VipRecord {
            index,
            name: vip.name.clone(),
            address: vip.address,
            listeners: vip.listeners.iter().map(ToString::to_string).collect(),
            pool: vip.pool.clone(),
        });
    }
    Ok((vips, new))
}

/// An inventory with the facts of the host and no services.
fn header(config: &Config) -> Inventory {
    Inventory {
        abi_version: anycast_common::ABI_VERSION,
        role: match config.local.role {
            Role::Pop(_) => "pop".to_owned(),
            Role::Gateway(_) => "gateway".to_owned(),
        },
        pop: config.local.pop.clone(),
        host: config.local.host.clone(),
        ..Inventory::default()
    }
}

/// Everything of both; where both know a thing by the same index, the new name of it.
fn union(current: &Inventory, next: &Inventory) -> Inventory {
    let mut all = next.clone();
    all.interfaces.clone_from(&current.interfaces);
    all.vips.extend(current.vips.iter().filter(|vip| next.vips.iter().all(|new| new.index != vip.index)).cloned());
    for pool in &current.pools {
        match all.pools.iter_mut().find(|new| new.index == pool.index) {
            None => all.pools.push(pool.clone()),
            Some(new) => {
                let gone = pool.backends.iter().filter(|old| new.backends.iter().all(|new| new.index != old.index));
                let gone: Vec<_> = gone.cloned().collect();
                new.backends.extend(gone);
            }
        }
    }
    all
}

/// The outer source toward a backend: the one of its family. Validation made sure that there is one.
fn tunnel_source(config: &Config, backend: IpAddr) -> Option<IpAddr> {
    let Role::Pop(PopRole { tunnel_source_ipv4, tunnel_source_ipv6, .. }) = &config.local.role else {
        return None;
    };
    match backend {
        IpAddr::V4(_) => tunnel_source_ipv4.map(IpAddr::V4),
        IpAddr::V6(_) => tunnel_source_ipv6.map(IpAddr::V6),
    }
}
