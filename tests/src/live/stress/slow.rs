//! The program's chain of reads, in this process and with pauses between its steps that no processor would make: what a
//! missing grace period breaks once in a billion packets breaks here at once.

use std::{net::IpAddr, thread::sleep, time::Duration};

use anycast_common::map::{BackendRoute, GroupEntry, NextHop, PoolDescriptor, PoolRef, backend_of, v4_mapped};
use anycast_xdp::dataplane::{
    loader::Loaded,
    tables::{Dataplane as _, Kernel},
};
use anyhow::Result;

use super::{
    check::Seen,
    state::{INTERFACES, vip_address},
};

/// Handles of its own on the tables of a loaded object.
pub struct Reader {
    kernel: Kernel,
    random: fastrand::Rng,
}

impl Reader {
    /// On the maps of `loaded`.
    pub fn new(loaded: &Loaded, seed: u64) -> Result<Self> {
        Ok(Self { kernel: loaded.second_kernel()?, random: fastrand::Rng::with_seed(seed) })
    }

    /// Now and then much longer than a writer takes from one table to the next.
    fn pause(&mut self) {
        match self.random.u8(..8) {
            0 => sleep(Duration::from_micros(self.random.u64(..3000))),
            1..3 => sleep(Duration::from_micros(self.random.u64(..200))),
            _ => {}
        }
    }
}

/// Where a packet of VIP `n` would go; `None`: nowhere.
///
/// # Errors
///
/// The look-up of the VIP.
pub fn read(reader: &mut Reader, n: u8, is_large: bool) -> Result<Option<Seen>> {
    let address = vip_address(n);
    let Some(index) = reader.kernel.vip_keys()?.get(&address).copied() else { return Ok(None) };
    Ok(way(reader, n, is_large, address, index))
}

/// The program's stages from `classify` on.
fn way(reader: &mut Reader, n: u8, is_large: bool, address: IpAddr, index: u32) -> Option<Seen> {
    let hash = reader.random.u64(..);
    reader.pause();
    let vip = reader.kernel.read().vips.get(index);
    if vip.address != mapped(address) {
        return None;
    }
    reader.pause();
    let descriptor = PoolDescriptor::from_cell(reader.kernel.read().pools.get(PoolRef::from_cell(vip.pool).pool_index));
    if descriptor.size == 0 {
        return None;
    }
    reader.pause();
    let slot = descriptor.slot(hash);
    let backend_index = backend_of(reader.kernel.read().slots.get(slot / 2), slot);
    reader.pause();
    let backend = reader.kernel.read().backends.get(backend_index);
    if backend.family == 0 {
        return None;
    }
    reader.pause();
    let route = BackendRoute::from_cell(reader.kernel.read().backends.get(backend_index).route);
    reader.pause();
    let picks = reader.kernel.read().groups.get(route.group_index).picks;
    reader.pause();
    let member = reader.kernel.read().groups.get(route.group_index).members[GroupEntry::position(picks, hash)];
    reader.pause();
    let next_hop = NextHop::from_cell(reader.kernel.read().next_hops.get(member.into()));
    if next_hop.link_index == 0 {
        return None;
    }
    reader.pause();
    let link = reader.kernel.read().links.get(next_hop.link_index.into());
    // The templates are read as they stand: the last words of an outer header are its addresses.
    let (source, destination) = addresses(&backend.outer, backend.family)?;
    let outer_bytes = if backend.family == 4 { 20 } else { 40 };
    if is_large && 320 + outer_bytes > usize::from(route.mtu_bytes) {
        return None;
    }
    let vlan_id = u16::from_be_bytes(link.vlan_tci);
    Some(Seen {
        n,
        is_large,
        source,
        destination,
        destination_mac: next_hop.mac,
        source_mac: link.mac,
        vlan_id: (vlan_id != 0).then_some(vlan_id),
        is_transmitted: link.ifindex == INTERFACES[0],
    })
}

fn addresses(outer: &[u8], family: u8) -> Option<(IpAddr, IpAddr)> {
    if family == 4 {
        let at = |from: usize| Some(IpAddr::from(<[u8; 4]>::try_from(&outer[from..from + 4]).ok()?));
        return Some((at(12)?, at(16)?));
    }
    let at = |from: usize| Some(IpAddr::from(<[u8; 16]>::try_from(&outer[from..from + 16]).ok()?));
    Some((at(8)?, at(24)?))
}

fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => v4_mapped(address.octets()),
        IpAddr::V6(address) => address.octets(),
    }
}
