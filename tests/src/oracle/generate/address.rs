//! Addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fastrand::Rng;
use ipnet::IpNet;

use super::one_in;
use crate::oracle::model::Family;

/// Any address.
pub(super) fn any(rng: &mut Rng, family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from(rng.u32(..)).into(),
        Family::V6 => Ipv6Addr::from(rng.u128(..)).into(),
    }
}

/// Either family.
pub(super) fn family(rng: &mut Rng) -> Family {
    if rng.bool() { Family::V4 } else { Family::V6 }
}

/// An address that is easily taken for this one: one bit off, or its IPv4-mapped form.
pub(super) fn confusable(rng: &mut Rng, address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) if one_in(rng, 3) => address.to_ipv6_mapped().into(),
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address) ^ 1 << rng.u32(..32)).into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) ^ 1 << rng.u32(..128)).into(),
    }
}

/// Any address of a prefix.
pub(super) fn within(rng: &mut Rng, prefix: IpNet) -> IpAddr {
    match prefix {
        IpNet::V4(prefix) => {
            Ipv4Addr::from(u32::from(prefix.network()) | rng.u32(..) & u32::from(prefix.hostmask())).into()
        }
        IpNet::V6(prefix) => {
            Ipv6Addr::from(u128::from(prefix.network()) | rng.u128(..) & u128::from(prefix.hostmask())).into()
        }
    }
}

/// The bytes on the wire.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
