//! The addresses of a lab: computed from what a network is for, never listed.
//!
//! | network | IPv4 | IPv6 | .1 | .2 |
//! | --- | --- | --- | --- | --- |
//! | client ↔ transit of site s | 10.1.s.0/24 | fd00:1:s::/64 | transit | client |
//! | transit ↔ NIC n of the PoP of site s | 10.2.(10s+n).0/24 | fd00:2:(10s+n)::/64 | transit | PoP |
//! | PoP of site s ↔ backbone router r | 10.3.(10s+r).0/24 | fd00:3:(10s+r)::/64 | router | PoP |
//! | backbone router r ↔ home host | 10.4.r.0/24 | fd00:4:r::/64 | router | home |
//! | backbone router 0 ↔ home host h, from 1 on | 10.4.(100+h).0/24 | fd00:4:(100+h)::/64 | router | home |
//! | transit of site s ↔ backbone router r | 10.5.(10s+r).0/24 | fd00:5:(10s+r)::/64 | transit | router |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The IPv4 VIP that every home host serves.
pub const VIP_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 80));
/// The IPv6 VIP that every home host serves.
pub const VIP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x80, 0, 0, 0, 0, 0x80));
/// Prefixes that the transit routers of all sites send to their PoP.
pub const VIP_PREFIXES: [&str; 2] = ["192.0.2.0/24", "2001:db8:80::/48"];

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Both families, in the order in which tests go through them.
pub const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// A network of the lab.
#[derive(Clone, Copy, Debug)]
pub(super) enum Net {
    Client { site: u8 },
    Access { site: u8, nic: u8 },
    Backbone { site: u8, router: u8 },
    Home { router: u8 },
    OtherHome { home: u8 },
    Return { site: u8, router: u8 },
}

impl Net {
    fn area_and_index(self) -> (u8, u8) {
        match self {
            Self::Client { site } => (1, site),
            Self::Access { site, nic } => (2, site * 10 + nic),
            Self::Backbone { site, router } => (3, site * 10 + router),
            Self::Home { router } => (4, router),
            Self::OtherHome { home } => (4, 100 + home),
            Self::Return { site, router } => (5, site * 10 + router),
        }
    }

    /// Host 1 or 2 of the network.
    pub fn address(self, family: Family, host: u8) -> IpAddr {
        let (area, index) = self.area_and_index();
        match family {
            Family::V4 => Ipv4Addr::new(10, area, index, host).into(),
            Family::V6 => Ipv6Addr::new(0xfd00, area.into(), index.into(), 0, 0, 0, 0, host.into()).into(),
        }
    }

    /// The address of a host with the prefix length of the network, in both families.
    pub fn interface(self, host: u8) -> [IpNet; 2] {
        FAMILIES.map(|family| with_prefix_len(self.address(family, host), 24, 64))
    }
}

/// Everything of area `area` (see the table above), in both families.
pub(super) fn area(area: u8) -> [IpNet; 2] {
    let v4 = Ipv4Addr::new(10, area, 0, 0).into();
    let v6 = Ipv6Addr::new(0xfd00, area.into(), 0, 0, 0, 0, 0, 0).into();
    [with_prefix_len(v4, 16, 32), with_prefix_len(v6, 16, 32)]
}

fn with_prefix_len(address: IpAddr, v4_bits: u8, v6_bits: u8) -> IpNet {
    match address {
        IpAddr::V4(address) => Ipv4Net::new_assert(address, v4_bits).into(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, v6_bits).into(),
    }
}
