//! Reading the pinned state, daemon running or not.

use std::{collections::BTreeMap, net::IpAddr};

use anycast_common::{
    map::{BackendRoute, Counter, DriverLossKey, GROUP_PICKS, GroupEntry, NextHop, VipDropKey},
    outcome::{Class, Outcome},
};
use anyhow::{Context as _, Result, anyhow};
use aya::maps::PerCpuValues;

use super::{
    interfaces::{self, interface_index},
    inventory::Inventory,
    loader,
    losses::TRACEPOINTS,
    pins::Pins,
    tables::{Kernel, Raw},
};
use crate::view::{
    Attachment, BackendStats, BackendStatus, Count, InterfaceStats, NextHopStatus, Stats, Status, TableFill, VipRow,
    VipStats,
};

/// The pinned state of an instance.
pub struct Inspector {
    instance: String,
    pins: Pins,
    inventory: Inventory,
    kernel: Kernel,
}

impl Inspector {
    /// Opens it; `None`: nothing is pinned.
    ///
    /// # Errors
    ///
    /// Pins that cannot be opened: of another ABI, or without permission.
    pub fn open(instance: &str) -> Result<Option<Self>> {
        let pins = Pins::of(instance);
        if !pins.maps().exists() {
            return Ok(None);
        }
        let kernel = loader::open_pinned(&pins.maps())?;
        let inventory = match Inventory::read(pins.run()) {
            Ok(Some(inventory)) if inventory.fits(kernel.read()) => Ok(inventory),
            Ok(Some(_)) => Err(anyhow!("the inventory is not that of the pinned maps")),
            Ok(None) => Err(anyhow!("the inventory is missing")),
            Err(error) => Err(error),
        };
        let inventory =
            inventory.context("start the daemon again: it rebuilds the inventory, and forwarding goes on")?;
        Ok(Some(Self { instance: instance.to_owned(), pins, inventory, kernel }))
    }

    /// What is attached, how full the tables are, and where packets go.
    ///
    /// # Errors
    ///
    /// An interface that the kernel does not tell of.
    pub fn status(&self) -> Result<Status> {
        let attachments = self.inventory.interfaces.iter().map(|record| {
            let ifindex = interface_index(&record.name);
            let state = match ifindex {
                Some(index) => interfaces::xdp(index)?,
                None => None,
            };
            Ok(Attachment {
                interface: record.name.clone(),
                ifindex: ifindex.unwrap_or(0),
                program: record.program.clone(),
                program_id: state.map_or(0, |state| state.program_id),
                asked: record.asked.clone(),
                mode: state.map_or("detached", |state| state.mode).to_owned(),
            })
        });
        Ok(Status {
            instance: self.instance.clone(),
            role: self.inventory.role.clone(),
            pop: self.inventory.pop.clone(),
            host: self.inventory.host.clone(),
            abi_version: self.inventory.abi_version,
            daemon_pid: self.pins.daemon_pid(),
            attachments: attachments.collect::<Result<_>>()?,
            tables: self.tables(),
            backends: self.backends(),
        })
    }

    /// The VIPs.
    pub fn vips(&self) -> Result<Vec<VipRow>> {
        let row = |vip: &super::inventory::VipRecord| VipRow {
            name: vip.name.clone(),
            address: vip.address,
            listeners: vip.listeners.clone(),
            pool: vip.pool.clone(),
        };
        Ok(self.inventory.vips.iter().map(row).collect())
    }

    /// The counters.
    ///
    /// # Errors
    ///
    /// A map that cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        let drops = self.vip_drops()?;
        let vips = self.inventory.vips.iter().map(|vip| self.vip_stats(vip.index, &vip.name, vip.address, &drops));
        let backends = self.inventory.pools.iter().flat_map(|pool| {
            pool.backends.iter().map(|backend| {
                let counters = self.kernel.counters.backends.get(&backend.index, 0);
                let forwarded = Count(total(&counters.context("cannot read BACKEND_COUNTERS")?));
                Ok(BackendStats { pool: pool.name.clone(), address: backend.address, forwarded })
            })
        });
        let mut outcomes = BTreeMap::new();
        for outcome in Outcome::ALL {
            let counters = self.kernel.counters.outcomes.get(&(*outcome as u32), 0);
            let count = total(&counters.context("cannot read OUTCOMES")?);
            if count.packets != 0 {
                outcomes.insert(outcome.label().to_owned(), Count(count));
            }
        }
        let vips: Vec<_> = vips.collect::<Result<_>>()?;
        // Forwarded packets are counted by VIP only; the host's figure is their sum.
        let forwarded: Counter = vips.iter().map(|vip: &VipStats| vip.forwarded.0).sum();
        if forwarded.packets != 0 {
            let outcome = if self.inventory.role == "gateway" { Outcome::Decapsulated } else { Outcome::Forwarded };
            outcomes.insert(outcome.label().to_owned(), Count(forwarded));
        }
        Ok(Stats {
            instance: self.instance.clone(),
            vips,
            backends: backends.collect::<Result<_>>()?,
            outcomes,
            interfaces: self.interfaces()?,
        })
    }

    fn vip_stats(
        &self,
        index: u32,
        name: &str,
        address: IpAddr,
        drops: &BTreeMap<(u32, u32), Counter>,
    ) -> Result<VipStats> {
        let per_cpu = self.kernel.counters.vips.get(&index, 0).context("cannot read VIP_COUNTERS")?;
        let class = |class: Class| per_cpu.iter().map(|counters| counters[class as usize].0).sum::<Counter>();
        let of_vip = drops.range((index, 0)..=(index, u32::MAX));
        let reasons = of_vip.filter_map(|((_, outcome), count)| {
            Some((Outcome::from_number(*outcome)?.label().to_owned(), Count(*count)))
        });
        Ok(VipStats {
            name: name.to_owned(),
            address,
            received: Count(Class::ALL.into_iter().map(class).sum()),
            forwarded: Count(class(Class::Forwarded)),
            answered: Count(class(Class::Answered)),
            passed: Count(class(Class::Passed)),
            dropped: Count(class(Class::Dropped)),
            reasons: reasons.collect(),
        })
    }

    fn vip_drops(&self) -> Result<BTreeMap<(u32, u32), Counter>> {
        let mut drops = BTreeMap::new();
        for entry in &self.kernel.counters.vip_drops {
            let (Raw(VipDropKey { vip_index, outcome }), counters) = entry.context("cannot read VIP_DROPS")?;
            drops.insert((vip_index, outcome), total(&counters));
        }
        Ok(drops)
    }

    fn interfaces(&self) -> Result<Vec<InterfaceStats>> {
        let mut names: Vec<_> = self.inventory.interfaces.iter().map(|record| record.name.clone()).collect();
        names.sort();
        names
            .into_iter()
            .map(|interface| {
                let index = interface_index(&interface).unwrap_or(0);
                let mut xdp_losses = BTreeMap::new();
                for (_, _, kind, label) in TRACEPOINTS {
                    let key = Raw(DriverLossKey { ifindex: index, kind });
                    let counters = self.kernel.counters.losses.get(&key, 0);
                    xdp_losses.insert(label.to_owned(), counters.map_or(0, |counters| counters.iter().sum()));
                }
                let nic = if index == 0 { BTreeMap::new() } else { interfaces::losses(&interface, index)? };
                Ok(InterfaceStats { interface, xdp_losses, nic })
            })
            .collect()
    }

    fn tables(&self) -> Vec<TableFill> {
        let arrays = self.kernel.read();
        let fill = |name: &str, used: usize, len: u32| TableFill {
            name: name.to_owned(),
            used: used as u32,
            capacity: len.saturating_sub(1),
        };
        let slots: u32 = self.inventory.pools.iter().map(|pool| pool.size).sum();
        vec![
            fill("vips", arrays.vips.used().count(), arrays.vips.len()),
            fill("pools", arrays.pools.used().count(), arrays.pools.len()),
            TableFill { name: "slots".to_owned(), used: slots, capacity: (arrays.slots.len() - 1) * 2 },
            fill("backends", arrays.backends.used().count(), arrays.backends.len()),
            fill("groups", arrays.groups.used().count(), arrays.groups.len()),
            fill("next_hops", arrays.next_hops.used().count(), arrays.next_hops.len()),
            fill("links", arrays.links.used().count(), arrays.links.len()),
            fill("listener_sets", arrays.listener_sets.used().count(), arrays.listener_sets.len()),
        ]
    }

    fn backends(&self) -> Vec<BackendStatus> {
        let arrays = self.kernel.read();
        let mut rows = Vec::new();
        for pool in &self.inventory.pools {
            for backend in &pool.backends {
                let route = BackendRoute::from_cell(arrays.backends.get(backend.index).route);
                rows.push(BackendStatus {
                    pool: pool.name.clone(),
                    address: backend.address,
                    weight: backend.weight,
                    mtu_bytes: route.mtu_bytes,
                    next_hops: self.next_hops(&arrays.groups.get(route.group_index)),
                });
            }
        }
        rows
    }

    fn next_hops(&self, group: &GroupEntry) -> Vec<NextHopStatus> {
        let arrays = self.kernel.read();
        let mut shares = BTreeMap::<u16, u8>::new();
        for place in 0..GROUP_PICKS as u64 {
            let member = group.members[GroupEntry::position(group.picks, place)];
            if member != 0 {
                *shares.entry(member).or_default() += 1;
            }
        }
        shares
            .into_iter()
            .filter_map(|(member, sixteenths)| {
                let next_hop = NextHop::from_cell(arrays.next_hops.get(member as u32));
                let link = arrays.links.get(next_hop.link_index as u32);
                (next_hop.link_index != 0).then(|| NextHopStatus {
                    interface: interfaces::interface_name(link.ifindex).unwrap_or_else(|| link.ifindex.to_string()),
                    mac: next_hop.mac.map(|byte| format!("{byte:02x}")).join(":"),
                    sixteenths,
                })
            })
            .collect()
    }
}

/// The sum over all CPUs.
fn total(per_cpu: &PerCpuValues<Raw<Counter>>) -> Counter {
    per_cpu.iter().map(|counter| counter.0).sum()
}
