//! A network namespace with interfaces that packets can come in by and leave by, and routes to clients.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use ipnet::IpNet;

use super::generate::Interface;
use crate::lab::Namespace;

/// The same in every run, so that a seed means the same packets and tables.
const INTERFACES: [Interface; 4] = [
    Interface { ifindex: 101, mac: [2, 0, 0, 0, 1, 1] },
    Interface { ifindex: 102, mac: [2, 0, 0, 0, 1, 2] },
    Interface { ifindex: 103, mac: [2, 0, 0, 0, 1, 3] },
    Interface { ifindex: 104, mac: [2, 0, 0, 0, 1, 4] },
];

/// Longest packet that interfaces take, in bytes.
pub const MTU_BYTES: u16 = 1500;
/// Longest packet on the narrow route.
pub const NARROW_MTU_BYTES: u16 = 1400;

/// What the kernel's routes say of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Out of this interface, to [`neighbour`].
    To {
        /// Kernel interface index.
        ifindex: u32,
        /// In bytes.
        mtu_bytes: u16,
    },
    /// Out of this interface, to a neighbour that is not resolved.
    Unresolved {
        /// Kernel interface index.
        ifindex: u32,
    },
    /// Nowhere, by a route that says so.
    Blackhole,
}

/// The routes: prefixes of both families and where they lead. To all else there is none.
pub const ROUTES: [([&str; 2], Way); 8] = [
    (["198.51.100.0/24", "2001:db8:c::/48"], Way::To { ifindex: 101, mtu_bytes: MTU_BYTES }),
    (["198.51.101.0/24", "2001:db8:c1::/48"], Way::To { ifindex: 102, mtu_bytes: MTU_BYTES }),
    (["198.51.102.0/24", "2001:db8:c2::/48"], Way::To { ifindex: 103, mtu_bytes: MTU_BYTES }),
    (["198.51.103.0/24", "2001:db8:c3::/48"], Way::To { ifindex: 104, mtu_bytes: MTU_BYTES }),
    (["198.51.104.0/24", "2001:db8:c4::/48"], Way::To { ifindex: 101, mtu_bytes: NARROW_MTU_BYTES }),
    (["198.51.105.0/24", "2001:db8:c5::/48"], Way::Unresolved { ifindex: 101 }),
    (["198.51.106.0/24", "2001:db8:c6::/48"], Way::Unresolved { ifindex: 103 }),
    (["198.51.107.0/24", "2001:db8:c7::/48"], Way::Blackhole),
];

/// MAC of the neighbour that routes out of an interface lead to.
pub const fn neighbour(ifindex: u32) -> [u8; 6] {
    [2, 0, 0, 0, 8, ifindex as u8]
}

/// MAC of one of [`INTERFACES`].
pub fn mac_of(ifindex: u32) -> Option<[u8; 6]> {
    INTERFACES.iter().find(|interface| interface.ifindex == ifindex).map(|interface| interface.mac)
}

/// What the routes say of an address.
pub fn route(address: IpAddr) -> Option<Way> {
    let holds = |prefix: &&str| prefix.parse::<IpNet>().is_ok_and(|prefix| prefix.contains(&address));
    ROUTES.iter().find(|(prefixes, _)| prefixes.iter().any(holds)).map(|(_, way)| *way)
}

/// Runs `work` on a thread within a namespace that has [`INTERFACES`], two veth pairs.
pub fn with_interfaces<T: Send>(work: impl FnOnce(&[Interface]) -> Result<T> + Send) -> Result<T> {
    namespace()?.enter(|| work(&INTERFACES))?
}

/// A namespace that has [`INTERFACES`].
pub fn namespace() -> Result<Namespace> {
    let namespace = Namespace::new("oracle").context("the oracle needs a network namespace")?;
    for [first, second] in [[INTERFACES[0], INTERFACES[1]], [INTERFACES[2], INTERFACES[3]]] {
        namespace.ip(&format!("link add {} type veth peer {}", arguments(first), arguments(second)))?;
    }
    namespace.sysctls(&[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")])?;
    for Interface { ifindex, .. } in INTERFACES {
        namespace.ip(&format!("link set oracle{ifindex} up"))?;
        let mac = mac_text(neighbour(ifindex));
        for (address, bits, known) in [
            (format!("10.201.{ifindex}."), 24, format!("10.201.{ifindex}.9")),
            (format!("fd02:{ifindex}::"), 64, format!("fd02:{ifindex}::9")),
        ] {
            namespace.ip(&format!("address add {address}1/{bits} dev oracle{ifindex}"))?;
            namespace.ip(&format!("neighbour replace {known} lladdr {mac} dev oracle{ifindex} nud permanent"))?;
        }
    }
    for (prefixes, way) in ROUTES {
        for prefix in prefixes {
            let via = |ifindex: u32, host: u32| {
                let begin =
                    if prefix.contains(':') { format!("fd02:{ifindex}::") } else { format!("10.201.{ifindex}.") };
                format!("{prefix} via {begin}{host} dev oracle{ifindex}")
            };
            let route = match way {
                // Forwarded packets mind the MTU of a route only where it is locked.
                Way::To { ifindex, mtu_bytes } if mtu_bytes != MTU_BYTES => {
                    format!("{} mtu lock {mtu_bytes}", via(ifindex, 9))
                }
                Way::To { ifindex, .. } => via(ifindex, 9),
                Way::Unresolved { ifindex } => via(ifindex, 99),
                Way::Blackhole => format!("blackhole {prefix}"),
            };
            namespace.ip(&format!("route add {route}"))?;
        }
    }
    Ok(namespace)
}

fn arguments(Interface { ifindex, mac }: Interface) -> String {
    format!("name oracle{ifindex} address {} index {ifindex}", mac_text(mac))
}

fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
