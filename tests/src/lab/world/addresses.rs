//! The addresses of a world: computed from what a network is for, never listed.
//!
//! | network | IPv4 | IPv6 | .1 | .2 |
//! | --- | --- | --- | --- | --- |
//! | players of AS p ↔ their access router | 10.11.p.0/24 | fd00:11:p::/48 | router | players |
//! | access router p ↔ carrier c | 10.12.(10p+c).0/24 | fd00:12:(10p+c)::/48 | carrier | access router |
//! | access router p ↔ border b, at an exchange | 10.13.(10p+b).0/24 | fd00:13:(10p+b)::/48 | border | access router |
//! | carrier c ↔ border b | 10.14.(10c+b).0/24 | fd00:14:(10c+b)::/48 | carrier | border |
//! | border b ↔ host h of its PoP | 10.15.(10b+h).0/24 | fd00:15:(10b+h)::/48 | border | host |
//! | host h of PoP b ↔ backbone | 10.16.(10b+h).0/24 | fd00:16:(10b+h)::/48 | backbone | host |
//! | backbone ↔ router of region r | 10.17.r.0/24 | fd00:17:r::/48 | backbone | router |
//! | router of region r ↔ gateway g | 10.18.(10r+g).0/24 | fd00:18:(10r+g)::/48 | router | gateway |
//! | carrier ↔ router of region r | 10.19.r.0/24 | fd00:19:r::/48 | carrier | router |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::super::topology::{FAMILIES, Family};

/// A network of the world.
#[derive(Clone, Copy, Debug)]
pub(super) enum Net {
    Players { of: u8 },
    AccessCarrier { access: u8, carrier: u8 },
    Exchange { access: u8, border: u8 },
    Transit { carrier: u8, border: u8 },
    PopHost { pop: u8, host: u8 },
    HostBackbone { pop: u8, host: u8 },
    Region { region: u8 },
    Gateway { region: u8, gateway: u8 },
    Exit { region: u8 },
}

impl Net {
    fn area_and_index(self) -> (u8, u8) {
        match self {
            Self::Players { of } => (11, of),
            Self::AccessCarrier { access, carrier } => (12, access * 10 + carrier),
            Self::Exchange { access, border } => (13, access * 10 + border),
            Self::Transit { carrier, border } => (14, carrier * 10 + border),
            Self::PopHost { pop, host } => (15, pop * 10 + host),
            Self::HostBackbone { pop, host } => (16, pop * 10 + host),
            Self::Region { region } => (17, region),
            Self::Gateway { region, gateway } => (18, region * 10 + gateway),
            Self::Exit { region } => (19, region),
        }
    }

    /// Host 1 or 2 of the network.
    pub fn address(self, family: Family, host: u8) -> IpAddr {
        let (area, index) = self.area_and_index();
        match family {
            Family::V4 => Ipv4Addr::new(10, area, index, host).into(),
            // Digits are the same in both families, for people.
            Family::V6 => Ipv6Addr::new(0xfd00, digits(area), digits(index), 0, 0, 0, 0, host.into()).into(),
        }
    }

    /// The address of a host with the prefix length of the network, in both families.
    pub fn interface(self, host: u8) -> [IpNet; 2] {
        FAMILIES.map(|family| prefix(self.address(family, host), 24, 48))
    }

    /// The network.
    pub fn network(self, family: Family) -> IpNet {
        prefix(self.address(family, 0), 24, 48).trunc()
    }

    /// All networks for the same.
    pub fn area(self, family: Family) -> IpNet {
        prefix(self.address(family, 0), 16, 32).trunc()
    }
}

/// 18 as 0x18.
const fn digits(number: u8) -> u16 {
    let (hundreds, tens, ones) = ((number / 100) as u16, (number / 10 % 10) as u16, (number % 10) as u16);
    hundreds * 0x100 + tens * 0x10 + ones
}

fn prefix(address: IpAddr, v4_bits: u8, v6_bits: u8) -> IpNet {
    match address {
        IpAddr::V4(address) => Ipv4Net::new_assert(address, v4_bits).into(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, v6_bits).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_have_the_same_digits() {
        let net = Net::Gateway { region: 1, gateway: 2 };
        let addresses = FAMILIES.map(|family| net.address(family, 2).to_string());
        assert_eq!(addresses, ["10.18.12.2", "fd00:18:12::2"]);
        assert_eq!(net.area(Family::V6).to_string(), "fd00:18::/32");
    }
}
