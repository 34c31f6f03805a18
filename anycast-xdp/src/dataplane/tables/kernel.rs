//! The tables as the kernel has them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use anycast_common::map::{MapValue, ReturnKey, ReturnPath, ReturnValue, TransitionKey, return_check};
use anyhow::{Context as _, Result};
use aya::maps::{HashMap, Map, MapData, MapError, xdp::DevMap};

use super::{
    super::{array::Array, grace, keyed::KeyedMaps},
    Arrays, Counters, Dataplane, Raw, batch,
    vip_hints::VipHints,
};

/// The kernel's tables.
pub struct Kernel {
    pub(super) arrays: Arrays,
    vip4: HashMap<MapData, [u8; 4], u32>,
    vip6: HashMap<MapData, [u8; 16], u32>,
    /// The same two, to read in batches.
    vip_maps: [MapData; 2],
    pub(super) vip_hints: VipHints,
    transitions: HashMap<MapData, Raw<TransitionKey>, u32>,
    transitions_max: u32,
    /// One for each variant of the programs, with the same entries.
    pub(super) devices: [DevMap<MapData>; 2],
    pub(super) keyed: KeyedMaps,
    return_paths: HashMap<MapData, Raw<ReturnKey>, Raw<ReturnValue>>,
    return_paths_max: u32,
    /// Counters, read by the inspector.
    pub counters: Counters,
    /// VIP keys and devices that were written, while somebody looks for what others write.
    pub(super) written: Option<Written>,
}

/// See [`Kernel::watch`].
#[derive(Debug)]
pub(super) struct Written {
    pub(super) vips: BTreeMap<IpAddr, u32>,
    pub(super) devices: BTreeMap<u32, u32>,
}

/// Opens a map and maps it into memory.
fn array<T: MapValue>(open: &impl Fn(&str) -> Result<MapData>, name: &str) -> Result<Array<T>> {
    let map = open(name)?;
    let len = map.info()?.max_entries();
    Array::map(map.fd(), len).with_context(|| format!("cannot map {name} into memory"))
}

/// Opens a map as one of aya's kinds.
///
/// # Errors
///
/// It cannot be opened, or is of another kind.
pub fn typed<T: TryFrom<Map, Error = MapError>>(open: &impl Fn(&str) -> Result<MapData>, name: &str) -> Result<T> {
    Map::from_map_data(open(name)?).and_then(T::try_from).with_context(|| format!("map {name}"))
}

impl Kernel {
    /// Opens every map with `open`, which is given its name.
    ///
    /// # Errors
    ///
    /// The first that cannot be opened, or is of another kind.
    pub fn open(open: impl Fn(&str) -> Result<MapData>) -> Result<Self> {
        let transitions = open("TRANSITIONS")?;
        let transitions_max = transitions.info()?.max_entries();
        let return_paths = open("RETURN_PATHS")?;
        let return_paths_max = return_paths.info()?.max_entries();
        Ok(Self {
            arrays: Arrays {
                vips: array(&open, "VIPS")?,
                pools: array(&open, "POOLS")?,
                old_pools: array(&open, "OLD_POOLS")?,
                slots: array(&open, "SLOTS")?,
                backends: array(&open, "BACKENDS")?,
                groups: array(&open, "GROUPS")?,
                next_hops: array(&open, "NEXT_HOPS")?,
                links: array(&open, "LINKS")?,
                listener_sets: array(&open, "LISTENER_SETS")?,
                port_tables: array(&open, "PORT_TABLES")?,
                port_pages: array(&open, "PORT_PAGES")?,
                gateway: array(&open, "GATEWAY")?,
                host: array(&open, "HOST")?,
                tunnel_addresses: array(&open, "TUNNEL_ADDRESSES")?,
                gre_key_list: array(&open, "GRE_KEY_LIST")?,
            },
            vip4: typed(&open, "VIP4")?,
            vip6: typed(&open, "VIP6")?,
            vip_maps: [open("VIP4")?, open("VIP6")?],
            vip_hints: VipHints(array(&open, "VIP_HINTS")?),
            transitions: Map::from_map_data(transitions).and_then(TryFrom::try_from).context("map TRANSITIONS")?,
            transitions_max,
            devices: [typed(&open, "DEVICES")?, typed(&open, "DEVICES_FRAGS")?],
            keyed: KeyedMaps::open(&open)?,
            return_paths: Map::from_map_data(return_paths).and_then(TryFrom::try_from).context("map RETURN_PATHS")?,
            return_paths_max,
            counters: Counters::open(&open)?,
            written: None,
        })
    }

    /// Remembers a flow as the program does.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn remember_flow(&mut self, key: TransitionKey, backend_index: u32) -> Result<()> {
        self.transitions.insert(Raw(key), backend_index, 0).context("cannot remember a flow")
    }

    /// Remembers the way of a client as the program does.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn remember_path(&mut self, key: ReturnKey, path: ReturnPath) -> Result<()> {
        let value = ReturnValue { check: 0, path: path.to_cell() };
        self.return_paths.insert(Raw(key), Raw(value), 0).context("cannot remember the way of a client")
    }

    /// Takes over the way of a client from another generation, where there is none or `before`.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn take_path(&mut self, key: ReturnKey, path: u64, before: Option<u64>) -> Result<()> {
        match self.return_paths.get(&Raw(key), 0) {
            Ok(Raw(value)) if before != Some(value.path) => return Ok(()),
            Ok(_) | Err(MapError::KeyNotFound) => {}
            Err(error) => return Err(error).context("cannot read RETURN_PATHS"),
        }
        let [high, low] = *key.client.as_chunks::<8>().0 else { return Ok(()) };
        let check = return_check([u64::from_ne_bytes(high), u64::from_ne_bytes(low)], key.vip_index);
        let value = ReturnValue { check, path };
        self.return_paths.insert(Raw(key), Raw(value), 0).context("cannot take over the way of a client")
    }

    /// Flows remembered that began in a transition, and how many there may be.
    ///
    /// # Errors
    ///
    /// The table cannot be read.
    pub fn transitions(&self) -> Result<(u32, u32)> {
        let mut used = 0;
        // A key that goes while it is looked at sends the walk back to the beginning.
        for key in self.transitions.keys().take(self.transitions_max as usize) {
            key.context("cannot read TRANSITIONS")?;
            used += 1;
        }
        Ok((used, self.transitions_max))
    }

    /// The arrays, to look at.
    pub fn read(&self) -> &Arrays {
        &self.arrays
    }
}

impl Dataplane for Kernel {
    fn arrays(&mut self) -> &mut Arrays {
        &mut self.arrays
    }

    fn keyed(&mut self) -> &mut KeyedMaps {
        &mut self.keyed
    }

    fn vip_keys(&self) -> Result<BTreeMap<IpAddr, u32>> {
        let v4 = batch::entries::<[u8; 4], u32>(&self.vip_maps[0]).context("cannot read VIP4")?;
        let v6 = batch::entries::<[u8; 16], u32>(&self.vip_maps[1]).context("cannot read VIP6")?;
        let v4 = v4.into_iter().map(|(key, index)| (IpAddr::from(key), index));
        Ok(v4.chain(v6.into_iter().map(|(key, index)| (IpAddr::from(key), index))).collect())
    }

    fn insert_vip(&mut self, address: IpAddr, index: u32) -> Result<()> {
        let Self { vip4, vip6, vip_hints, .. } = self;
        vip_hints.insert(address, index, || {
            match address {
                IpAddr::V4(address) => vip4.insert(address.octets(), index, 0),
                IpAddr::V6(address) => vip6.insert(address.octets(), index, 0),
            }
            .with_context(|| format!("cannot insert VIP {address}"))
        })?;
        if let Some(written) = &mut self.written {
            written.vips.insert(address, index);
        }
        Ok(())
    }

    fn remove_vip(&mut self, address: IpAddr) -> Result<()> {
        let Self { vip4, vip6, vip_hints, .. } = self;
        let index = match address {
            IpAddr::V4(address) => vip4.get(&address.octets(), 0),
            IpAddr::V6(address) => vip6.get(&address.octets(), 0),
        };
        let index = index.with_context(|| format!("cannot find VIP {address}"))?;
        vip_hints.remove(address, index, || {
            match address {
                IpAddr::V4(address) => vip4.remove(&address.octets()),
                IpAddr::V6(address) => vip6.remove(&address.octets()),
            }
            .with_context(|| format!("cannot remove VIP {address}"))
        })?;
        if let Some(written) = &mut self.written {
            written.vips.remove(&address);
        }
        Ok(())
    }

    fn settle_vips(&mut self) -> Result<()> {
        let keys = self.vip_keys()?;
        self.vip_hints.settle(keys.into_iter());
        Ok(())
    }

    fn reset_vip_counters(&mut self, indexes: &BTreeSet<u32>) -> Result<()> {
        self.counters.reset_vips(indexes)
    }

    fn reset_backend_counter(&mut self, index: u32) -> Result<()> {
        self.counters.reset_backend(index)
    }

    fn forget_flows(&mut self, is_stale: &dyn Fn(&TransitionKey, u32) -> bool) -> Result<()> {
        // Each is looked at twice at most, see `transitions`.
        let entries = self.transitions.iter().take(self.transitions_max as usize * 2);
        let stale = entries.filter_map(|entry| match entry {
            Ok((key, backend_index)) => is_stale(&key.0, backend_index).then_some(Ok(key)),
            Err(MapError::KeyNotFound) => None,
            Err(error) => Some(Err(error)),
        });
        for key in stale.collect::<Result<Vec<_>, _>>().context("cannot read TRANSITIONS")? {
            match self.transitions.remove(&key) {
                // The kernel forgot it first.
                Err(MapError::KeyNotFound) => {}
                removed => removed.context("cannot forget a flow")?,
            }
        }
        Ok(())
    }

    fn forget_paths(&mut self, is_stale: &dyn Fn(&ReturnKey, ReturnPath) -> bool) -> Result<bool> {
        // As in `forget_flows`.
        let entries = self.return_paths.iter().take(self.return_paths_max as usize * 2);
        let stale = entries.filter_map(|entry| match entry {
            Ok((key, value)) => is_stale(&key.0, ReturnPath::from_cell(value.0.path)).then_some(Ok(key)),
            Err(MapError::KeyNotFound) => None,
            Err(error) => Some(Err(error)),
        });
        let stale = stale.collect::<Result<Vec<_>, _>>().context("cannot read RETURN_PATHS")?;
        for key in &stale {
            match self.return_paths.remove(key) {
                // The kernel forgot it first.
                Err(MapError::KeyNotFound) => {}
                removed => removed.context("cannot forget the way of a client")?,
            }
        }
        Ok(!stale.is_empty())
    }

    fn set_device(&mut self, index: u32, ifindex: u32) -> Result<()> {
        self.devices
            .iter_mut()
            .try_for_each(|devices| devices.set(index, ifindex, None, 0))
            .with_context(|| format!("interface {ifindex} cannot take redirected frames"))?;
        if let Some(written) = &mut self.written {
            written.devices.insert(index, ifindex);
        }
        Ok(())
    }

    fn wait_for_readers(&mut self) -> Result<()> {
        grace::wait().context("cannot wait for a grace period")
    }
}
