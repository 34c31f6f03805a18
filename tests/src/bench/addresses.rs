//! The addresses of the bench: all within its own namespace.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A client; replaced in scenarios with many flows.
pub const CLIENT_V4: &str = "172.16.0.1";
/// A client, IPv6.
pub const CLIENT_V6: &str = "2001:db8:c::1";
/// A VIP that takes everything, one backend.
pub const VIP_V4: &str = "10.200.1.1";
/// A VIP that takes everything, one backend, IPv6.
pub const VIP_V6: &str = "2001:db8:200::1";
/// A VIP that takes everything, a hundred backends.
pub const VIP_MAGLEV_V4: &str = "10.200.1.2";
/// A VIP with a listener, one backend.
pub const VIP_LISTENERS_V4: &str = "10.200.1.3";
/// A VIP with a listener, one backend, IPv6.
pub const VIP_LISTENERS_V6: &str = "2001:db8:200::3";
/// A VIP with a listener, a hundred backends.
pub const VIP_MAGLEV_LISTENERS_V4: &str = "10.200.1.4";
/// A VIP with everything: listeners, a hundred backends, GUE, a policy for echo requests.
pub const VIP_ARMED_V4: &str = "10.200.1.8";
/// A VIP that takes everything, one backend, whose answers go through PoPs.
pub const VIP_POP_V4: &str = "10.200.1.9";
/// The same, IPv6.
pub const VIP_POP_V6: &str = "2001:db8:200::9";
/// VIPs that take everything, one backend, with the encaps other than IPIP.
pub const VIP_GRE_V4: &str = "10.200.1.5";
/// The same: GRE with a key.
pub const VIP_GRE_KEYED_V4: &str = "10.200.1.6";
/// The same: GUE.
pub const VIP_GUE_V4: &str = "10.200.1.7";
/// The same: GRE, IPv6.
pub const VIP_GRE_V6: &str = "2001:db8:200::5";
/// The same: GUE, IPv6.
pub const VIP_GUE_V6: &str = "2001:db8:200::7";
/// A destination that is no VIP.
pub const NO_VIP_V4: &str = "192.0.2.1";
/// A destination that is no VIP, IPv6.
pub const NO_VIP_V6: &str = "2001:db8:ffff::1";
/// The first of [`anycast_common::bench::ADDRESSES`] addresses that are touched at random.
pub const MANY_FIRST_V4: Ipv4Addr = Ipv4Addr::new(10, 100, 0, 0);
/// Port of every service.
pub const PORT: u16 = 80;

/// Outer source.
pub const TUNNEL_SOURCE_V4: Ipv4Addr = Ipv4Addr::new(10, 3, 0, 2);
/// Outer destination.
pub const BACKEND_V4: Ipv4Addr = Ipv4Addr::new(10, 4, 0, 2);
/// The address before the first of a hundred backends.
pub const BACKENDS_FIRST_V4: Ipv4Addr = Ipv4Addr::new(10, 4, 1, 0);
/// Outer source, IPv6.
pub const TUNNEL_SOURCE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 3, 0, 0, 0, 0, 2);
/// Outer destination, IPv6.
pub const BACKEND_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 4, 0, 0, 0, 0, 2);
/// Address and prefix of the near end of the access wire.
pub const ACCESS_V4: &str = "10.5.0.1/24";
/// The router that leads to clients.
pub const ACCESS_ROUTER_V4: &str = "10.5.0.2";
/// Where clients are.
pub const CLIENTS_V4: &str = "172.16.0.0/12";

/// MAC of the next hop.
pub const NEXT_HOP_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0xfe];
/// MAC of the interface that frames leave by.
pub const EGRESS_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0xfd];

/// The router on the way to a backend.
pub fn next_hop(backend: IpAddr) -> IpAddr {
    match backend {
        IpAddr::V4(_) => Ipv4Addr::new(10, 3, 0, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 3, 0, 0, 0, 0, 1).into(),
    }
}

/// The route that leads to a backend and to all of its family.
pub fn backbone(backend: IpAddr) -> IpNet {
    match backend {
        IpAddr::V4(address) => Ipv4Net::new_assert(address, 16).trunc().into(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, 48).trunc().into(),
    }
}
