//! What is attached, how full the tables are, and where packets go.

use std::{collections::BTreeMap, time::Duration};

use anycast_common::map::{BackendRoute, GROUP_PICKS, GroupEntry, NextHop};
use anyhow::{Context as _, Result};

use super::{
    super::{
        apply::slots::lying,
        egress::{self, EgressProgram},
        icmp,
        interfaces::{self, interface_index},
        inventory::{BackendRecord, InterfaceRecord},
    },
    Inspector,
};
use crate::{
    desired::State,
    path_mtu::{Learnt, monotonic_now},
    view::{Attachment, BackendStatus, MtuSource, NextHopStatus, Status, TableFill},
};

/// What `status` calls the hook of XDP programs.
pub const XDP_HOOK: &str = "xdp";

impl Inspector {
    /// What is attached, how full the tables are, and where packets go.
    ///
    /// # Errors
    ///
    /// An interface that the kernel does not tell of, or a file of the daemon that is damaged.
    pub fn status(&self) -> Result<Status> {
        let mut attachments = Vec::new();
        for record in &self.inventory.interfaces {
            attachments.extend(xdp(record)?);
            attachments.extend(self.egress(record)?);
        }
        let learnt = Learnt::read(self.pins.run());
        let learnt = learnt.context("start the daemon again: it learns again, and forwarding goes on")?;
        Ok(Status {
            instance: self.instance.clone(),
            role: self.inventory.role.clone(),
            pop: self.inventory.pop.clone(),
            host: self.inventory.host.clone(),
            abi_version: self.inventory.abi_version,
            generation: self.generation.number,
            daemon_pid: self.pins.daemon_pid(),
            attachments,
            icmp: (self.inventory.role == "pop").then(|| icmp::current(&self.kernel.read().host.get(0))),
            tables: self.tables()?,
            bindings: self.bindings(),
            returns: self.ways_back(),
            backends: self.backends(&learnt, monotonic_now()?),
        })
    }

    /// What runs at the egress of an interface; none: nothing is to.
    fn egress(&self, record: &InterfaceRecord) -> Result<Option<Attachment>> {
        let Some(hook) = record.egress else { return Ok(None) };
        let programs = egress::programs(&record.name)?;
        let own = egress::own(&self.pins, &record.name, &programs);
        Ok(Some(Attachment {
            interface: record.name.clone(),
            ifindex: interface_index(&record.name).unwrap_or(0),
            hook: own.map_or(hook, EgressProgram::hook).label(),
            program: record.program_at_egress().to_owned(),
            program_id: own.map_or(0, |own| own.program_id),
            asked: None,
            mode: if own.is_some() { "attached" } else { "detached" }.to_owned(),
            frags: false,
        }))
    }

    fn tables(&self) -> Result<Vec<TableFill>> {
        let arrays = self.kernel.read();
        let fill = |name: &str, used: usize, len: u32| TableFill {
            name: name.to_owned(),
            used: used as u32,
            capacity: len.saturating_sub(1),
        };
        let slots: u32 = lying(arrays).values().sum();
        let (transitions, transitions_max) = self.kernel.transitions()?;
        Ok(vec![
            fill("vips", arrays.vips.used().count(), arrays.vips.len()),
            fill("pools", arrays.pools.used().count(), arrays.pools.len()),
            TableFill { name: "slots".to_owned(), used: slots, capacity: (arrays.slots.len() - 1) * 2 },
            fill("backends", arrays.backends.used().count(), arrays.backends.len()),
            fill("groups", arrays.groups.used().count(), arrays.groups.len()),
            fill("next_hops", arrays.next_hops.used().count(), arrays.next_hops.len()),
            fill("links", arrays.links.used().count(), arrays.links.len()),
            fill("listener_sets", arrays.listener_sets.used().count(), arrays.listener_sets.len()),
            TableFill { name: "transitions".to_owned(), used: transitions, capacity: transitions_max },
        ])
    }

    fn backends(&self, learnt: &Learnt, now: Duration) -> Vec<BackendStatus> {
        let arrays = self.kernel.read();
        let mut rows = Vec::new();
        for pool in &self.inventory.pools {
            for backend in &pool.backends {
                let route = BackendRoute::from_cell(arrays.backends.get(backend.index).route);
                let (mtu_source, left) = mtu_source(backend, route.mtu_bytes, learnt, now);
                rows.push(BackendStatus {
                    pool: pool.name.clone(),
                    address: backend.address,
                    weight: backend.weight,
                    encap: backend.encap.clone(),
                    state: if pool.state == State::Up { backend.state } else { pool.state },
                    is_down_by_health: backend.is_down,
                    mtu_bytes: route.mtu_bytes,
                    mtu_source,
                    mtu_left_secs: left.map(|left| left.as_secs()),
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

/// The XDP program of an interface; none: it is to have none.
fn xdp(record: &InterfaceRecord) -> Result<Option<Attachment>> {
    let Some(program) = record.program.clone() else { return Ok(None) };
    let ifindex = interface_index(&record.name);
    let state = match ifindex {
        Some(index) => interfaces::xdp(index)?,
        None => None,
    };
    Ok(Some(Attachment {
        interface: record.name.clone(),
        ifindex: ifindex.unwrap_or(0),
        hook: XDP_HOOK,
        program,
        program_id: state.map_or(0, |state| state.program_id),
        asked: Some(record.asked.clone()),
        mode: state.map_or("detached", |state| state.mode).to_owned(),
        frags: state.is_some() && record.frags,
    }))
}

/// Who says the MTU in force, and for how long if a router did: what the cell holds is looked for among all that is
/// known.
fn mtu_source(
    backend: &BackendRecord,
    mtu_bytes: u16,
    learnt: &Learnt,
    now: Duration,
) -> (Option<MtuSource>, Option<Duration>) {
    let learnt = learnt.of(backend.address).filter(|entry| entry.mtu_bytes == mtu_bytes);
    match learnt {
        _ if mtu_bytes == 0 => (None, None),
        _ if backend.mtu_bytes == Some(mtu_bytes) => (Some(MtuSource::Configured), None),
        Some(entry) => (Some(MtuSource::Learnt), Some(entry.left(now))),
        None => (Some(MtuSource::Route), None),
    }
}
