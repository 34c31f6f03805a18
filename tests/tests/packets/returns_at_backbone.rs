//! On a PoP: answers of gateways come out of their tunnels and go on to clients.

mod every_tunnel;
mod inner_packets;
mod marks;
mod not_taken;
mod refused_tunnels;
mod routes;
mod whose;

use anycast_common::{encap::Encap, outcome::Outcome};
use anycast_tests::{
    oracle::{model::Action, place, tables::PopReturns},
    packet::{Packet, ttl_decremented},
};

use crate::fixture::{
    Answer, Row, Way,
    world::{TAG, TUNNELS, address, interface},
};

/// Any: the tunnel's PoP end varies by it.
const FLOW_HASH: u64 = 0x0123_4567_89ab_cdef;
/// Bytes of Ethernet header.
const ETHERNET_BYTES: usize = 14;

/// Clients by where the kernel's routes to them lead, IPv4 and IPv6.
mod client {
    /// Out of the access interface.
    pub const ACCESS: [&str; 2] = ["198.51.100.7", "2001:db8:c::7"];
    /// Out of an access interface that is not in the device map.
    pub const UNMAPPED: [&str; 2] = ["198.51.101.7", "2001:db8:c1::7"];
    /// Out of the backbone interface.
    pub const BACKBONE: [&str; 2] = ["198.51.102.7", "2001:db8:c2::7"];
    /// Out of a tagged access interface.
    pub const TAGGED: [&str; 2] = ["198.51.103.7", "2001:db8:c3::7"];
    /// Out of the access interface, over a narrow way.
    pub const NARROW: [&str; 2] = ["198.51.104.7", "2001:db8:c4::7"];
    /// Out of the access interface, to a neighbour that is not resolved.
    pub const UNRESOLVED: [&str; 2] = ["198.51.105.7", "2001:db8:c5::7"];
    /// The same out of the backbone interface.
    pub const UNRESOLVED_BACKBONE: [&str; 2] = ["198.51.106.7", "2001:db8:c6::7"];
    /// Nowhere, by a route that says so.
    pub const BLACKHOLE: [&str; 2] = ["198.51.107.7", "2001:db8:c7::7"];
    /// No route leads there.
    pub const NO_ROUTE: [&str; 2] = ["203.0.113.7", "2001:db8:99::7"];
    /// The PoP's own address, which no probe comes from.
    pub const OWN: [&str; 2] = ["10.201.102.1", "fd02:102::1"];
}

pub fn rows() -> Vec<Row> {
    let tunnels = TUNNELS[..8].iter().flat_map(|(vips, way)| (0..2).map(move |family| (vips[family], *way, family)));
    let mut rows: Vec<_> = tunnels.flat_map(|(vip, way, family)| every_tunnel::rows(vip, &way, family)).collect();
    rows.extend(not_taken::rows());
    rows.extend(refused_tunnels::rows());
    for of_family in [inner_packets::rows, whose::rows, marks::rows, routes::rows] {
        rows.extend([0, 1].into_iter().flat_map(of_family));
    }
    rows
}

/// The gateway's packet to the PoP around `inner`, in the tunnel of this way.
pub fn around(way: &Way, inner: &[u8]) -> Packet {
    let outer = Packet::between(address(way.backend), way.source_of(FLOW_HASH)).as_outer().ttl(61);
    let ether_type = if inner[0] >> 4 == 6 { [0x86, 0xdd] } else { [0x08, 0x00] };
    match way.encap {
        Encap::Ipip => outer.encapsulating(inner),
        Encap::Gre { key: None } => outer.protocol(47).payload([&[0, 0], &ether_type[..], inner].concat()),
        Encap::Gre { key: Some(key) } => {
            outer.protocol(47).payload([&[0x20, 0], &ether_type[..], &key.to_be_bytes(), inner].concat())
        }
        Encap::Gue { .. } => outer.udp_without_checksum(50_000, PopReturns::GUE_PORT).payload(inner),
    }
}

fn outer_bytes(way: &Way) -> usize {
    let behind_ip = match way.encap {
        Encap::Ipip => 0,
        Encap::Gre { key: None } => 4,
        Encap::Gre { key: Some(_) } | Encap::Gue { .. } => 8,
    };
    if way.is_v6() { 40 + behind_ip } else { 20 + behind_ip }
}

/// The answer leaves by this interface, in this Ethernet header and with these bytes behind its packet.
fn returned(row: Row, vip: &'static str, packet: &[u8], ifindex: u32, behind: &[u8]) -> Row {
    let mac = place::mac_of(ifindex).expect("an interface");
    let mut frame = [place::neighbour(ifindex), mac].concat();
    if ifindex == interface::TAGGED.ifindex {
        frame.extend([&[0x81, 0x00], &TAG.to_be_bytes()[..]].concat());
    }
    frame.extend(if packet[0] >> 4 == 6 { [0x86, 0xdd] } else { [0x08, 0x00] });
    frame.extend(packet);
    frame.extend(behind);
    let action = if ifindex == row.input.ingress_ifindex { Action::Tx } else { Action::Redirect };
    let answer = Answer { vip, outcome: Outcome::Returned, action, frame: Some(frame), peer: None };
    row.counted_as(packet.len()).answer(answer)
}

/// The answer leaves by the access interface with its TTL decremented.
fn returned_as_is(row: Row, vip: &'static str, inner: &[u8]) -> Row {
    returned(row, vip, &ttl_decremented(inner), interface::ACCESS.ifindex, &[])
}

/// Two ways of tunnels in IPv4 and IPv6, and their VIPs: IPIP, GRE, GRE with a key, GUE.
fn ways() -> [([&'static str; 2], Way); 8] {
    std::array::from_fn(|number| TUNNELS[number])
}

fn datagram(vip: &str) -> Vec<u8> {
    let family = usize::from(vip.contains(':'));
    Packet::from_to(vip, client::ACCESS[family]).udp(53, 4321).payload_len(8).build_ip()
}
