//! May a VIP be published by this host, and why not.

use std::{fmt, net::IpAddr, sync::Arc};

use crate::desired::{Prefix, Vip};

/// What a VIP can serve now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// A pool of it is usable.
    Usable,
    /// None is, and it goes on as if all were (`all_down = "fail-open"`).
    FailOpen,
    /// None is.
    AllDown,
}

/// An access interface, and the program that runs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Name of the interface.
    pub interface: Arc<str>,
    /// How the program of this instance runs there; none: it does not.
    pub attached: Option<Attached>,
    /// The configuration asks for generic mode.
    pub asks_generic: bool,
}

/// How a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// In the driver.
    Native,
    /// In the stack.
    Generic,
}

/// What keeps a VIP or a prefix from being published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `publish` of the prefix, or of the VIP, does not name this PoP.
    OtherPops,
    /// It is bound to no pool.
    Unbound,
    /// No pool of it is usable.
    AllDown,
    /// No VIP of the prefix is published.
    NoVip,
    /// No program of this instance runs on this access interface.
    NotAttached(Arc<str>),
    /// The program runs there in generic mode, which nobody asked for.
    Generic(Arc<str>),
    /// It could not be served, and has not been well for long enough.
    HoldDown,
    /// The interface that routes lead to is not there.
    NoInterface,
    /// It is down: so the watchdog withdraws.
    InterfaceDown,
    /// The host, or the PoP, drains.
    Drain,
    /// Somebody else's route is where this one would be.
    RouteInTheWay,
    /// The kernel refuses the route; the log says why.
    RouteRefused,
}

impl Reason {
    /// A word for programs.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::OtherPops => "other_pops",
            Self::Unbound => "unbound",
            Self::AllDown => "all_down",
            Self::NoVip => "no_vip",
            Self::NotAttached(_) => "not_attached",
            Self::Generic(_) => "generic",
            Self::HoldDown => "hold_down",
            Self::NoInterface => "no_interface",
            Self::InterfaceDown => "interface_down",
            Self::Drain => "drain",
            Self::RouteInTheWay => "route_in_the_way",
            Self::RouteRefused => "route_refused",
        }
    }

    /// It is something that fails, not something that was asked for: coming back too early would flap.
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::AllDown | Self::NotAttached(_) | Self::Generic(_))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherPops => f.write_str("`publish` does not name this PoP"),
            Self::Unbound => f.write_str("bound to no pool"),
            Self::AllDown => f.write_str("no pool is usable"),
            Self::NoVip => f.write_str("none of its VIPs is published"),
            Self::NotAttached(interface) => write!(f, "no program runs on {interface}"),
            Self::Generic(interface) => write!(f, "the program runs in generic mode on {interface}"),
            Self::HoldDown => f.write_str("it failed, and has not been well for long enough"),
            Self::NoInterface => f.write_str("the interface of [publish] is not there"),
            Self::InterfaceDown => f.write_str("the interface of [publish] is down"),
            Self::Drain => f.write_str("drain"),
            Self::RouteInTheWay => f.write_str("somebody else's route is in the way"),
            Self::RouteRefused => f.write_str("the kernel refuses the route"),
        }
    }
}

/// What keeps this host from publishing anything.
pub fn of_host(access: &[Access], accepts_generic: bool) -> Option<Reason> {
    access.iter().find_map(|access| match access.attached {
        None => Some(Reason::NotAttached(Arc::clone(&access.interface))),
        Some(Attached::Generic) if !access.asks_generic && !accepts_generic => {
            Some(Reason::Generic(Arc::clone(&access.interface)))
        }
        Some(Attached::Generic | Attached::Native) => None,
    })
}

/// What keeps a VIP of this prefix from being published at `pop`.
pub fn of_vip(vip: &Vip, prefix: Option<&Prefix>, pop: &str, serving: Serving) -> Option<Reason> {
    let is_here = |publish: Option<&Vec<String>>| publish.is_none_or(|pops| pops.iter().any(|named| named == pop));
    if !is_here(prefix.and_then(|prefix| prefix.publish.as_ref())) || !is_here(vip.publish.as_ref()) {
        return Some(Reason::OtherPops);
    }
    match serving {
        _ if vip.pool.is_none() => Some(Reason::Unbound),
        Serving::Usable | Serving::FailOpen => None,
        Serving::AllDown => Some(Reason::AllDown),
    }
}

/// Prefixes by their addresses, to find those of VIPs in.
#[derive(Debug)]
pub struct Prefixes<'a>(Vec<&'a Prefix>);

impl<'a> Prefixes<'a> {
    /// Of valid services: they do not overlap.
    pub fn of(prefixes: &'a [Prefix]) -> Self {
        let mut sorted: Vec<_> = prefixes.iter().collect();
        sorted.sort_by_key(|prefix| prefix.prefix);
        Self(sorted)
    }

    /// The one that has this address. The last that begins at or before it is the only one that can.
    pub fn find(&self, address: IpAddr) -> Option<&'a Prefix> {
        let after = self.0.partition_point(|prefix| prefix.prefix.network() <= address);
        let found = self.0.get(after.checked_sub(1)?)?;
        found.prefix.contains(&address).then_some(*found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(attached: Option<Attached>, asks_generic: bool) -> Access {
        Access { interface: "in0".into(), attached, asks_generic }
    }

    #[test]
    fn program_has_to_run_natively_unless_generic_mode_is_accepted() {
        let of = |attached, asks, accepts| of_host(&[access(attached, asks)], accepts).map(|reason| reason.label());
        assert_eq!(of(Some(Attached::Native), false, false), None);
        assert_eq!(of(Some(Attached::Generic), false, false), Some("generic"));
        assert_eq!(of(Some(Attached::Generic), true, false), None);
        assert_eq!(of(Some(Attached::Generic), false, true), None);
        assert_eq!(of(None, true, true), Some("not_attached"));
    }

    #[test]
    fn prefix_of_an_address_is_found_among_those_of_both_families() {
        let prefix = |text: &str| Prefix { name: text.to_owned(), prefix: text.parse().unwrap(), publish: None };
        let all = ["2001:db8::/48", "192.0.2.0/24", "198.51.100.0/24"].map(prefix);
        let prefixes = Prefixes::of(&all);
        let find = |address: &str| prefixes.find(address.parse().unwrap()).map(|prefix| prefix.name.as_str());
        assert_eq!(find("192.0.2.0"), Some("192.0.2.0/24"));
        assert_eq!(find("198.51.100.255"), Some("198.51.100.0/24"));
        assert_eq!(find("2001:db8::1"), Some("2001:db8::/48"));
        assert_eq!(find("192.0.3.1"), None);
        assert_eq!(find("1.1.1.1"), None);
    }
}
