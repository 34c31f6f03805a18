//! On a gateway: the ways of clients, and the PoP hosts that they lead to.

use std::{collections::BTreeMap, net::IpAddr};

use anycast_common::map::{
    ENCAP_GRE, ENCAP_GRE_KEYED, ENCAP_GUE, ENCAP_IPIP, RETURN_IDLE, RETURN_REFRESH, ReturnKey, ReturnPath, ReturnValue,
    SOURCE_FAMILY_BITS, TunnelKey, return_check,
};
use anycast_xdp::dataplane::tables::{Dataplane as _, Raw, mapped, tunnel_key_of};
use anyhow::{Context as _, Result};
use aya::maps::{HashMap, MapData};
use ipnet::IpNet;

use super::instance::Instance;
use crate::oracle::{
    clock::now_ns,
    tables::{GatewayTables, Path, Seen, Tunnel},
};

/// The index of the PoP host of each allowed source, as the production code gave it.
pub(super) fn peers(instance: &mut Instance, tables: &GatewayTables) -> Result<Vec<u32>> {
    let entries = instance.loaded.kernel.keyed().sources.entries()?;
    let index_of = |prefix: &IpNet| {
        let mapped_bits = if prefix.addr().is_ipv4() { 96 } else { 0 };
        let bits = SOURCE_FAMILY_BITS + mapped_bits + u32::from(prefix.prefix_len());
        let found = entries.iter().find(|(key, _)| key.bits == bits && key.key == tunnel_key_of(prefix.network()));
        found.map_or(0, |(_, index)| *index)
    };
    Ok(tables.allowed_sources.iter().map(index_of).collect())
}

impl Instance {
    /// Makes the ways of clients those of the tables.
    pub(super) fn write_paths(&mut self, tables: &GatewayTables) -> Result<()> {
        self.loaded.kernel.forget_paths(&|_, _| true)?;
        let (tunnels, keys) = (self.tunnels()?, self.gre_keys()?);
        let mut wanted = Vec::new();
        for path in &tables.returns.paths {
            let (encap, gre_key) = match path.tunnel {
                Tunnel::Ipip => (ENCAP_IPIP, None),
                Tunnel::Gre => (ENCAP_GRE, None),
                Tunnel::Keyed(key) => (ENCAP_GRE_KEYED, Some(key.to_be_bytes())),
                Tunnel::Gue => (ENCAP_GUE, None),
            };
            let age = match path.seen {
                Seen::Now => 0,
                Seen::Before => RETURN_REFRESH + 100,
                Seen::LongAgo => RETURN_IDLE + 100,
            };
            let octets = mapped(path.source);
            let tunnel_index =
                tunnels.get(&tunnel_key_of(tables.tunnel_addresses[path.tunnel_address])).context("a tunnel")?;
            let key_index = gre_key.map(|key| keys.get(&key).copied().context("a key")).transpose()?;
            let cell = ReturnPath {
                peer_index: self.peers[path.peer],
                source_end: u16::from_ne_bytes([octets[14], octets[15]]),
                encap,
                tunnel_index: *tunnel_index as u8,
                key_index: key_index.unwrap_or(0) as u8,
                seen: now().wrapping_sub(age) & 0x1fff,
            };
            let (client, vip_index) = (mapped(path.client), self.vips[path.vip]);
            let value = ReturnValue { check: check_of(client, vip_index), path: cell.to_cell() };
            wanted.push((Raw(ReturnKey { client, vip_index, reserved: 0 }), Raw(value)));
        }
        let map = self.loaded.ebpf.map_mut("RETURN_PATHS").context("RETURN_PATHS")?;
        let mut map: HashMap<&mut MapData, Raw<ReturnKey>, Raw<ReturnValue>> = map.try_into()?;
        self.has_remembered = false;
        Ok(wanted.into_iter().try_for_each(|(key, value)| map.insert(key, value, 0))?)
    }

    /// The ways of clients, in order. One that the tables have no name for is an error.
    pub(super) fn paths(&mut self, tables: &GatewayTables) -> Result<Vec<Path>> {
        let (tunnels, keys) = (self.tunnels()?, self.gre_keys()?);
        let map = self.loaded.ebpf.map("RETURN_PATHS").context("RETURN_PATHS")?;
        let map: HashMap<&MapData, Raw<ReturnKey>, Raw<ReturnValue>> = map.try_into()?;
        let mut paths = Vec::new();
        for entry in &map {
            let (Raw(key), Raw(value)) = entry?;
            let cell = ReturnPath::from_cell(value.path);
            anyhow::ensure!(value.check == check_of(key.client, key.vip_index), "{key:?} with the check of another");
            let vip = self.vips.iter().position(|index| *index == key.vip_index).context("a VIP")?;
            let peer = self.peers.iter().position(|index| *index == cell.peer_index).context("a PoP host")?;
            let is_tunnel = |address: &IpAddr| tunnels.get(&tunnel_key_of(*address)) == Some(&cell.tunnel_index.into());
            let gre_key = keys.iter().find(|(_, index)| **index == u32::from(cell.key_index));
            let tunnel = match (cell.encap, gre_key) {
                (ENCAP_IPIP, None) => Tunnel::Ipip,
                (ENCAP_GRE, None) => Tunnel::Gre,
                (ENCAP_GRE_KEYED, Some((key, _))) => Tunnel::Keyed(u32::from_be_bytes(*key)),
                (ENCAP_GUE, None) => Tunnel::Gue,
                other => anyhow::bail!("encap and key {other:?}"),
            };
            let age = ReturnPath::age(value.path, now());
            paths.push(Path {
                client: of_family(tables.vips[vip].is_ipv4(), key.client),
                vip,
                source: with_end(tables.allowed_sources[peer].network(), cell.source_end.to_ne_bytes()),
                peer,
                tunnel_address: tables.tunnel_addresses.iter().position(is_tunnel).context("a tunnel address")?,
                tunnel,
                seen: match age {
                    ..RETURN_REFRESH => Seen::Now,
                    RETURN_REFRESH..RETURN_IDLE => Seen::Before,
                    RETURN_IDLE.. => Seen::LongAgo,
                },
            });
        }
        paths.sort();
        Ok(paths)
    }

    fn tunnels(&mut self) -> Result<BTreeMap<TunnelKey, u32>> {
        self.loaded.kernel.keyed().tunnels.entries()
    }

    fn gre_keys(&mut self) -> Result<BTreeMap<[u8; 4], u32>> {
        self.loaded.kernel.keyed().gre_keys.entries()
    }
}

fn check_of(client: [u8; 16], vip_index: u32) -> u64 {
    let [high, low] =
        std::array::from_fn(|half| u64::from_ne_bytes(std::array::from_fn(|byte| client[half * 8 + byte])));
    return_check([high, low], vip_index)
}

fn of_family(is_v4: bool, address: [u8; 16]) -> IpAddr {
    let [.., a, b, c, d] = address;
    if is_v4 { [a, b, c, d].into() } else { address.into() }
}

fn with_end(first: IpAddr, [high, low]: [u8; 2]) -> IpAddr {
    let mut octets = mapped(first);
    octets[14] = high;
    octets[15] = low;
    of_family(first.is_ipv4(), octets)
}

/// The time as paths have it.
fn now() -> u16 {
    ReturnPath::seen_at(now_ns())
}
