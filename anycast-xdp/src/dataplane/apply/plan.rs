//! The plan of a change: indexes for everything, found without touching anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use anyhow::Result;

use super::{
    super::{
        inventory::{BackendRecord, DownSet, Inventory, PoolRecord, VipRecord},
        tables::{Arrays, Dataplane},
    },
    number::{self, NewBackends},
    reach::{Reach, tunnel_address},
    slots::Tables,
};
use crate::desired::{Config, Role};

/// What is to be changed, and what was.
#[derive(Debug)]
pub struct Plan<'a> {
    pub(super) config: &'a Config,
    /// The inventory after the change.
    pub next: Inventory,
    /// Everything that the maps may refer to while the change is under way.
    pub during: Inventory,
    /// Tunnel address and index of every backend that packets may be sent to while the change is under way.
    pub during_backends: Vec<(IpAddr, u32)>,
    /// What packets find before it.
    pub(super) reach: Reach,
    pub(super) new_backends: NewBackends,
    pub(super) new_vips: BTreeSet<u32>,
    /// What pools and bindings take over, see [`number::Pools::origins`].
    pub(super) origins: BTreeMap<u32, u32>,
    /// Pools that had a dial of 0: that no flow is on them does not mean that flows have left them.
    pub(super) idle_pools: BTreeSet<String>,
    /// New VIPs take the indexes of VIPs that go.
    pub(super) reuses_vips: bool,
}

/// Plans the change from what `current` and the maps hold to what `config` asks for.
///
/// What was there keeps its index, and so its counters: VIPs by address, pools by name, backends by pool, address and
/// tunnel source. `current` is believed in names only, and as far as the maps bear it out. `down` are the backends whose probes
/// fail.
///
/// # Errors
///
/// A table without room for old and new side by side.
pub fn plan<'a, D: Dataplane>(
    dataplane: &mut D,
    current: &Inventory,
    config: &'a Config,
    down: &DownSet,
) -> Result<Plan<'a>> {
    let mut reach = Reach::of(dataplane)?;
    let mut pools = number::pools(config, current, down, &reach, dataplane.arrays());
    // What flows stay on counts, too, and is the first to go.
    if let Err(error) = &pools
        && dataplane.arrays().old_pools.used().next().is_some()
    {
        tracing::warn!("transitions end early, their flows move at once: {error:#}");
        Tables::new(dataplane, &config.local.limits)?.end_transitions()?;
        reach = Reach::of(dataplane)?;
        pools = number::pools(config, current, down, &reach, dataplane.arrays());
    }
    let number::Pools { records, bindings, new_backends, origins } = pools?;
    let arrays = dataplane.arrays();
    let vips = number::vips(config, &reach, arrays.vips.len())?;
    let next = Inventory { vips: vips.records, pools: records, bindings, ..header(config) };
    Ok(Plan {
        config,
        during: union(current, &next, &reach),
        during_backends: during_backends(&next, &reach, arrays),
        next,
        reach,
        new_backends,
        origins,
        idle_pools: idle_pools(current),
        new_vips: vips.new,
        reuses_vips: vips.reuses,
    })
}

fn idle_pools(current: &Inventory) -> BTreeSet<String> {
    current.pools.iter().filter(|pool| pool.dial_percent == 0).map(|pool| pool.name.clone()).collect()
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

/// All of `next`, and what packets can find of `current`.
fn union(current: &Inventory, next: &Inventory, reach: &Reach) -> Inventory {
    let mut all = next.clone();
    all.interfaces.clone_from(&current.interfaces);
    let known: BTreeSet<_> = next.vips.iter().map(|vip| vip.index).collect();
    let goes = |vip: &&VipRecord| reach.vips.get(&vip.address) == Some(&vip.index) && !known.contains(&vip.index);
    all.vips.extend(current.vips.iter().filter(goes).cloned());
    let by_index: BTreeMap<_, _> = all.pools.iter().enumerate().map(|(at, pool)| (pool.index, at)).collect();
    let backends = next.pools.iter().flat_map(|pool| &pool.backends).map(|backend| backend.index);
    let known: BTreeSet<_> = backends.collect();
    let lists = current.bindings.iter().filter(|binding| reach.pools.contains(&binding.index));
    let known_lists: BTreeSet<_> = next.bindings.iter().map(|binding| binding.index).collect();
    all.bindings.extend(lists.filter(|binding| !known_lists.contains(&binding.index)).cloned());
    // Bindings lead to tables of pools that no VIP is bound to alone.
    let is_found = |pool: &&PoolRecord| {
        reach.pools.contains(&pool.index) || pool.backends.iter().any(|backend| reach.backends.contains(&backend.index))
    };
    for pool in current.pools.iter().filter(is_found) {
        let goes =
            |backend: &&BackendRecord| reach.backends.contains(&backend.index) && !known.contains(&backend.index);
        let backends = pool.backends.iter().filter(goes).cloned();
        // A pool that nobody is bound to alone may have given its index away; its backends are none of the new owner's.
        match by_index.get(&pool.index).filter(|at| all.pools[**at].name == pool.name) {
            Some(at) => all.pools[*at].backends.extend(backends),
            None => all.pools.push(PoolRecord { backends: backends.collect(), ..pool.clone() }),
        }
    }
    all
}

/// Those of `next`, and those that packets find now, known by what their entries say.
pub fn during_backends(next: &Inventory, reach: &Reach, arrays: &Arrays) -> Vec<(IpAddr, u32)> {
    let own = next.backends().map(|(address, index)| (index, address));
    let found = reach.backends.iter().filter_map(|index| Some((*index, tunnel_address(&arrays.backends.get(*index))?)));
    let all: BTreeMap<_, _> = found.chain(own).collect();
    all.into_iter().map(|(index, address)| (address, index)).collect()
}
