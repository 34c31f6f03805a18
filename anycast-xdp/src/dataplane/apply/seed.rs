//! Giving an empty generation the indexes of the one before it.

use std::{collections::BTreeMap, net::IpAddr};

use anycast_common::map::{BackendEntry, VipEntry};
use anyhow::Result;
use ipnet::IpNet;

use super::{
    super::{
        inventory::Inventory,
        tables::{Dataplane, mapped},
    },
    number, peers,
};
use crate::desired::{Config, Role};

/// Pool and tunnel address of a backend, and what its entry may be, with its near end.
type Candidate = (String, IpAddr, Vec<(IpNet, BackendEntry)>);

/// Writes those VIPs and backends of `config` that had an index before at the same one, bound to nothing and led to by
/// nothing, so that a plan finds them there and keeps it. No packets may run on the tables.
///
/// # Errors
///
/// A refused system call.
pub fn seed<D: Dataplane>(
    dataplane: &mut D,
    vips: &BTreeMap<u32, IpAddr>,
    before: &Inventory,
    config: &Config,
) -> Result<()> {
    let had: BTreeMap<_, _> = vips.iter().map(|(index, address)| (*address, *index)).collect();
    for vip in &config.services.vips {
        let Some(index) = had.get(&vip.address).copied() else { continue };
        let table = &mut dataplane.arrays().vips;
        if (1..table.len()).contains(&index) {
            table.write(index, VipEntry { address: mapped(vip.address), ..VipEntry::default() });
            dataplane.insert_vip(vip.address, index)?;
        }
    }
    for (pool, address, entries) in candidates(config)? {
        let known = before.pools.iter().filter(|known| known.name == pool);
        for backend in known.flat_map(|known| &known.backends).filter(|known| known.address == address) {
            let table = &mut dataplane.arrays().backends;
            let entry = entries.iter().find(|(source, _)| Some(*source) == backend.source);
            if let Some((_, entry)) = entry.filter(|_| (1..table.len()).contains(&backend.index)) {
                table.write(backend.index, *entry);
            }
        }
    }
    Ok(())
}

/// Every backend of a configuration.
fn candidates(config: &Config) -> Result<Vec<Candidate>> {
    let mut all = Vec::new();
    match &config.local.role {
        Role::Pop(role) => {
            for pool in &config.services.pools {
                for backend in &pool.backends {
                    all.push((pool.name.clone(), backend.address, vec![number::toward(role, backend)?]));
                }
            }
        }
        Role::Gateway(role) => {
            if let Some((pool, prefixes)) = peers::pool(config) {
                for prefix in prefixes {
                    all.push((pool.name.clone(), prefix.network(), peers::entries(role, prefix)?));
                }
            }
        }
    }
    Ok(all)
}
