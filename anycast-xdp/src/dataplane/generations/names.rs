//! What a generation's indexes are called: the part of an inventory that every build reads of every other's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::IpAddr,
    path::Path,
};

use anycast_common::dial::WHOLE_PERCENT;
use anyhow::Result;
use ipnet::IpNet;
use serde::Deserialize;

use super::super::inventory::{BackendRecord, BindingRecord, Inventory, PoolRecord};
use crate::desired::{BindingPolicy, State};

/// Names by index. Other fields of an inventory may change from build to build, and are not looked at.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Names {
    #[serde(default)]
    vips: Vec<Vip>,
    #[serde(default)]
    pools: Vec<Pool>,
    #[serde(default)]
    bindings: Vec<Binding>,
}

#[derive(Clone, Debug, Deserialize)]
struct Vip {
    index: u32,
    address: IpAddr,
}

#[derive(Clone, Debug, Deserialize)]
struct Pool {
    index: u32,
    name: String,
    #[serde(default)]
    backends: Vec<Backend>,
}

#[derive(Clone, Debug, Deserialize)]
struct Backend {
    index: u32,
    address: IpAddr,
    source: Option<IpNet>,
}

#[derive(Clone, Debug, Deserialize)]
struct Binding {
    pools: Vec<String>,
    #[serde(default)]
    policy: BindingPolicy,
    #[serde(default)]
    in_use: Vec<String>,
}

/// What a backend is known by: pool, tunnel address and source.
pub type BackendName<'a> = (&'a str, IpAddr, Option<IpNet>);

impl Names {
    /// Those in the state of a generation; without an inventory there are none.
    pub fn read(state: &Path) -> Self {
        match fs::read(Inventory::path(state)).map(|text| serde_json::from_slice(&text)) {
            Ok(Ok(names)) => names,
            found => {
                if let Ok(Err(error)) = found {
                    tracing::warn!("counters begin anew: the inventory of the last generation: {error}");
                }
                Self::default()
            }
        }
    }

    /// Those of an inventory.
    pub fn of(inventory: &Inventory) -> Result<Self> {
        Ok(serde_json::from_value(serde_json::to_value(inventory)?)?)
    }

    /// VIPs by index.
    pub fn vips(&self) -> BTreeMap<u32, IpAddr> {
        self.vips.iter().map(|vip| (vip.index, vip.address)).collect()
    }

    /// Backends by index.
    pub fn backends(&self) -> BTreeMap<u32, BackendName<'_>> {
        let backends = self.pools.iter().flat_map(|pool| {
            pool.backends.iter().map(|found| (found.index, (pool.name.as_str(), found.address, found.source)))
        });
        backends.collect()
    }

    /// An inventory that says no more than this. Each index has one name, so that a change can keep it; bindings have none.
    pub fn inventory(&self) -> Inventory {
        let mut given = BTreeSet::new();
        let pools = self.pools.iter().filter(|pool| given.insert(pool.index));
        let pools = pools.map(|pool| PoolRecord {
            dial_percent: WHOLE_PERCENT,
            index: pool.index,
            name: pool.name.clone(),
            home_region: String::new(),
            state: State::default(),
            offset: 0,
            size: 0,
            backends: pool
                .backends
                .iter()
                .map(|backend| BackendRecord {
                    is_down: false,
                    index: backend.index,
                    address: backend.address,
                    source: backend.source,
                    weight: 0,
                    encap: String::new(),
                    mtu_bytes: None,
                    state: State::default(),
                })
                .collect(),
        });
        let bindings = self.bindings.iter().map(|binding| BindingRecord {
            index: 0,
            pools: binding.pools.clone(),
            policy: binding.policy,
            in_use: binding.in_use.clone(),
        });
        Inventory { pools: pools.collect(), bindings: bindings.collect(), ..Inventory::default() }
    }
}
