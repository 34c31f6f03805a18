//! The counter maps: the programs add, each CPU to a value of its own; userspace reads, and zeroes what is used anew.

use std::collections::BTreeSet;

use anycast_common::map::{Counter, DriverLossKey, VIP_COUNTERS_LEN, VipDropKey};
use anyhow::Result;
use aya::{
    Pod,
    maps::{HashMap, MapData, PerCpuArray, PerCpuHashMap, PerCpuValues},
};

use super::{super::generations::Base, Raw, kernel::typed};

/// The counter maps.
pub struct Counters {
    /// `VIP_COUNTERS`: four classes a VIP.
    pub vips: PerCpuArray<MapData, [Raw<Counter>; VIP_COUNTERS_LEN]>,
    /// `RETURN_COUNTERS`: answers of a VIP on their way back.
    pub returns: PerCpuArray<MapData, Raw<Counter>>,
    /// `VIP_DROPS`, those of answers too.
    pub vip_drops: PerCpuHashMap<MapData, Raw<VipDropKey>, Raw<Counter>>,
    /// `BACKEND_COUNTERS`.
    pub backends: PerCpuArray<MapData, Raw<Counter>>,
    /// `OUTCOMES`.
    pub outcomes: PerCpuArray<MapData, Raw<Counter>>,
    /// `PROBES`, and the answers to them.
    pub probes: PerCpuArray<MapData, Raw<Counter>>,
    /// `DRIVER_LOSSES`.
    pub losses: PerCpuHashMap<MapData, Raw<DriverLossKey>, u64>,
    /// `PROGRAM_IDS`.
    pub program_ids: HashMap<MapData, u32, u32>,
    /// What the generation took over from those before it; none: whoever opened the maps does not change them.
    pub base: Option<Base>,
}

impl Counters {
    /// Opens every counter map with `open`, which is given its name.
    ///
    /// # Errors
    ///
    /// The first that cannot be opened.
    pub fn open(open: &impl Fn(&str) -> Result<MapData>) -> Result<Self> {
        Ok(Self {
            vips: typed(open, "VIP_COUNTERS")?,
            returns: typed(open, "RETURN_COUNTERS")?,
            vip_drops: typed(open, "VIP_DROPS")?,
            backends: typed(open, "BACKEND_COUNTERS")?,
            outcomes: typed(open, "OUTCOMES")?,
            probes: typed(open, "PROBES")?,
            losses: typed(open, "DRIVER_LOSSES")?,
            program_ids: typed(open, "PROGRAM_IDS")?,
            base: None,
        })
    }

    /// Zeroes the counters of these VIP indexes.
    pub(in super::super) fn reset_vips(&mut self, indexes: &BTreeSet<u32>) -> Result<()> {
        self.base.as_mut().map_or(Ok(()), |base| base.reset_vips(indexes))?;
        for index in indexes {
            self.vips.set(*index, on_every_cpu([Raw(Counter::default()); VIP_COUNTERS_LEN])?, 0)?;
            self.returns.set(*index, on_every_cpu(Raw(Counter::default()))?, 0)?;
        }
        let stale =
            self.vip_drops.keys().filter(|key| key.as_ref().is_ok_and(|key| indexes.contains(&key.0.vip_index)));
        for key in stale.collect::<Result<Vec<_>, _>>()? {
            self.vip_drops.remove(&key)?;
        }
        Ok(())
    }

    /// Zeroes the counter of a backend index.
    pub(in super::super) fn reset_backend(&mut self, index: u32) -> Result<()> {
        self.base.as_mut().map_or(Ok(()), |base| base.reset_backend(index))?;
        Ok(self.backends.set(index, on_every_cpu(Raw(Counter::default()))?, 0)?)
    }
}

/// The same value for each possible CPU.
///
/// # Errors
///
/// The number of CPUs cannot be read.
pub fn on_every_cpu<T: Pod>(value: T) -> Result<PerCpuValues<T>> {
    let cpus = aya::util::nr_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))?;
    Ok(PerCpuValues::try_from(vec![value; cpus])?)
}
