//! The backends that are probed: those of pools with a check, each by a VIP that is bound to its pool.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use anyhow::{Context as _, Result};

use crate::{
    control::VipChange,
    dataplane::{
        interfaces::interface_index,
        inventory::{DownSet, Inventory},
        pins::Pins,
    },
    desired::{Config, Health, HealthFacts, Local, PublishFacts, Role, Vip},
    health::{Prober, Target, Watch},
    netlink::{forget_probes, lead_probes},
};

/// The prober, and what its targets are made of.
pub(super) struct Checks {
    prober: Prober,
    facts: HealthFacts,
    /// The interface that leads to the datapath; none: nothing is probed.
    interface: Option<String>,
    /// Pools with a check, by name.
    pools: BTreeMap<String, Checked>,
}

/// A pool with a check.
#[derive(Debug)]
struct Checked {
    health: Arc<Health>,
    /// Addresses of the VIPs that are bound to it, by name.
    vips: BTreeMap<String, IpAddr>,
}

impl Checked {
    /// The VIP that probes are sent to.
    fn vip(&self) -> Option<IpAddr> {
        match &self.health.vip {
            Some(name) => self.vips.get(name).copied(),
            None => self.vips.values().next().copied(),
        }
    }
}

impl Checks {
    /// Starts the prober, which knows at once what an earlier process found out.
    ///
    /// # Errors
    ///
    /// No thread.
    pub(super) fn start(pins: &Pins) -> Result<Self> {
        let prober = Prober::start(pins.run())?;
        Ok(Self { prober, facts: HealthFacts::default(), interface: None, pools: BTreeMap::new() })
    }

    /// Something to ask it with.
    pub(super) fn watch(&self) -> Watch {
        self.prober.watch()
    }

    /// Probes what this configuration says, which the inventory is of.
    pub(super) fn follow(&mut self, config: &Config, inventory: &Inventory) {
        self.take_facts(&config.local);
        self.pools = checked(config);
        self.probe(inventory);
    }

    /// The same where VIPs alone have changed.
    pub(super) fn follow_vips(&mut self, changes: &[VipChange], inventory: &Inventory) {
        let mut is_other = false;
        for VipChange { before, after } in changes {
            for (vip, is_bound) in [(before, false), (after, true)] {
                let Some(vip) = vip else { continue };
                for pool in vip.pools().collect::<BTreeSet<_>>() {
                    let Some(checked) = self.pools.get_mut(pool) else { continue };
                    let known = checked.vip();
                    if is_bound {
                        checked.vips.insert(vip.name.clone(), vip.address);
                    } else {
                        checked.vips.remove(&vip.name);
                    }
                    is_other |= checked.vip() != known;
                }
            }
        }
        if is_other {
            self.probe(inventory);
        }
    }

    /// Waits until [`Self::down`] has something new. Cancel-safe.
    pub(super) async fn changed(&mut self) {
        self.prober.changed().await;
    }

    /// The backends whose probes fail.
    pub(super) fn down(&mut self) -> DownSet {
        self.prober.down()
    }

    /// Sees to it that probes go by the interface that leads to the datapath, whatever is published. Others may have taken the route
    /// away, and the kernel does when the interface goes down.
    pub(super) fn keep_route(&self) {
        let Some(name) = &self.interface else { return };
        let kept = match interface_index(name) {
            Some(ifindex) => lead_probes(ifindex).context("the routing table of probes"),
            None => Err(anyhow::anyhow!("there is no interface `{name}`")),
        };
        if let Err(error) = kept {
            tracing::warn!("probes do not reach the datapath: {error:#}");
        }
    }

    fn take_facts(&mut self, local: &Local) {
        let (facts, interface) = match &local.role {
            Role::Pop(role) if role.health.source_ipv4.is_some() || role.health.source_ipv6.is_some() => {
                let interface = role.publish.as_ref().map_or(PublishFacts::INTERFACE, |publish| &publish.interface);
                (role.health, Some(interface.to_owned()))
            }
            Role::Pop(_) | Role::Gateway(_) => (HealthFacts::default(), None),
        };
        let had_route = self.interface.is_some();
        (self.facts, self.interface) = (facts, interface);
        if self.interface.is_some() {
            self.keep_route();
        } else if had_route && let Err(error) = forget_probes() {
            tracing::warn!("the routing rule of probes stays: {error}");
        }
    }

    fn probe(&self, inventory: &Inventory) {
        let targets = inventory.pools.iter().flat_map(|pool| {
            let checked = self.pools.get(&pool.name);
            let way = checked.and_then(|checked| Some((checked.vip()?, &checked.health)));
            way.into_iter().flat_map(move |(vip, health)| {
                pool.backends.iter().map(move |backend| Target {
                    pool: pool.name.clone(),
                    backend: backend.address,
                    backend_index: backend.index,
                    vip,
                    health: Arc::clone(health),
                })
            })
        });
        self.prober.follow(self.facts, targets.collect());
    }
}

/// The pools that have a check, and the VIPs that are bound to each.
fn checked(config: &Config) -> BTreeMap<String, Checked> {
    let pools = config.services.pools.iter().filter_map(|pool| {
        let health = Arc::clone(pool.health.as_ref()?);
        Some((pool.name.clone(), Checked { health, vips: BTreeMap::new() }))
    });
    let mut pools: BTreeMap<_, _> = pools.collect();
    if !pools.is_empty() {
        for vip in &config.services.vips {
            bind(&mut pools, vip);
        }
    }
    pools
}

fn bind(pools: &mut BTreeMap<String, Checked>, vip: &Vip) {
    for pool in vip.pools() {
        if let Some(checked) = pools.get_mut(pool) {
            checked.vips.insert(vip.name.clone(), vip.address);
        }
    }
}
