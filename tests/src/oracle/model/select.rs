//! Steps 5 to 7 of the PoP program: does the VIP take it, which backend, which next hop?

use std::net::{IpAddr, Ipv6Addr};

use anycast_common::{
    flow::{FlowKey, Transport, hash_v4, hash_v6},
    outcome::Outcome,
};

use super::{
    super::tables::{Link, PICKS, PopTables, Route, Vip},
    flow::{Flow, has_ports},
};

/// Step 5.
pub(super) fn is_taken(vip: &Vip, flow: &Flow) -> bool {
    vip.listeners.is_empty()
        || vip.listeners.iter().filter(|listener| listener.protocol == flow.protocol).any(|listener| {
            match (listener.ports, flow.ports) {
                (None, _) => true,
                (Some((first, last)), Some((_, vip_port))) => (first..=last).contains(&vip_port),
                (Some(_), None) => has_ports(flow.protocol),
            }
        })
}

/// What is hashed, by whether the VIP has listeners.
pub(super) fn flow_hash(seed: &[u8; 16], vip: &Vip, flow: &Flow) -> u64 {
    let mut transport = Transport::default();
    if !vip.listeners.is_empty() {
        transport.protocol = flow.protocol;
        if let Some((source, destination)) = flow.ports {
            let ([a, b], [c, d]) = (source.to_be_bytes(), destination.to_be_bytes());
            transport.ports = [a, b, c, d];
        }
    }
    let key = FlowKey::from_seed(seed);
    match (flow.source, vip.address) {
        (IpAddr::V4(source), IpAddr::V4(vip)) => hash_v4(&key, source.octets(), vip.octets(), transport),
        (IpAddr::V6(source), IpAddr::V6(vip)) => hash_v6(&key, words(source), words(vip), transport),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            unreachable!("a flow has the family of its VIP")
        }
    }
}

fn words(address: Ipv6Addr) -> [[u8; 4]; 4] {
    let octets = address.octets();
    std::array::from_fn(|word| std::array::from_fn(|byte| octets[word * 4 + byte]))
}

/// Step 6: positions of pool and backend.
pub(super) fn backend(tables: &PopTables, vip: &Vip, flow_hash: u64) -> Result<(usize, usize), Outcome> {
    let pool_position = vip.pool.ok_or(Outcome::NoPool)?;
    let pool = &tables.pools[pool_position];
    if pool.slots.is_empty() {
        return Err(Outcome::EmptyPool);
    }
    let slot = ((flow_hash >> 32) * pool.slots.len() as u64) >> 32;
    let backend_position = pool.slots[slot as usize].ok_or(Outcome::NoBackend)?;
    Ok((pool_position, backend_position))
}

/// Step 7: the neighbour's address and the link that it is on.
pub(super) fn next_hop<'a>(
    tables: &'a PopTables,
    route: Option<&Route>,
    flow_hash: u64,
) -> Result<([u8; 6], &'a Link), Outcome> {
    let pick = flow_hash as usize % PICKS;
    let next_hop = route.and_then(|route| route.picks[pick]).ok_or(Outcome::NextHopUnresolved)?;
    let next_hop = tables.next_hops[next_hop];
    let mac = next_hop.mac.ok_or(Outcome::NextHopUnresolved)?;
    Ok((mac, &tables.links[next_hop.link]))
}
