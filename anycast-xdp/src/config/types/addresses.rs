//! Addresses and prefixes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anycast_common::outer::SOURCE_BITS_MAX;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
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

impl FieldType for Ipv4Net {
    fn kind() -> String {
        "IPv4 address or prefix".to_owned()
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        match one_or_prefix::<Self, Ipv4Addr>(value)? {
            IpNet::V4(net) => Ok(net),
            IpNet::V6(net) => Err(Problem::new(
                format!("`{net}` is an IPv6 prefix"),
                "write an IPv4 one here; the IPv6 one has its own key",
            )),
        }
    }
}

impl FieldType for Ipv6Net {
    fn kind() -> String {
        "IPv6 address or prefix".to_owned()
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        match one_or_prefix::<Self, Ipv6Addr>(value)? {
            IpNet::V6(net) => Ok(net),
            IpNet::V4(net) => Err(Problem::new(
                format!("`{net}` is an IPv4 prefix"),
                "write an IPv6 one here; the IPv4 one has its own key",
            )),
        }
    }
}

/// An address, which is a prefix of one, or a prefix whose addresses differ in their last 16 bits at most.
fn one_or_prefix<T: FieldType, Address: FieldType + Into<IpAddr>>(value: &DeValue<'_>) -> Result<IpNet, Problem> {
    if !text::<T>(value)?.contains('/') {
        return Address::from_value(value).map(|address| IpNet::from(address.into()));
    }
    let prefix = IpNet::from_value(value)?;
    unicast(prefix.addr())?;
    let longest = prefix.max_prefix_len();
    let shortest = longest - SOURCE_BITS_MAX;
    if prefix.prefix_len() < shortest {
        let what = format!("`{prefix}` holds more addresses than differ by a flow's hash");
        return Err(Problem::new(what, format!("write a prefix length from {shortest} to {longest}")));
    }
    Ok(prefix)
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
