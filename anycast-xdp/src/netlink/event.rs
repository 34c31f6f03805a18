//! What a message of the kernel's multicast groups is about.
//!
//! Events are only believed to name what changed. The state itself is asked for afterwards, so an event that is old by
//! the time it is read does no harm. Neighbours are the exception: their events carry all that matters.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use libc::{
    RTM_DELADDR, RTM_DELLINK, RTM_DELNEIGH, RTM_DELROUTE, RTM_DELRULE, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWNEIGH,
    RTM_NEWROUTE, RTM_NEWRULE,
};
use netlink_packet_core::{DecodeError, Emitable as _, NlasIterator};
use netlink_packet_route::{AddressFamily, link::LinkHeader, route::RouteHeader};

use super::{
    NeighbourKey,
    neighbour::{self, Entry},
    nexthop::{RTM_DELNEXTHOP, RTM_NEWNEXTHOP},
};

const RTA_DST: u16 = 1;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A route of this prefix came, went or changed.
    Route(IpNet),
    /// This is the neighbour now; `None`: it is gone.
    Neighbour(NeighbourKey, Option<Entry>),
    /// Something that any route may depend on: a link, an address, a rule, a nexthop object.
    Everything,
    /// Nothing that routes depend on.
    Nothing,
    /// It could not be read: nothing that is known is certain.
    Unreadable,
}

/// Reads one event.
pub(super) fn read(message_type: u16, payload: &[u8]) -> Event {
    let read = match message_type {
        RTM_NEWROUTE | RTM_DELROUTE => prefix(payload).map(|prefix| prefix.map_or(Event::Nothing, Event::Route)),
        RTM_NEWNEIGH | RTM_DELNEIGH => neighbour::entry(payload).map(|read| {
            let there = message_type == RTM_NEWNEIGH;
            read.map_or(Event::Nothing, |(key, entry)| Event::Neighbour(key, Some(entry).filter(|_| there)))
        }),
        RTM_NEWLINK | RTM_DELLINK => link(payload),
        RTM_NEWADDR | RTM_DELADDR | RTM_NEWRULE | RTM_DELRULE | RTM_NEWNEXTHOP | RTM_DELNEXTHOP => {
            Ok(Event::Everything)
        }
        _ => Ok(Event::Nothing),
    };
    read.unwrap_or(Event::Unreadable)
}

/// The prefix of a route event; `None`: not a unicast family. Nothing else of it is decoded: a routing daemon that
/// installs a full table sends a million of these.
fn prefix(payload: &[u8]) -> Result<Option<IpNet>, DecodeError> {
    let header = RouteHeader::parse(payload)?;
    let mut address = if header.address_family == AddressFamily::Inet {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    } else if header.address_family == AddressFamily::Inet6 {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    } else {
        return Ok(None);
    };
    for nla in NlasIterator::new(payload.get(header.buffer_len()..).unwrap_or_default()) {
        let nla = nla?;
        if nla.kind() != RTA_DST {
            continue;
        }
        address = match (address, nla.value()) {
            (IpAddr::V4(_), value) => <[u8; 4]>::try_from(value).map(IpAddr::from),
            (IpAddr::V6(_), value) => <[u8; 16]>::try_from(value).map(IpAddr::from),
        }
        .map_err(|_| DecodeError::from("destination of another length than its family's"))?;
    }
    let prefix = IpNet::new(address, header.destination_prefix_length);
    prefix.map(Some).map_err(|error| DecodeError::from(error.to_string()))
}

/// Bridges tell of their ports in link messages of their own family; that concerns no route.
fn link(payload: &[u8]) -> Result<Event, DecodeError> {
    let bridge = LinkHeader::parse(payload)?.interface_family == AddressFamily::Bridge;
    Ok(if bridge { Event::Nothing } else { Event::Everything })
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::Emitable;
    use netlink_packet_route::{
        link::LinkMessage,
        neighbour::NeighbourState,
        route::{RouteAttribute, RouteMessage},
    };

    use super::*;

    fn bytes(message: &impl Emitable) -> Vec<u8> {
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        bytes
    }

    fn route(family: AddressFamily, prefix_len: u8, destination: Option<&str>) -> Vec<u8> {
        let mut message = RouteMessage::default();
        message.header.address_family = family;
        message.header.destination_prefix_length = prefix_len;
        message.attributes.push(RouteAttribute::Oif(3));
        if let Some(destination) = destination {
            message.attributes.push(RouteAttribute::Destination(destination.parse::<IpAddr>().unwrap().into()));
        }
        bytes(&message)
    }

    fn key() -> NeighbourKey {
        NeighbourKey { ifindex: 4, address: "fe80::1".parse().unwrap() }
    }

    #[test]
    fn route_events_name_their_prefix() {
        let v4 = route(AddressFamily::Inet, 24, Some("192.0.2.0"));
        assert_eq!(read(RTM_NEWROUTE, &v4), Event::Route("192.0.2.0/24".parse().unwrap()));
        let v6 = route(AddressFamily::Inet6, 32, Some("2001:db8::"));
        assert_eq!(read(RTM_DELROUTE, &v6), Event::Route("2001:db8::/32".parse().unwrap()));
    }

    #[test]
    fn default_routes_name_the_prefix_of_length_zero() {
        let v4 = route(AddressFamily::Inet, 0, None);
        assert_eq!(read(RTM_NEWROUTE, &v4), Event::Route("0.0.0.0/0".parse().unwrap()));
        let v6 = route(AddressFamily::Inet6, 0, None);
        assert_eq!(read(RTM_NEWROUTE, &v6), Event::Route("::/0".parse().unwrap()));
    }

    #[test]
    fn route_of_another_family_is_nothing() {
        assert_eq!(read(RTM_NEWROUTE, &route(AddressFamily::Mpls, 20, None)), Event::Nothing);
    }

    #[test]
    fn route_with_a_destination_of_the_wrong_length_is_unreadable() {
        assert_eq!(read(RTM_NEWROUTE, &route(AddressFamily::Inet, 24, Some("2001:db8::"))), Event::Unreadable);
        assert_eq!(read(RTM_NEWROUTE, &route(AddressFamily::Inet, 33, Some("192.0.2.0"))), Event::Unreadable);
    }

    #[test]
    fn new_neighbour_gives_its_entry_and_deleted_neighbour_gives_none() {
        let mut message = neighbour::question(key());
        message.header.state = NeighbourState::Failed;
        let Event::Neighbour(named, Some(entry)) = read(RTM_NEWNEIGH, &bytes(&message)) else { panic!("no entry") };
        assert_eq!((named, entry.state), (key(), NeighbourState::Failed));
        assert_eq!(read(RTM_DELNEIGH, &bytes(&message)), Event::Neighbour(key(), None));
    }

    #[test]
    fn links_addresses_rules_and_nexthops_concern_everything() {
        assert_eq!(read(RTM_NEWLINK, &bytes(&LinkMessage::default())), Event::Everything);
        assert_eq!(read(RTM_DELLINK, &bytes(&LinkMessage::default())), Event::Everything);
        for message_type in [RTM_NEWADDR, RTM_DELADDR, RTM_NEWRULE, RTM_DELRULE, RTM_NEWNEXTHOP, RTM_DELNEXTHOP] {
            assert_eq!(read(message_type, &[]), Event::Everything);
        }
    }

    #[test]
    fn bridge_port_event_is_nothing() {
        let mut message = LinkMessage::default();
        message.header.interface_family = AddressFamily::Bridge;
        assert_eq!(read(RTM_NEWLINK, &bytes(&message)), Event::Nothing);
    }

    #[test]
    fn truncated_events_are_unreadable() {
        for message_type in [RTM_NEWROUTE, RTM_NEWNEIGH, RTM_NEWLINK] {
            assert_eq!(read(message_type, &[2, 0]), Event::Unreadable, "{message_type}");
        }
    }
}
