//! What an inventory has of each thing.

use std::{collections::BTreeSet, net::IpAddr};

use anycast_common::dial::WHOLE_PERCENT;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::super::{
    axp,
    egress::{self, EgressHook},
};
use crate::desired::{Binding, BindingPolicy, HashOn, State};

/// An attached interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceRecord {
    /// Kernel name.
    pub name: String,
    /// XDP program: `pop`, `backbone` or `gateway`, on `axp0` `probe` and `probe_answers`; none: packets only leave here.
    pub program: Option<String>,
    /// Asked mode: `auto`, `native` or `generic`.
    pub asked: String,
    /// The program is the variant that takes frames with fragments.
    #[serde(default)]
    pub frags: bool,
    /// How a program is attached to its egress; none: there is none.
    #[serde(default)]
    pub egress: Option<EgressHook>,
    /// That program, where it is not a gateway's for answers.
    #[serde(default)]
    pub egress_program: Option<String>,
}

impl InterfaceRecord {
    /// The program at its egress.
    pub fn program_at_egress(&self) -> &str {
        self.egress_program.as_deref().unwrap_or(egress::PROGRAM)
    }

    /// Is it a side of `axp0`, and no interface of the configuration?
    pub fn is_axp(&self) -> bool {
        self.program.as_deref().is_some_and(|program| [axp::PROBE, axp::PROBE_ANSWERS].contains(&program))
    }
}

/// What the object calls a program, or its variant that takes frames with fragments.
pub fn variant(program: &str, frags: bool) -> String {
    if frags { format!("{program}_frags") } else { program.to_owned() }
}

/// A VIP and its index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VipRecord {
    /// Index into `VIPS` and its counters.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Address.
    pub address: IpAddr,
    /// Listeners in the notation of the configuration.
    pub listeners: Vec<String>,
    /// What decides the backend of its packets.
    #[serde(default)]
    pub hash: Option<HashOn>,
    /// Pool name.
    pub pool: Option<String>,
    /// Names of its fall-backs.
    #[serde(default)]
    pub fallback_pools: Vec<String>,
    /// How it goes from one to another.
    #[serde(default)]
    pub policy: BindingPolicy,
}

/// A pool, its index, and its table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolRecord {
    /// Index into `POOLS`.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Home region.
    pub home_region: String,
    /// What it is there for.
    #[serde(default)]
    pub state: State,
    /// Its dial, 0 to 100.
    #[serde(default = "whole_percent")]
    pub dial_percent: u8,
    /// First slot.
    pub offset: u32,
    /// Number of slots; 0: no table yet.
    pub size: u32,
    /// Backends.
    pub backends: Vec<BackendRecord>,
}

const fn whole_percent() -> u8 {
    WHOLE_PERCENT
}

/// A distinct binding of a pool and its fall-backs, and its index. A pool alone has the pool's own index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingRecord {
    /// Index into `POOLS`.
    pub index: u32,
    /// Names of the pools, in order.
    pub pools: Vec<String>,
    /// How flows go from one to another.
    #[serde(default)]
    pub policy: BindingPolicy,
    /// Names of those that flows could go to by then: tables of another layout do not tell.
    #[serde(default)]
    pub in_use: Vec<String>,
}

/// A backend and its index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendRecord {
    /// Index into `BACKENDS` and its counters.
    pub index: u32,
    /// Tunnel address.
    pub address: IpAddr,
    /// Outer source toward it, a prefix.
    pub source: Option<IpNet>,
    /// Weight.
    pub weight: u16,
    /// Encap and its parameter, in words.
    pub encap: String,
    /// The configured MTU.
    pub mtu_bytes: Option<u16>,
    /// What it is there for.
    #[serde(default)]
    pub state: State,
    /// Its probes fail: it is in the down set.
    #[serde(default)]
    pub is_down: bool,
}

/// Backends whose probes fail: names of their pools, and tunnel addresses.
pub type DownSet = BTreeSet<(String, IpAddr)>;

impl VipRecord {
    /// What it shares with other VIPs.
    pub fn binding(&self) -> Binding {
        Binding::new(self.pool.iter().chain(&self.fallback_pools).cloned().collect(), self.policy)
    }
}

impl BindingRecord {
    /// What VIPs share that have this index.
    pub fn binding(&self) -> Binding {
        Binding::new(self.pools.clone(), self.policy)
    }
}

impl PoolRecord {
    /// What VIPs share that are bound to it alone.
    pub fn binding(&self) -> Binding {
        Binding::new(vec![self.name.clone()], BindingPolicy::default())
    }

    /// Takes its part of the down set. `true`: it is another one.
    pub fn set_down(&mut self, down: &DownSet) -> bool {
        let mut is_other = false;
        for backend in &mut self.backends {
            let is_down = down.contains(&(self.name.clone(), backend.address));
            is_other |= std::mem::replace(&mut backend.is_down, is_down) != is_down;
        }
        is_other
    }

    /// The backends that its configuration gives new flows.
    pub fn takers(&self) -> impl Iterator<Item = &BackendRecord> {
        self.backends.iter().filter(|backend| backend.state == State::Up && backend.weight > 0)
    }

    /// Is every backend that could take new flows in the down set? Its table is then as if none were: what is sent there may
    /// arrive, what has no table does not.
    pub fn is_all_down(&self) -> bool {
        self.takers().all(|backend| backend.is_down)
    }
}
