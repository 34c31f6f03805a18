//! The notation of listeners: `tcp/80`, `udp/5000-5100`, `sctp`, `icmp`, `47`.

use core::fmt;

use super::Listener;
use crate::header::protocol;

/// Protocols with a name (IANA's keyword, or what `ip` calls it). Every other one is written as its number.
pub const PROTOCOL_NAMES: &[(&str, u8)] = &[
    ("tcp", protocol::TCP),
    ("udp", protocol::UDP),
    ("sctp", protocol::SCTP),
    ("icmp", protocol::ICMP),
    ("icmpv6", protocol::ICMPV6),
    ("igmp", 2),
    ("ipip", protocol::IPIP),
    ("dccp", 33),
    ("ipv6", protocol::IPV6),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ospf", 89),
    ("pim", 103),
    ("vrrp", 112),
    ("l2tp", 115),
    ("udplite", 136),
];

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PROTOCOL_NAMES.iter().find(|(_, number)| *number == self.protocol) {
            Some((name, _)) => f.write_str(name)?,
            None => write!(f, "{}", self.protocol)?,
        }
        match self.ports {
            None => Ok(()),
            Some((first, last)) if first == last => write!(f, "/{first}"),
            Some((first, last)) => write!(f, "/{first}-{last}"),
        }
    }
}
