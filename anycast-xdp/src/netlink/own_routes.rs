//! The routes that this program writes itself: those that tell routing daemons what the host serves.

#![expect(clippy::wildcard_enum_match_arm, reason = "kernels add attributes; those of no interest are passed over")]

use std::{collections::BTreeSet, io, net::IpAddr};

use ipnet::IpNet;
use libc::{EEXIST, ENOENT, ESRCH, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, RTM_DELROUTE, RTM_GETROUTE, RTM_NEWROUTE};
use netlink_packet_core::{DecodeError, Parseable as _};
use netlink_packet_route::{
    AddressFamily,
    route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType},
};

use super::{
    fib::family,
    socket::{AskError, Requests},
};

/// Routing protocol of these routes, which routing daemons choose them by. The kernel leaves those from 192 on to whoever
/// wants one (`linux/rtnetlink.h`).
pub const PROTOCOL: u8 = 201;

/// One of them. In the kernel's table, too, routes of one prefix and different metrics stand side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnRoute {
    /// Where it leads.
    pub prefix: IpNet,
    /// The least one is preferred.
    pub metric: u32,
}

/// What the kernel did of what it was told.
#[derive(Debug, Default)]
pub struct Written {
    /// Routes that came and went.
    pub changes: u64,
    /// Routes that another one of the same prefix and metric is in the way of.
    pub in_the_way: BTreeSet<OwnRoute>,
    /// The first that was refused for another reason, and why.
    pub refused: Option<(OwnRoute, io::Error)>,
}

/// Reads and writes them, in the main table of this network namespace.
pub struct OwnRoutes(Requests);

impl OwnRoutes {
    /// Opens a socket.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn open() -> io::Result<Self> {
        let mut requests = Requests::open()?;
        requests.for_many()?;
        Ok(Self(requests))
    }

    /// Those that lead to this interface, whoever wrote them.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn list(&mut self, ifindex: u32) -> io::Result<BTreeSet<OwnRoute>> {
        let mut found = BTreeSet::new();
        for address_family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let question = question(address_family, ifindex);
            let asked = self.0.ask(RTM_GETROUTE, NLM_F_DUMP as u16, &question, |kind, payload| {
                if kind == RTM_NEWROUTE
                    && let Ok(Some(route)) = read(payload, address_family, ifindex)
                {
                    found.insert(route);
                }
            });
            match asked {
                Ok(()) => {}
                // No such table yet.
                Err(AskError::Refused(error)) if error.raw_os_error() == Some(ENOENT) => {}
                Err(AskError::Refused(error) | AskError::Socket(error)) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Adds routes, and only then takes others away: a prefix whose metric changes always has one.
    ///
    /// # Errors
    ///
    /// The socket's. What was done by then is done.
    pub fn change(&mut self, ifindex: u32, add: &[OwnRoute], remove: &[OwnRoute]) -> io::Result<Written> {
        let mut written = Written::default();
        let new = (NLM_F_CREATE | NLM_F_EXCL) as u16;
        let refused = self.0.order(add.iter().map(|route| (RTM_NEWROUTE, new, message(*route, ifindex))))?;
        written.take(add, refused, |route, written| {
            written.in_the_way.insert(route);
        });
        let refused = self.0.order(remove.iter().map(|route| (RTM_DELROUTE, 0, message(*route, ifindex))))?;
        // Gone is gone, whoever was first.
        written.take(remove, refused, |_, _| ());
        Ok(written)
    }
}

impl Written {
    fn take(
        &mut self,
        ordered: &[OwnRoute],
        refused: Vec<(usize, io::Error)>,
        mut known: impl FnMut(OwnRoute, &mut Self),
    ) {
        self.changes += (ordered.len() - refused.len()) as u64;
        for (at, error) in refused {
            let Some(route) = ordered.get(at) else { continue };
            match error.raw_os_error() {
                Some(EEXIST | ESRCH) => known(*route, self),
                _ => drop(self.refused.get_or_insert((*route, error))),
            }
        }
    }
}

fn question(address_family: AddressFamily, ifindex: u32) -> RouteMessage {
    let mut question = RouteMessage::default();
    question.header.address_family = address_family;
    question.header.protocol = RouteProtocol::Other(PROTOCOL);
    question.header.table = RouteHeader::RT_TABLE_MAIN;
    question.attributes.push(RouteAttribute::Oif(ifindex));
    question
}

fn message(route: OwnRoute, ifindex: u32) -> RouteMessage {
    let address = route.prefix.addr();
    let mut message = RouteMessage::default();
    message.header.address_family = family(address).0;
    message.header.destination_prefix_length = route.prefix.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Other(PROTOCOL);
    message.header.kind = RouteType::Unicast;
    // Without a gateway: IPv4 wants to be told that what it leads to is on the link, IPv6 has no scopes.
    message.header.scope = if address.is_ipv4() { RouteScope::Link } else { RouteScope::Universe };
    message.attributes.push(RouteAttribute::Destination(address.into()));
    message.attributes.push(RouteAttribute::Oif(ifindex));
    message.attributes.push(RouteAttribute::Priority(route.metric));
    message
}

/// One of the routes of a dump. Kernels that cannot filter send all.
fn read(payload: &[u8], address_family: AddressFamily, ifindex: u32) -> Result<Option<OwnRoute>, DecodeError> {
    // Told apart before the rest is decoded: there may be a million others.
    if payload.get(5) != Some(&PROTOCOL) {
        return Ok(None);
    }
    let message = RouteMessage::parse(payload)?;
    let (mut address, mut metric, mut oif) = (None, 0, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(found)) => address = Some(IpAddr::V4(*found)),
            RouteAttribute::Destination(RouteAddress::Inet6(found)) => address = Some(IpAddr::V6(*found)),
            RouteAttribute::Priority(found) => metric = *found,
            RouteAttribute::Oif(found) => oif = Some(*found),
            _ => {}
        }
    }
    let is_own = message.header.address_family == address_family
        && message.header.table == RouteHeader::RT_TABLE_MAIN
        && message.header.kind == RouteType::Unicast
        && oif == Some(ifindex);
    let prefix = address.and_then(|address| IpNet::new(address, message.header.destination_prefix_length).ok());
    Ok(prefix.filter(|_| is_own).map(|prefix| OwnRoute { prefix, metric }))
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::Emitable as _;

    use super::*;

    fn bytes(message: &RouteMessage) -> Vec<u8> {
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        bytes
    }

    #[test]
    fn route_as_it_is_ordered_reads_back_from_a_dump() {
        for (prefix, metric, address_family) in [
            ("192.0.2.10/32", 100, AddressFamily::Inet),
            ("192.0.2.0/24", 200, AddressFamily::Inet),
            ("2001:db8::1/128", 100, AddressFamily::Inet6),
        ] {
            let route = OwnRoute { prefix: prefix.parse().unwrap(), metric };
            let bytes = bytes(&message(route, 7));
            assert_eq!(read(&bytes, address_family, 7).unwrap(), Some(route));
            assert_eq!(read(&bytes, address_family, 8).unwrap(), None, "another interface");
        }
    }

    #[test]
    fn route_of_another_protocol_is_none_of_ours() {
        let mut foreign = message(OwnRoute { prefix: "192.0.2.10/32".parse().unwrap(), metric: 100 }, 7);
        foreign.header.protocol = RouteProtocol::Static;
        assert_eq!(read(&bytes(&foreign), AddressFamily::Inet, 7).unwrap(), None);
    }
}
