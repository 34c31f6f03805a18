//! Tables without a kernel, for tests of the logic that changes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
};

use anycast_common::map::{MapValue, ReturnKey, ReturnPath, TransitionKey};
use anyhow::Result;

use super::{Arrays, Dataplane, capacity::capacities};
use crate::{
    dataplane::{array::Array, keyed::KeyedMaps},
    desired::{Limits, TUNNEL_ADDRESSES_MAX},
};

/// Entries of `GRE_KEY_LIST`: a path has five bits for one.
const GRE_KEY_LIST_LEN: u32 = 32;

/// Tables without a kernel, of the same capacities.
#[derive(Debug)]
pub struct Memory {
    pub(super) arrays: Arrays,
    pub(super) keyed: KeyedMaps,
    /// What `insert_vip` and `remove_vip` leave.
    pub vips: BTreeMap<IpAddr, u32>,
    /// What `set_device` leaves.
    pub devices: BTreeMap<u32, u32>,
    /// Flows that began in a transition, and the backends that they began on.
    pub flows: BTreeMap<TransitionKey, u32>,
    /// Clients of VIPs, and the ways that they came: cells.
    pub paths: BTreeMap<ReturnKey, u64>,
    /// VIP indexes whose counters were zeroed.
    pub reset_vips: BTreeSet<u32>,
    /// Backend indexes whose counters were zeroed.
    pub reset_backends: BTreeSet<u32>,
    /// Grace periods waited for.
    pub grace_periods: u32,
    #[cfg(test)]
    pub(super) journal: Option<super::journal::Journal>,
}

impl Memory {
    /// Empty tables for these limits.
    ///
    /// # Errors
    ///
    /// No memory.
    pub fn new(limits: &Limits) -> io::Result<Self> {
        let capacities: BTreeMap<_, _> = capacities(limits).into_iter().collect();
        Ok(Self {
            arrays: Arrays {
                vips: array(&capacities, "VIPS")?,
                pools: array(&capacities, "POOLS")?,
                old_pools: array(&capacities, "OLD_POOLS")?,
                slots: array(&capacities, "SLOTS")?,
                backends: array(&capacities, "BACKENDS")?,
                groups: array(&capacities, "GROUPS")?,
                next_hops: array(&capacities, "NEXT_HOPS")?,
                links: array(&capacities, "LINKS")?,
                listener_sets: array(&capacities, "LISTENER_SETS")?,
                port_tables: array(&capacities, "PORT_TABLES")?,
                port_pages: array(&capacities, "PORT_PAGES")?,
                gateway: array(&capacities, "GATEWAY")?,
                host: Array::in_memory(1)?,
                tunnel_addresses: Array::in_memory(TUNNEL_ADDRESSES_MAX + 1)?,
                gre_key_list: Array::in_memory(GRE_KEY_LIST_LEN)?,
            },
            keyed: KeyedMaps::in_memory(),
            vips: BTreeMap::new(),
            devices: BTreeMap::new(),
            flows: BTreeMap::new(),
            paths: BTreeMap::new(),
            reset_vips: BTreeSet::new(),
            reset_backends: BTreeSet::new(),
            grace_periods: 0,
            #[cfg(test)]
            journal: None,
        })
    }
}

fn array<T: MapValue>(capacities: &BTreeMap<&str, u32>, name: &str) -> io::Result<Array<T>> {
    Array::in_memory(capacities.get(name).copied().unwrap_or_default())
}

impl Dataplane for Memory {
    fn arrays(&mut self) -> &mut Arrays {
        &mut self.arrays
    }

    fn keyed(&mut self) -> &mut KeyedMaps {
        &mut self.keyed
    }

    fn vip_keys(&self) -> Result<BTreeMap<IpAddr, u32>> {
        Ok(self.vips.clone())
    }

    fn insert_vip(&mut self, address: IpAddr, index: u32) -> Result<()> {
        self.vips.insert(address, index);
        #[cfg(test)]
        self.record(super::journal::Event::Insert(address, index));
        Ok(())
    }

    fn remove_vip(&mut self, address: IpAddr) -> Result<()> {
        self.vips.remove(&address);
        #[cfg(test)]
        self.record(super::journal::Event::Remove(address));
        Ok(())
    }

    fn settle_vips(&mut self) -> Result<()> {
        Ok(())
    }

    fn reset_vip_counters(&mut self, indexes: &BTreeSet<u32>) -> Result<()> {
        self.reset_vips.extend(indexes);
        Ok(())
    }

    fn reset_backend_counter(&mut self, index: u32) -> Result<()> {
        self.reset_backends.insert(index);
        Ok(())
    }

    fn forget_flows(&mut self, is_stale: &dyn Fn(&TransitionKey, u32) -> bool) -> Result<()> {
        self.flows.retain(|key, backend_index| !is_stale(key, *backend_index));
        Ok(())
    }

    fn forget_paths(&mut self, is_stale: &dyn Fn(&ReturnKey, ReturnPath) -> bool) -> Result<bool> {
        let before = self.paths.len();
        self.paths.retain(|key, path| !is_stale(key, ReturnPath::from_cell(*path)));
        #[cfg(test)]
        self.record(super::journal::Event::Paths(self.paths.clone()));
        Ok(self.paths.len() < before)
    }

    fn set_device(&mut self, index: u32, ifindex: u32) -> Result<()> {
        self.devices.insert(index, ifindex);
        #[cfg(test)]
        self.record(super::journal::Event::Device(index, ifindex));
        Ok(())
    }

    fn wait_for_readers(&mut self) -> Result<()> {
        self.grace_periods += 1;
        #[cfg(test)]
        self.record(super::journal::Event::Grace);
        Ok(())
    }
}
