//! What the kernel and the configuration say, in the form in which the maps are told.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use anyhow::Result;

use crate::{
    config::host::global_addresses,
    dataplane::{icmp, interfaces::interface_index, inventory::Inventory},
    desired::{Config, Icmp, Interface, Role},
    netlink::{Access, View},
};

/// What this host answers, from the addresses that it has now.
pub(super) async fn own_answers(icmp: &Icmp, interfaces: &[Interface]) -> Result<Icmp> {
    let access = interfaces.iter().find(|interface| interface.access);
    let addresses = match access.and_then(|interface| interface_index(&interface.name)) {
        Some(ifindex) => global_addresses(ifindex).await?,
        None => Vec::new(),
    };
    let icmp = icmp::resolve(icmp, &addresses);
    if icmp.source_ipv4.is_none() {
        tracing::info!("no IPv4 address of its own: traceroute over IPv4 does not show this host");
    }
    if icmp.source_ipv6.is_none() {
        tracing::info!("no IPv6 address of its own: traceroute over IPv6 does not show this host");
    }
    Ok(icmp)
}

/// The interfaces that answers leave by, if they come back to this PoP.
pub(super) fn access_of(config: &Config, returns: bool) -> Access {
    if !returns || !matches!(config.local.role, Role::Pop(_)) {
        return Access::default();
    }
    let (access, others): (Vec<_>, Vec<_>) = config.local.interfaces.iter().partition(|interface| interface.access);
    let names = |interfaces: Vec<&Interface>| interfaces.iter().map(|interface| interface.name.clone()).collect();
    Access { interfaces: names(access), others: names(others) }
}

/// The configured MTU of every backend that has one, by index.
pub(super) fn configured_mtus(inventory: &Inventory) -> BTreeMap<u32, u16> {
    let backends = inventory.pools.iter().flat_map(|pool| &pool.backends);
    backends.filter_map(|backend| Some((backend.index, backend.mtu_bytes?))).collect()
}

/// Their tunnel addresses.
pub(super) fn addresses(backends: &[(IpAddr, u32)]) -> BTreeSet<IpAddr> {
    backends.iter().map(|(address, _)| *address).collect()
}

/// Has every hop toward this address a neighbour?
pub(super) fn is_resolved(view: &View, address: IpAddr) -> bool {
    view.routes
        .get(&address)
        .is_some_and(|route| route.hops.iter().all(|hop| view.neighbours.contains_key(&hop.neighbour())))
}
