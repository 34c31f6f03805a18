//! Answers on a gateway: which packets are some, where they leave, and the PoP that they go back through.

use std::net::IpAddr;

use anycast_common::map::{
    BackendRoute, ENCAP_GRE, ENCAP_GRE_KEYED, ENCAP_GUE, Explanation, RETURN_SEEN_SHIFT, ReturnKey, ReturnPath,
    ReturnValue, SOURCE_FAMILY_BITS, STAGE_VIP, TunnelKey, TunnelPolicy, return_check,
};
use anyhow::{Context as _, Result, bail};
use aya::maps::{Array, HashMap, MapData, lpm_trie::LpmTrie};
use ipnet::IpNet;

use super::{
    super::{
        super::{
            interfaces::{interface_index, interface_name},
            inventory::InterfaceRecord,
            loader::open_pin,
            second_copy::RETURN_PATHS,
            tables::{Raw, typed},
        },
        Inspector,
    },
    Hook,
};
use crate::{explain::packet, netlink::snapshot, path_mtu::monotonic_now, view::ExplainedPop};

impl Inspector {
    /// The hook that takes a packet: that which is given, or the egress for what a VIP of this gateway sends to others.
    pub fn hook(&self, frame: &[u8], given: Hook) -> Hook {
        match (self.answers(frame), given) {
            (Some(_), Hook::Ingress(super::Ingress::Interface(name))) => Hook::Egress(Some(name)),
            (Some(_), Hook::Ingress(_)) => Hook::Egress(None),
            (_, given) => given,
        }
    }

    /// The client that a frame is an answer to.
    fn answers(&self, frame: &[u8]) -> Option<IpAddr> {
        let (source, destination) = packet::addresses(frame)?;
        let is_vip = |address| self.inventory.vip(address).is_some();
        (self.inventory.role == "gateway" && is_vip(source) && !is_vip(destination)).then_some(destination)
    }

    /// The interface that packets to an address leave by, among those with the program for answers.
    pub(super) fn leaving(&self, wanted: Option<&str>, frame: &[u8]) -> Result<&InterfaceRecord> {
        let interfaces = &self.inventory.interfaces;
        let with_program = || interfaces.iter().filter(|record| record.egress.is_some());
        if let Some(name) = wanted {
            let found = with_program().find(|record| record.name == name);
            return found.with_context(|| format!("the instance has no program at the egress of {name}"));
        }
        let routed = packet::addresses(frame).map(|(_, to)| routed(to)).unwrap_or_default();
        let found = with_program().find(|record| interface_index(&record.name).is_some_and(|at| routed.contains(&at)));
        let Some(found) = found.or_else(|| with_program().next()) else {
            bail!("the instance has no program at an egress: only gateways have");
        };
        Ok(found)
    }

    /// What is known of the stages of an answer without asking the program: its VIP.
    pub(super) fn known(&self, frame: &[u8]) -> Explanation {
        let vip = packet::addresses(frame).and_then(|(source, _)| self.inventory.vip(source));
        let known = |index| Explanation { stages: STAGE_VIP, vip_index: index, ..Explanation::default() };
        vip.map(|vip| known(vip.index)).unwrap_or_default()
    }

    /// The PoP that the client of an answer came by last, if it is remembered.
    pub(super) fn pop(&self, vip_index: u32, client: IpAddr) -> Result<Option<ExplainedPop>> {
        let open = |name: &str| open_pin(&self.generation.maps, name);
        let client = mapped(client);
        let paths: HashMap<MapData, Raw<ReturnKey>, Raw<ReturnValue>> = typed(&open, RETURN_PATHS)?;
        let Ok(Raw(value)) = paths.get(&Raw(ReturnKey { client, vip_index, reserved: 0 }), 0) else { return Ok(None) };
        let path = ReturnPath::from_cell(value.path);
        let words = [0, 8].map(|at| u64::from_ne_bytes(std::array::from_fn(|byte| client[at + byte])));
        if path.peer_index == 0 || value.check != return_check(words, vip_index) {
            return Ok(None);
        }
        let Some(prefix) = self.allowed_source(path.peer_index)? else { return Ok(None) };
        let tunnels: Array<MapData, [u8; 16]> = typed(&open, "TUNNEL_ADDRESSES")?;
        let tunnel = tunnels.get(&u32::from(path.tunnel_index), 0).context("TUNNEL_ADDRESSES")?;
        let keys: Array<MapData, u64> = typed(&open, "GRE_KEY_LIST")?;
        let key = keys.get(&u32::from(path.key_index), 0).context("GRE_KEY_LIST")?;
        let [a, b, c, d, ..] = key.to_ne_bytes();
        let arrays = self.kernel.read();
        let encap = match path.encap {
            ENCAP_GRE => "gre".to_owned(),
            ENCAP_GRE_KEYED => format!("gre key {}", u32::from_be_bytes([a, b, c, d])),
            ENCAP_GUE => format!("gue port {}", TunnelPolicy::from_cell(arrays.gateway.get(1)).gue_port),
            _ => "ipip".to_owned(),
        };
        let is_there = path.peer_index < arrays.backends.len();
        let route = is_there.then(|| BackendRoute::from_cell(arrays.backends.get(path.peer_index).route));
        let now = u64::try_from(monotonic_now()?.as_nanos()).unwrap_or(u64::MAX);
        let age = u64::from(ReturnPath::age(value.path, ReturnPath::seen_at(now)));
        Ok(Some(ExplainedPop {
            prefix,
            address: with_end(prefix, path.source_end),
            gateway: IpAddr::from(tunnel).to_canonical(),
            encap,
            mtu_bytes: route.map(|route| route.mtu_bytes).filter(|mtu_bytes| *mtu_bytes != 0),
            seen_secs: (age << RETURN_SEEN_SHIFT) / 1_000_000_000,
        }))
    }

    /// The allowed source that leads to a PoP host.
    fn allowed_source(&self, peer_index: u32) -> Result<Option<IpNet>> {
        let sources: LpmTrie<MapData, TunnelKey, u32> =
            typed(&|name: &str| open_pin(&self.generation.maps, name), "SOURCES")?;
        for entry in &sources {
            let (key, index) = entry.context("SOURCES")?;
            if index == peer_index {
                return Ok(prefix(key.prefix_len(), key.data()));
            }
        }
        Ok(None)
    }
}

/// A note, if the route to the client of an answer leaves elsewhere.
pub(super) fn elsewhere(ifindex: u32, frame: &[u8]) -> Option<String> {
    let (_, client) = packet::addresses(frame)?;
    let routed = routed(client);
    if routed.contains(&ifindex) {
        return None;
    }
    let names: Vec<_> = routed.into_iter().filter_map(interface_name).collect();
    let name = interface_name(ifindex).unwrap_or_default();
    Some(if names.is_empty() {
        format!("the stack has no route to {client}: such a packet does not leave")
    } else {
        format!("the stack's route to {client} leaves by {}, and not by {name}", names.join(", "))
    })
}

/// Interfaces that the stack's route to an address leaves by.
fn routed(to: IpAddr) -> Vec<u32> {
    let routes = snapshot::stack_routes([to].into_iter()).unwrap_or_default();
    routes.into_values().flatten().flat_map(|route| route.ifindexes).collect()
}

/// An address as the tables have it: IPv4 is v4-mapped.
fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// The prefix of a key in the allow-list.
fn prefix(prefix_len_bits: u32, key: TunnelKey) -> Option<IpNet> {
    let [_, _, _, family, address @ ..] = key;
    let bits = u8::try_from(prefix_len_bits.checked_sub(SOURCE_FAMILY_BITS)?).ok()?;
    let (address, bits) = if family == 4 {
        (IpAddr::from(address).to_canonical(), bits.checked_sub(96)?)
    } else {
        (IpAddr::from(address), bits)
    };
    IpNet::new(address, bits).ok()
}

/// The address of a prefix that ends in these two bytes, in memory order.
fn with_end(prefix: IpNet, end: u16) -> IpAddr {
    let [high, low] = end.to_ne_bytes();
    match prefix.network() {
        IpAddr::V4(first) => {
            let [a, b, ..] = first.octets();
            IpAddr::from([a, b, high, low])
        }
        IpAddr::V6(first) => {
            let mut octets = first.octets();
            [octets[14], octets[15]] = [high, low];
            IpAddr::from(octets)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_sources_are_read_back_and_filled_up() {
        let key = |family, text: &str| {
            anycast_common::map::tunnel_key(family, mapped(text.parse::<IpAddr>().expect("an address")))
        };
        let v4 = prefix(32 + 96 + 24, key(4, "10.3.7.0")).expect("a prefix");
        assert_eq!(v4.to_string(), "10.3.7.0/24");
        assert_eq!(with_end(v4, u16::from_ne_bytes([7, 9])).to_string(), "10.3.7.9");
        let v6 = prefix(32 + 112, key(6, "fd00:3::")).expect("a prefix");
        assert_eq!(v6.to_string(), "fd00:3::/112");
        assert_eq!(with_end(v6, u16::from_ne_bytes([0xab, 0xcd])).to_string(), "fd00:3::abcd");
        assert_eq!(prefix(8, key(4, "10.3.7.0")), None);
    }
}
