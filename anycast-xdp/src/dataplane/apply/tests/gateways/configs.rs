//! Configurations of a gateway.

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;

use super::super::services::TIGHT;
use crate::desired::{
    Config, FailoverPolicy, GatewayRole, HashOn, IcmpEcho, Limits, Returns, Role, Services, Vip, examples::local,
};

pub const LIMITS: Limits = Limits { groups: 24, next_hops: 24, links: 8, ..TIGHT };

/// Tunnel addresses.
pub const ADDRESSES: [&str; 4] = ["10.9.0.1", "10.9.0.2", "fd09::1", "fd09::2"];
/// What PoP hosts send from.
pub const SOURCES: [&str; 6] =
    ["10.1.0.0/24", "10.1.0.0/30", "10.2.0.1/32", "10.3.0.0/16", "fd01::/112", "fd02::1/128"];

pub fn prefix(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}

pub fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A gateway of one VIP.
pub fn gateway(returns: Returns, addresses: &[&str], sources: &[&str], gre_keys: &[u32]) -> Config {
    let role = Role::Gateway(GatewayRole {
        tunnel_addresses: addresses.iter().map(|text| address(text)).collect(),
        allowed_sources: sources.iter().map(|text| prefix(text)).collect(),
        gre_keys: gre_keys.to_vec(),
        gue_port: 6080,
        return_mtu_bytes: Some(1400),
    });
    let local = local(role, LIMITS);
    let vips = vec![Vip {
        name: "web".to_owned(),
        address: address("192.0.2.1"),
        listeners: Vec::new(),
        hash: HashOn::Addresses,
        pool: None,
        fallback_pools: Vec::new(),
        icmp_echo: IcmpEcho::default(),
        returns,
        failover: FailoverPolicy::default(),
        publish: None,
    }];
    Config { local, services: Services { vips, pools: Vec::new(), ..Services::default() } }
}

/// Some addresses, sources and keys, in any order.
pub fn any_gateway() -> impl Strategy<Value = Config> {
    let returns = prop_oneof![3 => Just(Returns::Pop), 1 => Just(Returns::Direct)];
    let addresses = proptest::sample::subsequence(ADDRESSES.to_vec(), 1..=4).prop_shuffle();
    let sources = proptest::sample::subsequence(SOURCES.to_vec(), 0..=6).prop_shuffle();
    let keys = proptest::sample::subsequence(vec![0, 1, 7, u32::MAX], 0..=4);
    (returns, addresses, sources, keys)
        .prop_map(|(returns, addresses, sources, keys)| gateway(returns, &addresses, &sources, &keys))
}
