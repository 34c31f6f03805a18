//! Steps 5 to 7 of the PoP program: does the VIP take it, which backend, which next hop?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anycast_common::{
    flow::{FlowKey, Transport, hash_v4, hash_v6},
    outcome::Outcome,
};

use super::{
    super::tables::{Hash, Link, PICKS, PopTables, Route, Transition, Vip},
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

/// What is hashed, by the VIP's hash.
pub(super) fn flow_hash(seed: &[u8; 16], vip: &Vip, flow: &Flow) -> u64 {
    match vip.hash {
        Hash::Flow => hash(seed, flow.source, vip.address, flow.protocol, flow.ports),
        Hash::Addresses => hash(seed, flow.source, vip.address, 0, None),
        Hash::Source => {
            let nobody =
                if vip.address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            hash(seed, flow.source, nobody, 0, None)
        }
    }
}

/// The contract's hash.
pub(super) fn hash(
    seed: &[u8; 16],
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    ports: Option<(u16, u16)>,
) -> u64 {
    let (source_port, destination_port) = ports.unwrap_or_default();
    let ([a, b], [c, d]) = (source_port.to_be_bytes(), destination_port.to_be_bytes());
    let transport = Transport { ports: [a, b, c, d], protocol };
    let key = FlowKey::from_seed(seed);
    match (source, destination) {
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

/// Step 6: positions of pool and backend. `whole_flow` is the flow as for a VIP whose ports are read, if the packet has
/// as much.
pub(super) fn backend(
    tables: &PopTables,
    vip: &Vip,
    flow_hash: u64,
    whole_flow: Option<&Flow>,
) -> Result<(usize, usize), Outcome> {
    let pool_position = vip.pool.ok_or(Outcome::NoPool)?;
    let pool = &tables.pools[pool_position];
    if pool.slots.is_empty() {
        return Err(Outcome::EmptyPool);
    }
    let slot = slot(flow_hash, pool.slots.len());
    let kept = pool
        .transition
        .as_ref()
        .filter(|transition| transition.is_whole || transition.marks[slot])
        .and_then(|transition| kept(transition, vip, flow_hash, whole_flow?));
    let backend_position = kept.or(pool.slots[slot]).ok_or(Outcome::NoBackend)?;
    Ok((pool_position, backend_position))
}

/// Where a flow stays that was there before, or that began on another backend than it would now.
fn kept(transition: &Transition, vip: &Vip, flow_hash: u64, flow: &Flow) -> Option<usize> {
    if flow.protocol != 6 || flow.begins {
        return None;
    }
    let begun = transition
        .begun
        .iter()
        .find(|begun| (begun.source, begun.vip, Some(begun.ports)) == (flow.source, vip.address, flow.ports));
    if let Some(begun) = begun {
        return Some(begun.backend);
    }
    if transition.old.is_empty() {
        return None;
    }
    transition.old[slot(flow_hash, transition.old.len())]
}

fn slot(flow_hash: u64, size: usize) -> usize {
    (((flow_hash >> 32) * size as u64) >> 32) as usize
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
