//! The tables of an instance, behind one trait: the kernel's, and a copy in memory that tests of the logic run on.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
};

use anycast_common::map::{
    BackendEntry, Counter, DriverLossKey, GroupEntry, LinkEntry, ListenerSet, MapValue, PortPage, PortTable, VipDropKey,
    VipEntry, v4_mapped,
};
use anyhow::{Context as _, Result};
use aya::{
    Pod,
    maps::{HashMap, LpmTrie, MapData, PerCpuArray, PerCpuHashMap, PerCpuValues, lpm_trie::Key, xdp::DevMap},
};
use ipnet::IpNet;

use super::{array::Array, grace};

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
}

/// What `apply` and `ways` change.
pub trait Dataplane {
    /// The arrays.
    fn arrays(&mut self) -> &mut Arrays;
    /// Every VIP key and its index.
    fn vip_keys(&self) -> Result<BTreeMap<IpAddr, u32>>;
    /// Makes packets for `address` find the entry at `index`.
    fn insert_vip(&mut self, address: IpAddr, index: u32) -> Result<()>;
    /// Makes packets for `address` find nothing.
    fn remove_vip(&mut self, address: IpAddr) -> Result<()>;
    /// Zeroes the counters of a VIP index that is about to be used.
    fn reset_vip_counters(&mut self, index: u32) -> Result<()>;
    /// Zeroes the counter of a backend index that is about to be used.
    fn reset_backend_counter(&mut self, index: u32) -> Result<()>;
    /// Lets link `index` redirect to a device.
    fn set_device(&mut self, index: u32, ifindex: u32) -> Result<()>;
    /// Replaces the gateway's tunnel addresses and allow-list.
    fn set_gateway(&mut self, tunnels: &[IpAddr], sources: &[IpNet]) -> Result<()>;
    /// Returns when every program that ran before has ended.
    fn wait_for_readers(&mut self) -> Result<()>;
}

/// The 16-byte form of an address.
pub fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => v4_mapped(address.octets()),
        IpAddr::V6(address) => address.octets(),
    }
}

/// The key of a prefix in the allow-list: v4 prefixes are v4-mapped.
fn source_key(prefix: IpNet) -> Key<[u8; 16]> {
    let shift = if prefix.addr().is_ipv4() { 96 } else { 0 };
    Key::new(prefix.prefix_len() as u32 + shift, mapped(prefix.network()))
}

/// The kernel's tables.
pub struct Kernel {
    arrays: Arrays,
    vip4: HashMap<MapData, [u8; 4], u32>,
    vip6: HashMap<MapData, [u8; 16], u32>,
    devices: DevMap<MapData>,
    tunnels: HashMap<MapData, [u8; 16], u32>,
    sources: LpmTrie<MapData, [u8; 16], u32>,
    /// Counters, read by the inspector.
    pub counters: Counters,
}

/// The counter maps.
pub struct Counters {
    /// `VIP_COUNTERS`: four classes a VIP.
    pub vips: PerCpuArray<MapData, [Raw<Counter>; 4]>,
    /// `VIP_DROPS`.
    pub vip_drops: PerCpuHashMap<MapData, Raw<VipDropKey>, Raw<Counter>>,
    /// `BACKEND_COUNTERS`.
    pub backends: PerCpuArray<MapData, Raw<Counter>>,
    /// `OUTCOMES`.
    pub outcomes: PerCpuArray<MapData, Raw<Counter>>,
    /// `DRIVER_LOSSES`.
    pub losses: PerCpuHashMap<MapData, Raw<DriverLossKey>, u64>,
    /// `PROGRAM_IDS`.
    pub program_ids: HashMap<MapData, u32, u32>,
}

/// Names of the maps that are pinned.
pub const MAPS: [&str; 21] = [
    "VIP4",
    "VIP6",
    "VIPS",
    "POOLS",
    "SLOTS",
    "BACKENDS",
    "GROUPS",
    "NEXT_HOPS",
    "LINKS",
    "DEVICES",
    "LISTENER_SETS",
    "PORT_TABLES",
    "PORT_PAGES",
    "TUNNELS",
    "SOURCES",
    "VIP_COUNTERS",
    "VIP_DROPS",
    "BACKEND_COUNTERS",
    "OUTCOMES",
    "DRIVER_LOSSES",
    "PROGRAM_IDS",
];

impl Kernel {
    /// Opens every map with `open`, which is given its name.
    pub fn open(open: impl Fn(&str) -> Result<MapData>) -> Result<Self> {
        fn array<T: MapValue>(open: &impl Fn(&str) -> Result<MapData>, name: &str) -> Result<Array<T>> {
            let map = open(name)?;
            let len = map.info()?.max_entries();
            Array::map(map.fd(), len).with_context(|| format!("cannot map {name} into memory"))
        }
        macro_rules! typed {
            ($kind:ident, $name:literal) => {
                aya::maps::Map::from_map_data(open($name)?)
                    .and_then(|map| $kind::try_from(map))
                    .with_context(|| concat!("map ", $name))?
            };
        }
        Ok(Self {
            arrays: Arrays {
                vips: array(&open, "VIPS")?,
                pools: array(&open, "POOLS")?,
                slots: array(&open, "SLOTS")?,
                backends: array(&open, "BACKENDS")?,
                groups: array(&open, "GROUPS")?,
                next_hops: array(&open, "NEXT_HOPS")?,
                links: array(&open, "LINKS")?,
                listener_sets: array(&open, "LISTENER_SETS")?,
                port_tables: array(&open, "PORT_TABLES")?,
                port_pages: array(&open, "PORT_PAGES")?,
            },
            vip4: typed!(HashMap, "VIP4"),
            vip6: typed!(HashMap, "VIP6"),
            devices: typed!(DevMap, "DEVICES"),
            tunnels: typed!(HashMap, "TUNNELS"),
            sources: typed!(LpmTrie, "SOURCES"),
            counters: Counters {
                vips: typed!(PerCpuArray, "VIP_COUNTERS"),
                vip_drops: typed!(PerCpuHashMap, "VIP_DROPS"),
                backends: typed!(PerCpuArray, "BACKEND_COUNTERS"),
                outcomes: typed!(PerCpuArray, "OUTCOMES"),
                losses: typed!(PerCpuHashMap, "DRIVER_LOSSES"),
                program_ids: typed!(HashMap, "PROGRAM_IDS"),
            },
        })
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

    fn vip_keys(&self) -> Result<BTreeMap<IpAddr, u32>> {
        let v4 = self.vip4.iter().map(|entry| entry.map(|(key, index)| (IpAddr::from(key), index)));
        let v6 = self.vip6.iter().map(|entry| entry.map(|(key, index)| (IpAddr::from(key), index)));
        v4.chain(v6).collect::<Result<_, _>>().context("cannot read the VIP keys")
    }

    fn insert_vip(&mut self, address: IpAddr, index: u32) -> Result<()> {
        match address {
            IpAddr::V4(address) => self.vip4.insert(address.octets(), index, 0),
            IpAddr::V6(address) => self.vip6.insert(address.octets(), index, 0),
        }
        .with_context(|| format!("cannot insert VIP {address}"))
    }

    fn remove_vip(&mut self, address: IpAddr) -> Result<()> {
        match address {
            IpAddr::V4(address) => self.vip4.remove(&address.octets()),
            IpAddr::V6(address) => self.vip6.remove(&address.octets()),
        }
        .with_context(|| format!("cannot remove VIP {address}"))
    }

    fn reset_vip_counters(&mut self, index: u32) -> Result<()> {
        let cpus = aya::util::nr_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))?;
        let zero = [Raw(Counter::default()); 4];
        self.counters.vips.set(index, PerCpuValues::try_from(vec![zero; cpus])?, 0)?;
        let keys: Vec<_> = self.counters.vip_drops.keys().filter_map(Result::ok).collect();
        for key in keys.into_iter().filter(|key| key.0.vip_index == index) {
            self.counters.vip_drops.remove(&key)?;
        }
        Ok(())
    }

    fn reset_backend_counter(&mut self, index: u32) -> Result<()> {
        let cpus = aya::util::nr_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))?;
        let zero = Raw(Counter::default());
        Ok(self.counters.backends.set(index, PerCpuValues::try_from(vec![zero; cpus])?, 0)?)
    }

    fn set_device(&mut self, index: u32, ifindex: u32) -> Result<()> {
        self.devices
            .set(index, ifindex, None, 0)
            .with_context(|| format!("interface {ifindex} cannot take redirected frames"))
    }

    fn set_gateway(&mut self, tunnels: &[IpAddr], sources: &[IpNet]) -> Result<()> {
        let wanted: BTreeSet<_> = tunnels.iter().copied().map(mapped).collect();
        for key in &wanted {
            self.tunnels.insert(key, 1, 0).context("cannot insert a tunnel address")?;
        }
        let stale: Vec<_> = self.tunnels.keys().filter_map(Result::ok).filter(|key| !wanted.contains(key)).collect();
        for key in stale {
            self.tunnels.remove(&key)?;
        }
        let wanted: BTreeSet<_> =
            sources.iter().map(|prefix| (source_key(*prefix).prefix_len(), source_key(*prefix).data())).collect();
        for source in sources {
            self.sources.insert(&source_key(*source), 1, 0).context("cannot insert an allowed source")?;
        }
        let stale: Vec<_> = self
            .sources
            .keys()
            .filter_map(Result::ok)
            .filter(|key| !wanted.contains(&(key.prefix_len(), key.data())))
            .collect();
        for key in stale {
            self.sources.remove(&key)?;
        }
        Ok(())
    }

    fn wait_for_readers(&mut self) -> Result<()> {
        grace::wait().context("cannot wait for a grace period")
    }
}

/// Tables without a kernel, for tests of the logic that changes them.
#[derive(Debug)]
pub struct Memory {
    arrays: Arrays,
    /// What `insert_vip` and `remove_vip` leave.
    pub vips: BTreeMap<IpAddr, u32>,
    /// What `set_device` leaves.
    pub devices: BTreeMap<u32, u32>,
    /// Grace periods waited for.
    pub grace_periods: u32,
}

impl Memory {
    /// With room for `len` entries in every table.
    pub fn new(len: u32) -> io::Result<Self> {
        Ok(Self {
            arrays: Arrays {
                vips: Array::in_memory(len)?,
                pools: Array::in_memory(len)?,
                slots: Array::in_memory(len)?,
                backends: Array::in_memory(len)?,
                groups: Array::in_memory(len)?,
                next_hops: Array::in_memory(len)?,
                links: Array::in_memory(len)?,
                listener_sets: Array::in_memory(len)?,
                port_tables: Array::in_memory(len)?,
                port_pages: Array::in_memory(len)?,
            },
            vips: BTreeMap::new(),
            devices: BTreeMap::new(),
            grace_periods: 0,
        })
    }
}

impl Dataplane for Memory {
    fn arrays(&mut self) -> &mut Arrays {
        &mut self.arrays
    }

    fn vip_keys(&self) -> Result<BTreeMap<IpAddr, u32>> {
        Ok(self.vips.clone())
    }

    fn insert_vip(&mut self, address: IpAddr, index: u32) -> Result<()> {
        self.vips.insert(address, index);
        Ok(())
    }

    fn remove_vip(&mut self, address: IpAddr) -> Result<()> {
        self.vips.remove(&address);
        Ok(())
    }

    fn reset_vip_counters(&mut self, _index: u32) -> Result<()> {
        Ok(())
    }

    fn reset_backend_counter(&mut self, _index: u32) -> Result<()> {
        Ok(())
    }

    fn set_device(&mut self, index: u32, ifindex: u32) -> Result<()> {
        self.devices.insert(index, ifindex);
        Ok(())
    }

    fn set_gateway(&mut self, _tunnels: &[IpAddr], _sources: &[IpNet]) -> Result<()> {
        Ok(())
    }

    fn wait_for_readers(&mut self) -> Result<()> {
        self.grace_periods += 1;
        Ok(())
    }
}
