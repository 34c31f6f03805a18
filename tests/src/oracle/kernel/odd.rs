//! What the production code would not write, or only after seeing a network: ways to backends, and the oddities that
//! tables show while they change. Written straight into the arrays, by the layouts of `anycast_common::map`.

use std::{mem::offset_of, net::IpAddr};

use anycast_common::{
    flow::{FlowKey, Transport, hash_v4, hash_v6},
    map::{
        BackendEntry, BackendRoute, GroupEntry, IN_TRANSITION, LinkEntry, NextHop, PoolDescriptor, TransitionKey,
        WHOLE_TABLE,
    },
};
use anycast_xdp::dataplane::{
    inventory::Inventory,
    tables::{Arrays, Dataplane as _},
};
use anyhow::Result;

use super::instance::Instance;
use crate::oracle::tables::{self, Begun, GatewayTables, Link, PopTables, Route};

/// Positions in the model's tables begin at 0, indexes at 1.
fn index(position: usize) -> u32 {
    position as u32 + 1
}

/// Links, next hops, a group of its own for each backend with a route, and which links lead to clients.
pub(super) fn write_pop_ways(instance: &mut Instance, tables: &PopTables) -> Result<()> {
    let backends = tables.pools.iter().zip(&instance.backends);
    let backends = backends.flat_map(|(pool, indexes)| pool.backends.iter().zip(indexes));
    let routes: Vec<_> = backends.map(|(backend, index)| (*index, backend.route)).collect();
    write_ways(instance, &tables.links, &tables.next_hops, &routes)?;
    let links = tables.returns.links.iter().map(|position| (tables.links[*position].ifindex, index(*position)));
    instance.loaded.kernel.keyed().public_links.replace(&links.collect())
}

/// The same toward PoP hosts.
pub(super) fn write_gateway_ways(instance: &mut Instance, tables: &GatewayTables) -> Result<()> {
    let returns = &tables.returns;
    let routes: Vec<_> = instance.peers.iter().copied().zip(returns.routes.iter().copied()).collect();
    write_ways(instance, &returns.links, &returns.next_hops, &routes)
}

fn write_ways(
    instance: &mut Instance,
    links: &[Link],
    next_hops: &[tables::NextHop],
    routes: &[(u32, Option<Route>)],
) -> Result<()> {
    let kernel = &mut instance.loaded.kernel;
    for (position, link) in links.iter().enumerate() {
        let vlan_tci = link.vlan_tci.unwrap_or(0).to_be_bytes();
        kernel.arrays().links.write(index(position), LinkEntry { ifindex: link.ifindex, mac: link.mac, vlan_tci });
        if link.in_device_map {
            kernel.set_device(index(position), link.ifindex)?;
        }
    }
    let arrays = kernel.arrays();
    for (position, next_hop) in next_hops.iter().enumerate() {
        let cell = next_hop.mac.map_or(0, |mac| NextHop { mac, link_index: index(next_hop.link) as u16 }.to_cell());
        arrays.next_hops.store_cell(index(position), 0, cell);
    }
    let routes = routes.iter().filter_map(|(index, route)| Some((*index, (*route)?)));
    for (group_index, (backend_index, route)) in (1..).zip(routes.filter(|(index, _)| *index != 0)) {
        arrays.groups.write(group_index, group(&route));
        let cell = BackendRoute { group_index, mtu_bytes: route.mtu_bytes }.to_cell();
        arrays.backends.store_cell(backend_index, offset_of!(BackendEntry, route), cell);
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
            write_slots(arrays, record.offset, &pool.slots, &[], backends);
        }
    }
}

fn write_slots(arrays: &mut Arrays, offset: u32, slots: &[Option<usize>], marks: &[bool], backends: &[u32]) {
    let marked = |at: usize| if marks.get(at) == Some(&true) { IN_TRANSITION } else { 0 };
    let slot = |at: usize| {
        let backend_index = slots.get(at).copied().flatten().map_or(0, |position| backends[position]);
        u64::from(backend_index | marked(at))
    };
    for pair in 0..slots.len().div_ceil(2) {
        arrays.slots.write(offset / 2 + pair as u32, slot(pair * 2) | slot(pair * 2 + 1) << 32);
    }
}

/// Marks, old tables and remembered flows. Old tables lie behind all others.
pub(super) fn write_transitions(instance: &mut Instance, tables: &PopTables, inventory: &Inventory) {
    let mut end = inventory.pools.iter().map(|pool| pool.offset + pool.size).max().unwrap_or(0).next_multiple_of(2);
    let arrays = instance.loaded.kernel.arrays();
    for ((pool, record), backends) in tables.pools.iter().zip(&inventory.pools).zip(&instance.backends) {
        let Some(transition) = pool.transition.as_ref().filter(|_| !pool.slots.is_empty()) else { continue };
        write_slots(arrays, record.offset, &pool.slots, &transition.marks, backends);
        write_slots(arrays, end, &transition.old, &[], backends);
        let old = PoolDescriptor { offset: end, size: transition.old.len() as u32, flags: 0 };
        arrays.old_pools.store_cell(record.index, 0, old.to_cell());
        let flags = if transition.is_whole { WHOLE_TABLE } else { 0 };
        let new = PoolDescriptor { offset: record.offset, size: record.size, flags };
        arrays.pools.store_cell(record.index, 0, new.to_cell());
        end = (end + old.size).next_multiple_of(2);
        for begun in &transition.begun {
            let key =
                TransitionKey { flow_hash: flow_hash(&tables.seed, begun), pool_index: record.index, reserved: 0 };
            instance.begun.insert(key, backends[begun.backend]);
        }
    }
}

fn flow_hash(seed: &[u8; 16], begun: &Begun) -> u64 {
    let ([a, b], [c, d]) = (begun.ports.0.to_be_bytes(), begun.ports.1.to_be_bytes());
    let transport = Transport { ports: [a, b, c, d], protocol: 6 };
    let key = FlowKey::from_seed(seed);
    let words = |address: std::net::Ipv6Addr| {
        let octets = address.octets();
        std::array::from_fn(|word| std::array::from_fn(|byte| octets[word * 4 + byte]))
    };
    match (begun.source, begun.vip) {
        (IpAddr::V4(source), IpAddr::V4(vip)) => hash_v4(&key, source.octets(), vip.octets(), transport),
        (IpAddr::V6(source), IpAddr::V6(vip)) => hash_v6(&key, words(source), words(vip), transport),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => unreachable!("a flow has one family"),
    }
}
