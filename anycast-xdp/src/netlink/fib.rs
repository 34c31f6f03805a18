//! The route of one destination: the question, and the reply with all its members.
//!
//! `RTM_F_FIB_MATCH` makes the kernel reply with the entry of its table that matches, as it stands there with every
//! member and its flags, and not with the one member that it would pick for one packet.

#![expect(clippy::wildcard_enum_match_arm, reason = "kernels add attributes; those of no interest are passed over")]

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{DecodeError, Parseable as _};
use netlink_packet_route::{
    AddressFamily,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteMetric, RouteNextHop, RouteNextHopFlags,
        RouteType, RouteVia,
    },
};

/// Flags of a member that carries no traffic. The bits are the same for a member and for a route that has only one.
const DOWN: RouteNextHopFlags =
    RouteNextHopFlags::Dead.union(RouteNextHopFlags::Linkdown).union(RouteNextHopFlags::Unresolved);

/// A unicast entry of the kernel's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FibEntry {
    pub prefix: IpNet,
    /// The route's `mtu` metric.
    pub mtu_bytes: Option<u32>,
    /// Those that the kernel itself calls usable, in its order.
    pub members: Vec<Member>,
    /// The nexthop object, where the route names one.
    pub nexthop_id: Option<u32>,
}

/// One way of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub ifindex: u32,
    /// None: the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// At least 1.
    pub weight: u16,
}

/// The address family of an address, and its length in bits.
pub(super) const fn family(address: IpAddr) -> (AddressFamily, u8) {
    match address {
        IpAddr::V4(_) => (AddressFamily::Inet, 32),
        IpAddr::V6(_) => (AddressFamily::Inet6, 128),
    }
}

/// Asks for the entry that matches.
pub(super) fn question(destination: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    (message.header.address_family, message.header.destination_prefix_length) = family(destination);
    message.header.flags = RouteFlags::FibMatch;
    message.attributes.push(RouteAttribute::Destination(destination.into()));
    message
}

/// Reads the reply; `None`: the route is not one that packets leave by (blackhole, unreachable, local, ...).
pub(super) fn reply(destination: IpAddr, payload: &[u8]) -> Result<Option<FibEntry>, DecodeError> {
    let message = RouteMessage::parse(payload)?;
    if message.header.kind != RouteType::Unicast {
        return Ok(None);
    }
    // The prefix length is the kernel's and fits the family; the address is given for all but default routes.
    let prefix = IpNet::new(destination, message.header.destination_prefix_length)
        .map_err(|error| DecodeError::from(error.to_string()))?
        .trunc();
    Ok(Some(FibEntry {
        prefix,
        mtu_bytes: mtu(&message.attributes),
        members: members(&message),
        nexthop_id: message.attributes.iter().find_map(|attribute| match *attribute {
            RouteAttribute::NhId(id) => Some(id),
            _ => None,
        }),
    }))
}

fn mtu(attributes: &[RouteAttribute]) -> Option<u32> {
    attributes
        .iter()
        .filter_map(|attribute| if let RouteAttribute::Metrics(metrics) = attribute { Some(metrics) } else { None })
        .flatten()
        .find_map(|metric| match *metric {
            RouteMetric::Mtu(bytes) if bytes > 0 => Some(bytes),
            _ => None,
        })
}

/// The usable members, whether the reply lists them or is itself the only one.
fn members(message: &RouteMessage) -> Vec<Member> {
    let listed = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::MultiPath(listed) => Some(listed),
        _ => None,
    });
    match listed {
        Some(listed) => listed.iter().filter_map(listed_member).collect(),
        None => single_member(message).into_iter().collect(),
    }
}

fn listed_member(hop: &RouteNextHop) -> Option<Member> {
    if hop.flags.intersects(DOWN) || tunnelled(&hop.attributes) {
        return None;
    }
    Some(Member {
        ifindex: hop.interface_index,
        gateway: gateway(&hop.attributes),
        // The kernel stores weight - 1.
        weight: u16::from(hop.hops) + 1,
    })
}

fn single_member(message: &RouteMessage) -> Option<Member> {
    if message.header.flags.bits() & u32::from(DOWN.bits()) != 0 || tunnelled(&message.attributes) {
        return None;
    }
    let ifindex = message.attributes.iter().find_map(|attribute| match *attribute {
        RouteAttribute::Oif(ifindex) => Some(ifindex),
        _ => None,
    })?;
    Some(Member { ifindex, gateway: gateway(&message.attributes), weight: 1 })
}

/// The kernel would wrap these packets once more (MPLS, SRv6, ...), which the kernel program does not do.
fn tunnelled(attributes: &[RouteAttribute]) -> bool {
    attributes.iter().any(|attribute| matches!(attribute, RouteAttribute::EncapType(_) | RouteAttribute::Encap(_)))
}

fn gateway(attributes: &[RouteAttribute]) -> Option<IpAddr> {
    attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(RouteAddress::Inet(address)) | RouteAttribute::Via(RouteVia::Inet(address)) => {
            Some(IpAddr::V4(*address))
        }
        RouteAttribute::Gateway(RouteAddress::Inet6(address)) | RouteAttribute::Via(RouteVia::Inet6(address)) => {
            Some(IpAddr::V6(*address))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::Emitable;
    use netlink_packet_route::route::RouteLwEnCapType;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn route(prefix: &str, attributes: Vec<RouteAttribute>) -> RouteMessage {
        let prefix: IpNet = prefix.parse().unwrap();
        let mut message = RouteMessage::default();
        message.header.address_family = family(prefix.addr()).0;
        message.header.destination_prefix_length = prefix.prefix_len();
        message.header.kind = RouteType::Unicast;
        message.attributes = attributes;
        message
    }

    fn hop(ifindex: u32, gateway: &str, hops: u8, flags: RouteNextHopFlags) -> RouteNextHop {
        let mut hop = RouteNextHop::default();
        hop.interface_index = ifindex;
        hop.hops = hops;
        hop.flags = flags;
        hop.attributes = vec![RouteAttribute::Gateway(address(gateway).into())];
        hop
    }

    fn read(destination: &str, message: &RouteMessage) -> Option<FibEntry> {
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        reply(address(destination), &bytes).unwrap()
    }

    #[test]
    fn question_asks_for_the_matching_entry_of_the_whole_address() {
        let v4 = question(address("192.0.2.1"));
        assert_eq!((v4.header.address_family, v4.header.destination_prefix_length), (AddressFamily::Inet, 32));
        assert_eq!(v4.header.flags, RouteFlags::FibMatch);
        let v6 = question(address("2001:db8::1"));
        assert_eq!((v6.header.address_family, v6.header.destination_prefix_length), (AddressFamily::Inet6, 128));
    }

    #[test]
    fn single_gateway_gives_one_member_of_weight_one() {
        let message =
            route("192.0.2.0/24", vec![RouteAttribute::Gateway(address("10.0.0.1").into()), RouteAttribute::Oif(3)]);
        let entry = read("192.0.2.9", &message).unwrap();
        assert_eq!(entry.prefix, "192.0.2.0/24".parse().unwrap());
        assert_eq!(entry.members, [Member { ifindex: 3, gateway: Some(address("10.0.0.1")), weight: 1 }]);
        assert_eq!((entry.mtu_bytes, entry.nexthop_id), (None, None));
    }

    #[test]
    fn on_link_route_gives_a_member_without_gateway() {
        let entry = read("10.0.0.9", &route("10.0.0.0/24", vec![RouteAttribute::Oif(3)])).unwrap();
        assert_eq!(entry.members, [Member { ifindex: 3, gateway: None, weight: 1 }]);
    }

    #[test]
    fn multipath_gives_all_members_with_weight_one_more_than_stored() {
        let hops =
            vec![hop(3, "fe80::1", 0, RouteNextHopFlags::empty()), hop(4, "fe80::1", 255, RouteNextHopFlags::Onlink)];
        let entry = read("2001:db8::9", &route("2001:db8::/32", vec![RouteAttribute::MultiPath(hops)])).unwrap();
        assert_eq!(
            entry.members,
            [
                Member { ifindex: 3, gateway: Some(address("fe80::1")), weight: 1 },
                Member { ifindex: 4, gateway: Some(address("fe80::1")), weight: 256 },
            ]
        );
    }

    #[test]
    fn dead_linkdown_and_unresolved_members_are_left_out() {
        let hops = vec![
            hop(3, "10.0.0.1", 0, RouteNextHopFlags::Dead | RouteNextHopFlags::Linkdown),
            hop(4, "10.0.1.1", 0, RouteNextHopFlags::Linkdown),
            hop(5, "10.0.2.1", 0, RouteNextHopFlags::Unresolved),
            hop(6, "10.0.3.1", 0, RouteNextHopFlags::empty()),
        ];
        let entry = read("192.0.2.9", &route("0.0.0.0/0", vec![RouteAttribute::MultiPath(hops)])).unwrap();
        assert_eq!(entry.members.iter().map(|m| m.ifindex).collect::<Vec<_>>(), [6]);
    }

    #[test]
    fn single_route_with_link_down_has_no_member() {
        let mut message = route("192.0.2.0/24", vec![RouteAttribute::Oif(3)]);
        message.header.flags = RouteFlags::Linkdown;
        assert_eq!(read("192.0.2.9", &message).unwrap().members, []);
    }

    #[test]
    fn ipv4_route_via_ipv6_gateway_gives_that_gateway() {
        let message = route(
            "192.0.2.0/24",
            vec![RouteAttribute::Via(RouteVia::Inet6("fe80::1".parse().unwrap())), RouteAttribute::Oif(3)],
        );
        assert_eq!(read("192.0.2.9", &message).unwrap().members[0].gateway, Some(address("fe80::1")));
    }

    #[test]
    fn mtu_metric_is_read_and_zero_means_none() {
        let with = |bytes| {
            let metrics = vec![RouteMetric::Hoplimit(64), RouteMetric::Mtu(bytes)];
            read("192.0.2.9", &route("0.0.0.0/0", vec![RouteAttribute::Metrics(metrics)])).unwrap().mtu_bytes
        };
        assert_eq!(with(1400), Some(1400));
        assert_eq!(with(0), None);
    }

    #[test]
    fn routes_that_no_packet_leaves_by_are_none() {
        for kind in [RouteType::BlackHole, RouteType::Unreachable, RouteType::Prohibit, RouteType::Local] {
            let mut message = route("192.0.2.0/24", vec![RouteAttribute::Oif(1)]);
            message.header.kind = kind;
            assert_eq!(read("192.0.2.9", &message), None, "{kind:?}");
        }
    }

    #[test]
    fn member_that_the_kernel_would_encapsulate_is_left_out() {
        let message =
            route("192.0.2.0/24", vec![RouteAttribute::Oif(3), RouteAttribute::EncapType(RouteLwEnCapType::Mpls)]);
        assert_eq!(read("192.0.2.9", &message).unwrap().members, []);
    }

    #[test]
    fn nexthop_object_is_named() {
        let entry = read("192.0.2.9", &route("192.0.2.0/24", vec![RouteAttribute::NhId(10)])).unwrap();
        assert_eq!((entry.nexthop_id, entry.members), (Some(10), vec![]));
    }
}
