//! What the production code would not write, or only after seeing a network: ways to backends, and the oddities that
//! tables show while they change. Written straight into the arrays, by the layouts of `anycast_common::map`.

use std::mem::offset_of;

use anycast_common::map::{BackendEntry, BackendRoute, GroupEntry, LinkEntry, NextHop, PoolDescriptor};
use anycast_xdp::dataplane::{
    inventory::Inventory,
    tables::{Arrays, Dataplane as _},
};
use anyhow::Result;

use super::instance::Instance;
use crate::oracle::tables::{PopTables, Route};

/// Positions in the model's tables begin at 0, indexes at 1.
fn index(position: usize) -> u32 {
    position as u32 + 1
}

/// Links, next hops, and a group of its own for each backend with a route.
pub(super) fn write_ways(instance: &mut Instance, tables: &PopTables) -> Result<()> {
    let kernel = &mut instance.loaded.kernel;
    for (position, link) in tables.links.iter().enumerate() {
        let vlan_tci = link.vlan_tci.unwrap_or(0).to_be_bytes();
        kernel.arrays().links.write(index(position), LinkEntry { ifindex: link.ifindex, mac: link.mac, vlan_tci });
        if link.in_device_map {
            kernel.set_device(index(position), link.ifindex)?;
        }
    }
    let arrays = kernel.arrays();
    for (position, next_hop) in tables.next_hops.iter().enumerate() {
        let cell = next_hop.mac.map_or(0, |mac| NextHop { mac, link_index: index(next_hop.link) as u16 }.to_cell());
        arrays.next_hops.store_cell(index(position), 0, cell);
    }
    let mut group_index = 0;
    for (pool, indexes) in tables.pools.iter().zip(&instance.backends) {
        for (backend, backend_index) in pool.backends.iter().zip(indexes) {
            let Some(route) = backend.route else { continue };
            group_index += 1;
            arrays.groups.write(group_index, group(&route));
            let cell = BackendRoute { group_index, mtu_bytes: route.mtu_bytes }.to_cell();
            arrays.backends.store_cell(*backend_index, offset_of!(BackendEntry, route), cell);
        }
    }
    Ok(())
}

fn group(route: &Route) -> GroupEntry {
    let mut entry = GroupEntry::default();
    let mut members: Vec<usize> = Vec::new();
    for (place, next_hop) in route.picks.iter().enumerate() {
        let Some(next_hop) = next_hop else { continue };
        let known = members.iter().position(|member| member == next_hop).unwrap_or_else(|| {
            members.push(*next_hop);
            members.len() - 1
        });
        entry.members[known + 1] = index(*next_hop) as u16;
        entry.picks |= (known as u64 + 1) << (place * 4);
    }
    entry
}

/// Stale entries, pools without a table, and tables with slots that are not those of all backends.
pub(super) fn write_oddities(instance: &mut Instance, tables: &PopTables, inventory: &Inventory) {
    let arrays = instance.loaded.kernel.arrays();
    for (vip, index) in tables.vips.iter().zip(&instance.vips) {
        if vip.stale {
            let mut entry = arrays.vips.get(*index);
            entry.address[15] ^= 1;
            arrays.vips.write(*index, entry);
        }
    }
    for ((pool, record), backends) in tables.pools.iter().zip(&inventory.pools).zip(&instance.backends) {
        if pool.slots.is_empty() {
            arrays.pools.store_cell(record.index, 0, PoolDescriptor::default().to_cell());
        } else if pool.is_odd {
            write_slots(arrays, record.offset, &pool.slots, backends);
        }
    }
}

fn write_slots(arrays: &mut Arrays, offset: u32, slots: &[Option<usize>], backends: &[u32]) {
    let backend_index = |slot: Option<usize>| slot.map_or(0, |position| u64::from(backends[position]));
    for (pair, slots) in slots.chunks(2).enumerate() {
        let second = slots.get(1).copied().flatten();
        arrays.slots.write(offset / 2 + pair as u32, backend_index(slots[0]) | backend_index(second) << 32);
    }
}
