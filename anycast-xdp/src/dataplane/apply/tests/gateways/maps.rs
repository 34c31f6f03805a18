//! What the maps of a gateway hold.

use std::collections::BTreeSet;

use anycast_common::map::ReturnPath;

use super::configs::{address, prefix};
use crate::dataplane::{
    apply::tests::lookup::follow_way,
    keyed::SourceKey,
    tables::{Dataplane as _, Memory, journal::Table, tunnel_key_of},
};

/// Every entry that a program may read because of a key or a path.
pub fn reachable(memory: &mut Memory) -> BTreeSet<(Table, u32)> {
    let paths: Vec<_> = memory.paths.values().map(|cell| ReturnPath::from_cell(*cell)).collect();
    let keyed = memory.keyed();
    let tunnels = keyed.tunnels.entries().expect("memory").into_values();
    let tunnels: BTreeSet<_> = tunnels.chain(paths.iter().map(|path| path.tunnel_index.into())).collect();
    let keys = keyed.gre_keys.entries().expect("memory").into_values();
    let keys: BTreeSet<_> = keys.chain(paths.iter().map(|path| path.key_index.into())).collect();
    let peers = keyed.sources.entries().expect("memory").into_values();
    let peers: BTreeSet<_> = peers.chain(paths.iter().map(|path| path.peer_index)).collect();
    let mut found = BTreeSet::new();
    let arrays = memory.arrays();
    for index in peers.into_iter().filter(|index| *index != 0) {
        found.insert((Table::Backends, index));
        follow_way(arrays, index, &mut found);
    }
    found.extend(tunnels.into_iter().map(|index| (Table::TunnelAddresses, index)));
    found.extend(keys.into_iter().filter(|index| *index != 0).map(|index| (Table::GreKeyList, index)));
    found
}

/// The index of a source's host; none: not allowed.
pub fn peer(memory: &mut Memory, source: &str) -> Option<u32> {
    let source = prefix(source);
    let bits = if source.addr().is_ipv4() { 128 } else { 32 };
    let key = tunnel_key_of(source.network());
    let entries = memory.keyed().sources.entries().expect("memory");
    let of = |(at, index): (&SourceKey, &u32)| {
        (at.key == key && at.bits == bits + u32::from(source.prefix_len())).then_some(*index)
    };
    entries.iter().find_map(of)
}

/// The index of a tunnel address.
pub fn tunnel(memory: &mut Memory, at: &str) -> Option<u32> {
    let key = tunnel_key_of(address(at));
    memory.keyed().tunnels.entries().expect("memory").get(&key).copied()
}

/// The index of a GRE key.
pub fn gre_key(memory: &mut Memory, key: u32) -> Option<u32> {
    memory.keyed().gre_keys.entries().expect("memory").get(&key.to_be_bytes()).copied()
}
