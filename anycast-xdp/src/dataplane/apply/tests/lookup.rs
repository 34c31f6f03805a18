//! What packets find, step by step as docs/datapath.md says, and what services say that they find.

use std::{collections::BTreeSet, net::IpAddr};

use anycast_common::{
    dial,
    flow::{FlowKey, Transport, hash_v4, hash_v6},
    header::protocol,
    listeners::takes,
    maglev::{self, Candidate},
    map::{
        BackendRoute, GROUP_PICKS, GroupEntry, HASH_ADDRESSES, HASH_FLOW, HASH_SOURCE, NextHop, PoolDescriptor,
        PoolRef, VipEntry, VipPolicy, backend_of, is_in_transition, slot_of,
    },
};

use super::{
    super::{
        super::tables::{Arrays, Dataplane as _, Memory, journal::Table, mapped},
        reach::tunnel_address,
    },
    instance::macs_toward,
    services::{SEED, vip_addresses},
};
use crate::desired::{Config, HashOn, Pool, State};

/// A packet for a VIP, or what would be one.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    pub client: u8,
    pub vip: IpAddr,
    pub protocol: u8,
    pub port: u16,
    /// Of a flow that was there before, and did not begin in a transition.
    pub is_old: bool,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    NotVip,
    NoListener,
    /// Of a VIP that is bound to no pool.
    Unbound,
    /// Toward this backend, by a next hop on its route.
    Sent(IpAddr),
    /// Everything that must never be.
    Lost(&'static str),
}

/// Packets that tell services apart.
pub fn packets() -> Vec<Packet> {
    let of_vip = |vip| {
        let new = Packet { client: 7, vip, protocol: protocol::TCP, port: 80, is_old: false };
        let tcp = (1..=6).flat_map(move |client| [true, false].map(|is_old| Packet { client, is_old, ..new }));
        let others = [(protocol::TCP, 1500), (protocol::TCP, 2001), (protocol::UDP, 53)];
        tcp.chain(others.map(|(protocol, port)| Packet { protocol, port, ..new }))
    };
    vip_addresses().into_iter().flat_map(of_vip).collect()
}

/// The entry that a VIP's key leads to, if it repeats the address.
pub fn entry(memory: &mut Memory, vip: IpAddr) -> Option<VipEntry> {
    let index = *memory.vips.get(&vip)?;
    Some(memory.arrays().vips.get(index)).filter(|entry| entry.address == mapped(vip))
}

/// What becomes of a packet.
pub fn fate(memory: &mut Memory, packet: Packet) -> Fate {
    let Some(entry) = entry(memory, packet.vip) else {
        return Fate::NotVip;
    };
    if !is_taken(memory.arrays(), entry.policy, packet) {
        return Fate::NoListener;
    }
    let fate = way(memory, entry, entry.policy, packet);
    if let Fate::Sent(gateway) = fate
        && !super::returners::may_answer(memory, &entry, gateway)
    {
        return Fate::Lost("no way back");
    }
    fate
}

/// Does the VIP of this policy take it?
pub fn is_taken(arrays: &Arrays, policy: u64, packet: Packet) -> bool {
    let policy = VipPolicy::from_cell(policy);
    if policy.listener_set == 0 {
        return true;
    }
    let set = arrays.listener_sets.get(policy.listener_set);
    let tables: Vec<_> = (0..arrays.port_tables.len()).map(|index| arrays.port_tables.get(index)).collect();
    let pages: Vec<_> = (0..arrays.port_pages.len()).map(|index| arrays.port_pages.get(index)).collect();
    takes(&set, &tables, &pages, packet.protocol, Some(packet.port))
}

/// Where a packet goes that is taken.
pub fn way(memory: &mut Memory, entry: VipEntry, policy: u64, packet: Packet) -> Fate {
    let arrays = memory.arrays();
    let flow_hash = flow_hash(packet, VipPolicy::from_cell(policy).hash_mode);
    let pool_index = PoolRef::from_cell(entry.pool).pool_index;
    if pool_index == 0 {
        return Fate::Unbound;
    }
    let pool = PoolDescriptor::from_cell(arrays.pools.get(pool_index));
    if pool.size == 0 {
        return Fate::Lost("empty pool");
    }
    let at = pool.slot(flow_hash);
    let slot = slot_of(arrays.slots.get(at / 2), at);
    let mut backend_index = backend_of(arrays.slots.get(at / 2), at);
    if packet.is_old && is_in_transition(slot, pool) {
        let old = PoolDescriptor::from_cell(arrays.old_pools.get(pool_index));
        let at = old.slot(flow_hash);
        let old_index = if old.size == 0 { 0 } else { backend_of(arrays.slots.get(at / 2), at) };
        if old_index != 0 {
            backend_index = old_index;
        }
    }
    let backend = arrays.backends.get(backend_index);
    let Some(address) = tunnel_address(&backend).filter(|_| backend_index != 0) else {
        return Fate::Lost("no backend");
    };
    let group = arrays.groups.get(BackendRoute::from_cell(backend.route).group_index);
    let member = group.members[GroupEntry::position(group.picks, flow_hash)];
    let next_hop = NextHop::from_cell(arrays.next_hops.get(member.into()));
    let link = arrays.links.get(next_hop.link_index.into());
    if !macs_toward(address).contains(&next_hop.mac) {
        return Fate::Lost("next hop of another route, or none");
    }
    if memory.devices.get(&next_hop.link_index.into()) != Some(&link.ifindex) || link.ifindex == 0 {
        return Fate::Lost("no egress");
    }
    Fate::Sent(address)
}

fn flow_hash(packet: Packet, mode: u8) -> u64 {
    let key = FlowKey::from_seed(&SEED);
    let port = packet.port.to_be_bytes();
    let transport = if mode == HASH_FLOW {
        Transport { ports: [9, packet.client, port[0], port[1]], protocol: packet.protocol }
    } else {
        Transport::default()
    };
    match packet.vip {
        IpAddr::V4(vip) => {
            let vip = if mode == HASH_SOURCE { [0; 4] } else { vip.octets() };
            hash_v4(&key, [198, 51, 100, packet.client], vip, transport)
        }
        IpAddr::V6(vip) => {
            let octets = if mode == HASH_SOURCE { [0; 16] } else { vip.octets() };
            let words = std::array::from_fn(|word| std::array::from_fn(|byte| octets[word * 4 + byte]));
            hash_v6(&key, [[0x20, 1, 0, packet.client]; 4], words, transport)
        }
    }
}

/// What services say may become of a packet of a new flow, without any tables. Where no pool is usable, history decides
/// which one is used.
pub fn wanted(config: &Config, packet: Packet) -> Vec<Fate> {
    let services = &config.services;
    let Some(vip) = services.vips.iter().find(|vip| vip.address == packet.vip) else {
        return vec![Fate::NotVip];
    };
    let taken = vip.listeners.iter().any(|listener| {
        let ports = listener.ports.unwrap_or((0, u16::MAX));
        listener.protocol == packet.protocol && (ports.0..=ports.1).contains(&packet.port)
    });
    if !taken && !vip.listeners.is_empty() {
        return vec![Fate::NoListener];
    }
    let mode = match vip.hash {
        HashOn::Flow => HASH_FLOW,
        HashOn::Source => HASH_SOURCE,
        HashOn::Addresses => HASH_ADDRESSES,
    };
    let hash = flow_hash(packet, mode);
    let list: Vec<_> =
        vip.pools().map(|name| services.pools.iter().find(|pool| pool.name == name).expect("a pool")).collect();
    if list.is_empty() {
        return vec![Fate::Unbound];
    }
    let usable: Vec<_> = list.iter().copied().filter(|pool| pool.state == State::Up).collect();
    let used = by_dial(&list, &usable, hash).map_or(list, |pool| vec![pool]);
    used.into_iter().map(|pool| within(pool, hash)).collect()
}

/// The first usable pool that takes the bucket of a flow, or the last one. All have tables of one size here.
fn by_dial<'a>(list: &[&Pool], usable: &[&'a Pool], hash: u64) -> Option<&'a Pool> {
    let (last, others) = usable.split_last()?;
    let size = maglev::table_size(list[0].backends.len());
    let bucket = PoolDescriptor { offset: 0, size, flags: 0 }.slot(hash) as usize;
    let takes = |pool: &&&Pool| dial::taken(&SEED, &pool.name, size, pool.dial_percent)[bucket];
    Some(others.iter().find(takes).unwrap_or(last))
}

fn within(pool: &Pool, hash: u64) -> Fate {
    let backends = pool.backends.iter();
    let candidates: Vec<_> =
        backends.map(|one| Candidate { address: mapped(one.address), weight: one.weight }).collect();
    let built = maglev::build(&SEED, &candidates).expect("a table");
    let takes_nothing: Vec<_> = pool.backends.iter().map(|backend| backend.state != State::Up).collect();
    let table = maglev::refill(&SEED, &candidates, &built, &takes_nothing).expect("a table");
    let slot = PoolDescriptor { offset: 0, size: table.len() as u32, flags: 0 }.slot(hash);
    Fate::Sent(pool.backends[table[slot as usize] as usize].address)
}

/// Every entry that a program may read: none of these may be written as a whole.
pub fn reachable(memory: &mut Memory) -> BTreeSet<(Table, u32)> {
    let vips: Vec<_> = memory.vips.iter().map(|(address, index)| (*address, *index)).collect();
    let mut found = super::gateways::maps::reachable(memory);
    let arrays = memory.arrays();
    for (address, index) in vips {
        let entry = arrays.vips.get(index);
        if entry.address != mapped(address) {
            continue;
        }
        found.insert((Table::Vips, index));
        let set = VipPolicy::from_cell(entry.policy).listener_set;
        if set != 0 {
            found.insert((Table::ListenerSets, set));
            for table in arrays.listener_sets.get(set).port_tables.into_iter().filter(|table| *table != 0) {
                found.insert((Table::PortTables, table));
                let pages = arrays.port_tables.get(table).pages;
                found.extend(pages.into_iter().filter(|page| *page != 0).map(|page| (Table::PortPages, page.into())));
            }
        }
        let pool_index = PoolRef::from_cell(entry.pool).pool_index;
        let pool = PoolDescriptor::from_cell(arrays.pools.get(pool_index));
        follow_table(arrays, pool, &mut found);
        let mut slots = pool.offset..pool.offset + pool.size;
        if slots.any(|at| is_in_transition(slot_of(arrays.slots.get(at / 2), at), pool)) {
            found.insert((Table::OldPools, pool_index));
            follow_table(arrays, PoolDescriptor::from_cell(arrays.old_pools.get(pool_index)), &mut found);
        }
    }
    found
}

fn follow_table(arrays: &Arrays, table: PoolDescriptor, found: &mut BTreeSet<(Table, u32)>) {
    for slot in table.offset..table.offset + table.size {
        found.insert((Table::Slots, slot / 2));
        let index = backend_of(arrays.slots.get(slot / 2), slot);
        if found.insert((Table::Backends, index)) {
            follow_way(arrays, index, found);
        }
    }
}

pub fn follow_way(arrays: &Arrays, backend_index: u32, found: &mut BTreeSet<(Table, u32)>) {
    let group_index = BackendRoute::from_cell(arrays.backends.get(backend_index).route).group_index;
    if group_index == 0 {
        return;
    }
    found.insert((Table::Groups, group_index));
    let group = arrays.groups.get(group_index);
    for place in 0..GROUP_PICKS as u64 {
        let member = group.members[GroupEntry::position(group.picks, place)].into();
        if member != 0 {
            found.insert((Table::NextHops, member));
            found.insert((Table::Links, NextHop::from_cell(arrays.next_hops.get(member)).link_index.into()));
        }
    }
}
