//! The PoP hosts that a gateway answers through. They are the backends of one pool: each allowed source is one.

use std::{collections::BTreeSet, net::IpAddr};

use anycast_common::{
    map::BackendEntry,
    outer::{SOURCE_BITS_MAX, Source},
};
use anyhow::Result;
use ipnet::IpNet;

use super::{super::inventory::Inventory, number::entry};
use crate::desired::{Backend, Config, Encap, GatewayRole, Pool, Role, State};

/// The name of their pool.
pub const POPS: &str = "pops";

/// A path has 20 bits for the index of one.
pub const PEER_INDEXES: u32 = 1 << 20;

/// The pool of PoP hosts, and the prefix of each; `None`: no VIP answers through PoPs.
///
/// A prefix of a family that no tunnel ends in, or from which answers could not tell the host, is allowed and is none.
pub fn pool(config: &Config) -> Option<(Pool, Vec<IpNet>)> {
    let Role::Gateway(role) = &config.local.role else {
        return None;
    };
    if !config.services.has_returning() {
        return None;
    }
    let mut seen = BTreeSet::new();
    let prefixes = role.allowed_sources.iter().map(IpNet::trunc).filter(|prefix| seen.insert(*prefix));
    let prefixes: Vec<_> = prefixes.filter(|prefix| can_be_answered(role, *prefix)).collect();
    let backends = prefixes.iter().map(|prefix| Backend {
        address: prefix.network(),
        weight: 1,
        encap: Encap::Ipip,
        mtu_bytes: role.return_mtu_bytes,
        state: State::Up,
    });
    let pool = Pool {
        name: POPS.to_owned(),
        home_region: String::new(),
        state: State::Up,
        backends: backends.collect(),
        health: None,
        dial_percent: 100,
    };
    Some((pool, prefixes))
}

/// Prefix and index of each.
pub fn indexes(config: &Config, next: &Inventory) -> Vec<(IpNet, u32)> {
    let Some(((_, prefixes), record)) = pool(config).zip(next.pool(POPS)) else {
        return Vec::new();
    };
    prefixes.into_iter().zip(record.backends.iter().map(|backend| backend.index)).collect()
}

fn can_be_answered(role: &GatewayRole, prefix: IpNet) -> bool {
    let can = entries(role, prefix).is_ok_and(|entries| !entries.is_empty());
    if !can {
        tracing::warn!(%prefix, "this source is allowed, but answers do not go back to it");
    }
    can
}

/// What the entry of a PoP host may be, with its near end: from each of the gateway's addresses of its family. A program
/// puts the address that the client's packet came to in its place.
pub fn entries(role: &GatewayRole, prefix: IpNet) -> Result<Vec<(IpNet, BackendEntry)>> {
    let address = prefix.network();
    let backend = Backend { address, weight: 1, encap: Encap::Ipip, mtu_bytes: None, state: State::Up };
    let varying_bits = prefix.max_prefix_len() - prefix.prefix_len();
    anyhow::ensure!(varying_bits <= SOURCE_BITS_MAX, "{varying_bits} bits of {prefix} vary");
    let source_mask = Source { first: address, varying_bits }.mask();
    let addresses = role.tunnel_addresses.iter().filter(|one| one.is_ipv4() == address.is_ipv4());
    addresses
        .map(|one: &IpAddr| {
            let source = IpNet::from(*one);
            Ok((source, BackendEntry { source_mask, ..entry(source, &backend)? }))
        })
        .collect()
}
