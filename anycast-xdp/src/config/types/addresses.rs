//! Addresses and prefixes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use toml::de::DeValue;

use super::{FieldType, text};
use crate::config::findings::Problem;

impl FieldType for IpAddr {
    fn kind() -> String {
        "IPv4 or IPv6 address".to_owned()
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let written = text::<Self>(value)?;
        let Ok(address) = written.parse::<Self>() else {
            let help = if written.contains('/') {
                "write the address alone, without a prefix length"
            } else {
                "write an address such as \"192.0.2.80\" or \"2001:db8::80\""
            };
            return Err(Problem::new(format!("`{written}` is not an IP address"), help));
        };
        unicast(address)
    }
}

impl FieldType for Ipv4Addr {
    fn kind() -> String {
        "IPv4 address".to_owned()
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        match address_of::<Self>(value)? {
            IpAddr::V4(address) => Ok(address),
            IpAddr::V6(address) => Err(Problem::new(
                format!("`{address}` is an IPv6 address"),
                "write an IPv4 address here; the IPv6 one has its own key",
            )),
        }
    }
}

impl FieldType for Ipv6Addr {
    fn kind() -> String {
        "IPv6 address".to_owned()
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        match address_of::<Self>(value)? {
            IpAddr::V6(address) => Ok(address),
            IpAddr::V4(address) => Err(Problem::new(
                format!("`{address}` is an IPv4 address"),
                "write an IPv6 address here; the IPv4 one has its own key",
            )),
        }
    }
}

impl FieldType for IpNet {
    fn kind() -> String {
        "IPv4 or IPv6 prefix".to_owned()
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let written = text::<Self>(value)?;
        if let Ok(address) = written.parse::<IpAddr>() {
            let what = format!("`{written}` is an address without a prefix length");
            return Err(Problem::new(what, format!("write \"{}\"", Self::from(address))));
        }
        let Ok(prefix) = written.parse::<Self>() else {
            let what = format!("`{written}` is not a prefix");
            return Err(Problem::new(what, "write a prefix such as \"10.3.0.0/16\" or \"fd00:3::/64\""));
        };
        if prefix.trunc() != prefix {
            let what = format!("`{written}` has bits set beyond its prefix length");
            return Err(Problem::new(what, format!("write \"{}\"", prefix.trunc())));
        }
        Ok(prefix)
    }
}

/// The address of a value that should be a `T`; a value that is no text is told so in the words of `T`.
fn address_of<T: FieldType>(value: &DeValue<'_>) -> Result<IpAddr, Problem> {
    text::<T>(value)?;
    IpAddr::from_value(value)
}

/// Refuses addresses that name no single host, or none on another machine.
fn unicast(address: IpAddr) -> Result<IpAddr, Problem> {
    let refuse = |what, help| Err(Problem::new(format!("`{address}` is {what}"), help));
    let help = "write a unicast address that routers forward to";
    let mapped = matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    match address {
        _ if mapped => refuse("an IPv4-mapped address", "write the IPv4 address itself"),
        _ if link_local => refuse("a link-local address", help),
        _ if address.is_unspecified() => refuse("the unspecified address", help),
        _ if address.is_multicast() => refuse("a multicast address", help),
        _ if address.is_loopback() => refuse("a loopback address", help),
        _ if address == IpAddr::V4(Ipv4Addr::BROADCAST) => refuse("the broadcast address", help),
        IpAddr::V4(_) | IpAddr::V6(_) => Ok(address),
    }
}
