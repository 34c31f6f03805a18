//! The tables of an instance, behind one trait: the kernel's, and for tests of the logic those in memory, and those that
//! fail on schedule.

mod batch;
pub mod capacity;
mod counters;
mod drift;
#[cfg(test)]
pub mod faulty;
#[cfg(test)]
pub mod journal;
mod kernel;
mod memory;
mod vip_hints;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

pub use self::{
    counters::{Counters, on_every_cpu},
    drift::Drift,
    kernel::{Kernel, typed},
    memory::Memory,
};
use super::{array::Array, keyed::KeyedMaps};
use anycast_common::map::{
    BackendEntry, GroupEntry, HostEntry, LinkEntry, ListenerSet, MapValue, PortPage, PortTable, ReturnKey, ReturnPath,
    TransitionKey, TunnelKey, VipEntry, tunnel_key, v4_mapped,
};
use anyhow::Result;
use aya::Pod;

/// A map value as aya takes it.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Raw<T>(pub T);

// SAFETY: MapValue promises the same: no padding, every bit pattern valid.
unsafe impl<T: MapValue> Pod for Raw<T> {}

/// The array maps, mapped into memory.
#[derive(Debug)]
pub struct Arrays {
    /// `VIPS`.
    pub vips: Array<VipEntry>,
    /// `POOLS`: cells.
    pub pools: Array<u64>,
    /// `OLD_POOLS`: cells.
    pub old_pools: Array<u64>,
    /// `SLOTS`: pairs.
    pub slots: Array<u64>,
    /// `BACKENDS`.
    pub backends: Array<BackendEntry>,
    /// `GROUPS`.
    pub groups: Array<GroupEntry>,
    /// `NEXT_HOPS`: cells.
    pub next_hops: Array<u64>,
    /// `LINKS`.
    pub links: Array<LinkEntry>,
    /// `LISTENER_SETS`.
    pub listener_sets: Array<ListenerSet>,
    /// `PORT_TABLES`.
    pub port_tables: Array<PortTable>,
    /// `PORT_PAGES`.
    pub port_pages: Array<PortPage>,
    /// `GATEWAY`: a cell.
    pub gateway: Array<u64>,
    /// `HOST`.
    pub host: Array<HostEntry>,
    /// `TUNNEL_ADDRESSES`: v4-mapped.
    pub tunnel_addresses: Array<[u8; 16]>,
    /// `GRE_KEY_LIST`: each key in wire order in its first four bytes.
    pub gre_key_list: Array<u64>,
}

/// What `apply` and `ways` change.
pub trait Dataplane {
    /// The arrays.
    fn arrays(&mut self) -> &mut Arrays;
    /// The maps with keys.
    fn keyed(&mut self) -> &mut KeyedMaps;
    /// Every VIP key and its index.
    fn vip_keys(&self) -> Result<BTreeMap<IpAddr, u32>>;
    /// Makes packets for `address` find the entry at `index`.
    fn insert_vip(&mut self, address: IpAddr, index: u32) -> Result<()>;
    /// Makes packets for `address` find nothing.
    fn remove_vip(&mut self, address: IpAddr) -> Result<()>;
    /// Makes what stands in front of the VIP keys tell all that it can, after many changes.
    fn settle_vips(&mut self) -> Result<()>;
    /// Zeroes the counters of VIP indexes that are about to be used.
    fn reset_vip_counters(&mut self, indexes: &BTreeSet<u32>) -> Result<()>;
    /// Zeroes the counter of a backend index that is about to be used.
    fn reset_backend_counter(&mut self, index: u32) -> Result<()>;
    /// Forgets the flows that began in a transition for which this says so: of a key, and of the backend that it began on.
    fn forget_flows(&mut self, is_stale: &dyn Fn(&TransitionKey, u32) -> bool) -> Result<()>;
    /// Forgets the ways of clients for which this says so. `true`: there were some.
    fn forget_paths(&mut self, is_stale: &dyn Fn(&ReturnKey, ReturnPath) -> bool) -> Result<bool>;
    /// Lets link `index` redirect to a device.
    fn set_device(&mut self, index: u32, ifindex: u32) -> Result<()>;
    /// Returns when every program that ran before has ended: what nothing refers to may be written anew.
    fn wait_for_readers(&mut self) -> Result<()>;
}

/// The key of an address in the tables of tunnels.
pub fn tunnel_key_of(address: IpAddr) -> TunnelKey {
    tunnel_key(if address.is_ipv4() { 4 } else { 6 }, mapped(address))
}

/// The 16-byte form of an address.
pub fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => v4_mapped(address.octets()),
        IpAddr::V6(address) => address.octets(),
    }
}
