//! What a home-region host must have that decapsulates with the kernel's own tunnel devices.

use std::{collections::HashSet, net::IpAddr};

use serde::Serialize;

use super::facts::Facts;
use crate::desired::{Backend, Config, Encap};

/// Longest packet that clients send, but for the few behind longer links.
pub(super) const CLIENT_MTU_BYTES: u32 = 1500;
/// Fixed headers of IP and TCP.
const HEADERS_IPV4_BYTES: u32 = 40;
const HEADERS_IPV6_BYTES: u32 = 60;
/// The device from which only IPv6 packets come.
const DECAP_IPV6_ONLY: &str = "decap46";

/// Longest TCP segment within packets of this length, in the family of `address`.
pub(super) const fn mss_bytes(address: IpAddr, mtu_bytes: u32) -> u32 {
    mtu_bytes.saturating_sub(if address.is_ipv4() { HEADERS_IPV4_BYTES } else { HEADERS_IPV6_BYTES })
}

/// The checklist of one backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checklist {
    /// Tunnel address.
    pub backend: IpAddr,
    /// What its packets are wrapped in; a backend that is in several pools may have several.
    pub encap: String,
    /// Pools that it is in, so wrapped.
    pub pools: Vec<String>,
    /// VIPs that it serves.
    pub vips: Vec<IpAddr>,
    /// Outer header.
    pub overhead_bytes: u32,
    /// MTU of the way to it; none: no route.
    pub path_mtu_bytes: Option<u32>,
    /// What it must have.
    pub steps: Vec<Step>,
}

/// One thing that a host must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Why.
    pub what: String,
    /// What to paste there; empty: nothing to do.
    pub commands: Vec<String>,
}

/// The checklists of all backends, in the order of the file: one for each tunnel.
pub fn checklists(config: &Config, facts: &Facts) -> Vec<Checklist> {
    let mut seen = HashSet::new();
    let backends = config.services.pools.iter().flat_map(|pool| &pool.backends);
    let backends = backends.filter(|backend| seen.insert((backend.address, backend.encap)));
    backends.map(|backend| checklist(config, facts, backend)).collect()
}

fn checklist(config: &Config, facts: &Facts, Backend { address: backend, encap, .. }: &Backend) -> Checklist {
    let (backend, encap) = (*backend, *encap);
    let is_it = |one: &Backend| one.address == backend && one.encap == encap;
    let pools = config.services.pools.iter().filter(|pool| pool.backends.iter().any(is_it));
    let pools: Vec<String> = pools.map(|pool| pool.name.clone()).collect();
    let vips = config.services.vips.iter().filter(|vip| vip.pool.as_ref().is_some_and(|pool| pools.contains(pool)));
    let vips: Vec<IpAddr> = vips.map(|vip| vip.address).collect();
    let route = facts.ways.as_ref().ok().and_then(|ways| ways.view.routes.get(&backend));
    let path_mtu_bytes = route.map(|route| u32::from(route.mtu_bytes));
    let overhead_bytes = encap.overhead_bytes(backend) as u32;
    let devices = devices(backend, encap, &vips);
    let mut steps = vec![decap_step(backend, encap, &devices), vip_step(&vips)];
    if vips.iter().any(IpAddr::is_ipv4) {
        steps.extend([rp_filter_step(&devices), arp_step()]);
    }
    steps.push(advmss_step(&vips, path_mtu_bytes, overhead_bytes));
    Checklist { backend, encap: encap.to_string(), pools, vips, overhead_bytes, path_mtu_bytes, steps }
}

/// Name of each device that decapsulates, and the words that make it.
fn devices(backend: IpAddr, encap: Encap, vips: &[IpAddr]) -> Vec<(String, String)> {
    if let Encap::Gre { key } = encap {
        let kind = if backend.is_ipv6() { "ip6gre" } else { "gre" };
        let key = key.map_or(String::new(), |key| format!(" key {key}"));
        let remote = if backend.is_ipv6() { "::" } else { "any" };
        return vec![(gre_name(backend, encap), format!("type {kind} local {backend} remote {remote}{key}"))];
    }
    if backend.is_ipv6() {
        return vec![("decap6".to_owned(), format!("type ip6tnl mode any local {backend} remote ::"))];
    }
    let has = |family: fn(&IpAddr) -> bool| vips.iter().any(family);
    let mut devices = Vec::new();
    if has(IpAddr::is_ipv4) {
        devices.push(("decap4".to_owned(), format!("type ipip local {backend} remote any")));
    }
    if has(IpAddr::is_ipv6) {
        devices.push((DECAP_IPV6_ONLY.to_owned(), format!("type sit local {backend} remote any")));
    }
    devices
}

/// A name of its own for each family and key, within the 15 bytes of an interface's.
fn gre_name(backend: IpAddr, encap: Encap) -> String {
    let family = if backend.is_ipv6() { "6" } else { "" };
    if let Encap::Gre { key: Some(key) } = encap {
        format!("decap{family}-{key:x}")
    } else {
        format!("decapgre{family}")
    }
}

fn decap_step(backend: IpAddr, encap: Encap, devices: &[(String, String)]) -> Step {
    // A port of GUE reads the version of what is inside: one for both families. No kernel loads the module by itself.
    let port = if let Encap::Gue { port } = encap {
        let family = if backend.is_ipv6() { "-6 " } else { "" };
        vec!["modprobe fou".to_owned(), format!("ip {family}fou add port {port} gue")]
    } else {
        Vec::new()
    };
    let devices = devices
        .iter()
        .flat_map(|(name, words)| [format!("ip link add {name} {words}"), format!("ip link set {name} up")]);
    let commands = port.into_iter().chain(devices);
    Step { what: "a device that decapsulates the tunnels".to_owned(), commands: commands.collect() }
}

fn vip_step(vips: &[IpAddr]) -> Step {
    let add = |vip: &IpAddr| format!("ip address add {vip}/{} dev lo", if vip.is_ipv4() { 32 } else { 128 });
    Step { what: "the VIPs as its own addresses".to_owned(), commands: vips.iter().map(add).collect() }
}

fn rp_filter_step(devices: &[(String, String)]) -> Step {
    let set = |(name, _): &(String, String)| format!("sysctl -w net.ipv4.conf.{name}.rp_filter=2");
    // IPv6 has no such filter.
    let devices = devices.iter().filter(|(name, _)| *name != DECAP_IPV6_ONLY);
    Step {
        what: "no strict reverse-path filter where packets come out of tunnels: answers leave by another way"
            .to_owned(),
        commands: devices.map(set).collect(),
    }
}

fn arp_step() -> Step {
    Step {
        what: "no ARP answers and requests in the name of a VIP".to_owned(),
        commands: vec!["sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2".to_owned()],
    }
}

/// The size of a client's segments is what the answer to its SYN says, and the host writes that.
fn advmss_step(vips: &[IpAddr], path_mtu_bytes: Option<u32>, overhead_bytes: u32) -> Step {
    let Some(path_mtu_bytes) = path_mtu_bytes else {
        let what = format!(
            "segments that fit a tunnel: there is no route to it from here, so write advmss as the MTU of the way less {overhead_bytes} and less 40 (IPv4) or 60 (IPv6)"
        );
        return Step { what, commands: Vec::new() };
    };
    let inner_mtu_bytes = path_mtu_bytes.saturating_sub(overhead_bytes);
    if inner_mtu_bytes >= CLIENT_MTU_BYTES {
        let what = format!("segments that fit a tunnel: they do, packets of {inner_mtu_bytes} bytes fit");
        return Step { what, commands: Vec::new() };
    }
    let of_families = [("-4", vips.iter().find(|vip| vip.is_ipv4())), ("-6", vips.iter().find(|vip| vip.is_ipv6()))];
    let commands = of_families.into_iter().filter_map(|(option, vip)| {
        let advmss = mss_bytes(*vip?, inner_mtu_bytes);
        Some(format!("ip {option} route change $(ip {option} route show default) advmss {advmss}"))
    });
    Step {
        what: format!("segments that fit a tunnel: packets of {inner_mtu_bytes} bytes do"),
        commands: commands.collect(),
    }
}
