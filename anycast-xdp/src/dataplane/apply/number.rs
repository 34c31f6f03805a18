//! Indexes for everything: the one that it has, or a free one.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use anycast_common::{
    map::{BackendEntry, PoolRef},
    outer::{self, Source},
};
use anyhow::{Context as _, Result};
use ipnet::IpNet;

use super::{
    super::{
        inventory::{BindingRecord, DownSet, Inventory, PoolRecord, VipRecord},
        ranges::Indexes,
        tables::Arrays,
    },
    known::{Draft, Known},
    peers,
    reach::Reach,
    slots::{leads_to, table},
};
use crate::desired::{Backend, Binding, Config, PopRole, Role, Vip};

/// Indexes of backends that are to be written, and what.
pub type NewBackends = Vec<(u32, BackendEntry)>;

/// The pools and bindings that a configuration asks for.
#[derive(Debug, Default)]
pub struct Pools {
    /// In its order.
    pub records: Vec<PoolRecord>,
    /// Bindings of more than one pool, in the order of their VIPs.
    pub bindings: Vec<BindingRecord>,
    /// Entries of those backends that are new.
    pub new_backends: NewBackends,
    /// What each index takes over: its own table, or that of the index that its pool or binding had.
    pub origins: BTreeMap<u32, u32>,
}

/// The pools and bindings that `config` asks for.
///
/// # Errors
///
/// No room for old and new.
pub fn pools(config: &Config, current: &Inventory, down: &DownSet, reach: &Reach, arrays: &Arrays) -> Result<Pools> {
    let mut known = Known::of(current, down, reach, arrays);
    let mut drafts = match &config.local.role {
        Role::Pop(role) => {
            let entries = |backend: &Backend| Ok(vec![toward(role, backend)?]);
            let pools = config.services.pools.iter();
            pools.map(|pool| known.pool(pool, |at| entries(&pool.backends[at]))).collect::<Result<Vec<_>>>()?
        }
        Role::Gateway(role) => {
            let pops = peers::pool(config).into_iter();
            pops.map(|(pool, prefixes)| known.pool(&pool, |at| peers::entries(role, prefixes[at])))
                .collect::<Result<Vec<_>>>()?
        }
    };
    let (mut bindings, found): (Vec<_>, Vec<_>) =
        with_fallbacks(config).into_iter().map(|binding| known.binding(binding)).unzip();
    let own = drafts.iter().map(|draft| draft.record.index).chain(bindings.iter().map(|binding| binding.index));
    let mut origins: BTreeMap<_, _> = own.filter(|index| *index != 0).map(|index| (index, index)).collect();
    let new_backends = take_free(&mut drafts, &mut bindings, reach, arrays)?;
    let found = bindings.iter().zip(found).filter_map(|(binding, found)| Some((binding.index, found?)));
    origins.extend(found);
    part_from_leavers(&mut drafts, &mut bindings, &mut origins, config, reach, arrays)?;
    Ok(Pools { records: drafts.into_iter().map(|draft| draft.record).collect(), bindings, new_backends, origins })
}

/// The distinct bindings of a pool and its fall-backs.
fn with_fallbacks(config: &Config) -> Vec<Binding> {
    let mut seen = BTreeSet::new();
    let vips = config.services.vips.iter().filter(|vip| !vip.fallback_pools.is_empty());
    vips.map(Vip::binding).filter(|binding| seen.insert(binding.clone())).collect()
}

/// Gives an index to everything that has none. What packets cannot find, and nothing keeps, is free.
fn take_free(
    pools: &mut [Draft],
    bindings: &mut [BindingRecord],
    reach: &Reach,
    arrays: &Arrays,
) -> Result<NewBackends> {
    let kept = pools.iter().map(|pool| pool.record.index).chain(bindings.iter().map(|binding| binding.index));
    let mut pool_indexes = Indexes::new(arrays.pools.len(), reach.pools.iter().copied().chain(kept));
    let kept = pools.iter().flat_map(|pool| &pool.record.backends).map(|backend| backend.index);
    let len = arrays.backends.len().min(peers::PEER_INDEXES);
    let mut backend_indexes = Indexes::new(len, reach.backends.iter().copied().chain(kept));
    let mut new_backends = Vec::new();
    for Draft { record, entries } in pools {
        if record.index == 0 {
            record.index = pool_indexes.take().context("pools, old and new (limits.pools)")?;
        }
        for (backend, entry) in record.backends.iter_mut().zip(entries).filter(|(backend, _)| backend.index == 0) {
            backend.index = backend_indexes.take().context("backends, old and new (limits.backends)")?;
            new_backends.push((backend.index, *entry));
        }
    }
    for binding in bindings.iter_mut().filter(|binding| binding.index == 0) {
        binding.index = pool_indexes.take().context("pools, old and new (limits.pools)")?;
    }
    Ok(new_backends)
}

/// Gives a fresh index to every pool and binding that may get another table while a VIP leaves it: that VIP would be
/// shown the new table of the one that it leaves, before it is shown the one that it goes to.
fn part_from_leavers(
    pools: &mut [Draft],
    bindings: &mut [BindingRecord],
    origins: &mut BTreeMap<u32, u32>,
    config: &Config,
    reach: &Reach,
    arrays: &Arrays,
) -> Result<()> {
    let Role::Pop(role) = &config.local.role else {
        return Ok(());
    };
    let wanted: BTreeMap<_, _> = config.services.vips.iter().map(|vip| (vip.address, vip.binding())).collect();
    let own_pools = pools.iter().map(|pool| (pool.record.index, pool.record.binding()));
    let own_lists = bindings.iter().map(|binding| (binding.index, binding.binding()));
    let own: BTreeMap<_, _> = own_pools.chain(own_lists).collect();
    let stays = |vip: &IpAddr, index: u32| wanted.get(vip).is_some_and(|wanted| own.get(&index) == Some(wanted));
    let bound =
        reach.vips.iter().map(|(vip, index)| (vip, PoolRef::from_cell(arrays.vips.get(*index).pool).pool_index));
    let left: BTreeSet<_> = bound.filter(|(vip, index)| !stays(vip, *index)).map(|(_, index)| index).collect();

    let kept: Vec<_> = own.into_keys().collect();
    let mut free = Indexes::new(arrays.pools.len(), reach.pools.iter().copied().chain(kept));
    let mut part = |index: &mut u32| -> Result<()> {
        let fresh = free.take().context("pools, old and new (limits.pools)")?;
        origins.remove(index);
        origins.insert(fresh, *index);
        *index = fresh;
        Ok(())
    };
    for Draft { record, .. } in pools.iter_mut().filter(|pool| left.contains(&pool.record.index)) {
        if !leads_to(arrays, record.index, &table(&role.hash_seed, record)?) {
            part(&mut record.index)?;
        }
    }
    // Their tables are those of pools, and which one shows only when they are switched.
    for binding in bindings.iter_mut().filter(|binding| left.contains(&binding.index)) {
        part(&mut binding.index)?;
    }
    Ok(())
}

/// The VIPs that a configuration asks for.
#[derive(Debug, Default)]
pub struct Vips {
    /// In its order.
    pub records: Vec<VipRecord>,
    /// Indexes among them that are new.
    pub new: BTreeSet<u32>,
    /// Some of the new indexes are still those of VIPs that go.
    pub reuses: bool,
}

/// The VIPs that `config` asks for. The table has no room for old and new ones, so new ones may take the indexes of
/// those that go.
///
/// # Errors
///
/// More than the table holds, which validation excludes.
pub fn vips(config: &Config, reach: &Reach, capacity: u32) -> Result<Vips> {
    let mut indexes = Indexes::new(capacity, reach.vips.values().copied());
    let mut vips = Vips::default();
    for vip in &config.services.vips {
        let index = if let Some(index) = reach.vips.get(&vip.address) {
            *index
        } else {
            let mut free = indexes.take();
            if free.is_err() && !vips.reuses {
                give_back_stale(&mut indexes, config, reach);
                vips.reuses = true;
                free = indexes.take();
            }
            let index = free.context("VIPs (limits.vips)")?;
            vips.new.insert(index);
            index
        };
        vips.records.push(vip_record(vip, index));
    }
    Ok(vips)
}

/// What the inventory says of a VIP.
pub fn vip_record(vip: &Vip, index: u32) -> VipRecord {
    VipRecord {
        index,
        name: vip.name.clone(),
        address: vip.address,
        listeners: vip.listeners.iter().map(ToString::to_string).collect(),
        hash: vip.pool.is_some().then_some(vip.hash),
        pool: vip.pool.clone(),
        fallback_pools: vip.fallback_pools.clone(),
        policy: vip.binding().policy,
    }
}

fn give_back_stale(indexes: &mut Indexes, config: &Config, reach: &Reach) {
    let wanted: BTreeSet<_> = config.services.vips.iter().map(|vip| vip.address).collect();
    for (_, index) in reach.vips.iter().filter(|(address, _)| !wanted.contains(address)) {
        indexes.give_back(*index);
    }
}

/// The entry of a backend without its way.
pub fn entry(source: IpNet, backend: &Backend) -> Result<BackendEntry> {
    let source = Source { first: source.network(), varying_bits: source.max_prefix_len() - source.prefix_len() };
    let template = outer::template(source, backend.address, backend.encap)?;
    Ok(BackendEntry {
        outer: template.outer,
        checksum_base: template.checksum_base,
        encap: template.encap,
        family: template.family,
        source_mask: template.source_mask,
        ..BackendEntry::default()
    })
}

/// The outer source toward a backend, which is the one of its family, and its entry.
pub(super) fn toward(role: &PopRole, backend: &Backend) -> Result<(IpNet, BackendEntry)> {
    let source = match backend.address {
        IpAddr::V4(_) => role.tunnel_source_ipv4.map(IpNet::V4),
        IpAddr::V6(_) => role.tunnel_source_ipv6.map(IpNet::V6),
    };
    // Validation made sure that there is one.
    let source = source.with_context(|| format!("no tunnel source for {}", backend.address))?;
    Ok((source, entry(source, backend)?))
}
