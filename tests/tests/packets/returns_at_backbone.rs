//! On a PoP: answers of gateways come out of their tunnels and go on to clients.

use anycast_common::{encap::Encap, outcome::Outcome};
use anycast_tests::{
    oracle::{model::Action, place, tables::PopReturns},
    packet::{IcmpError, Packet, ttl_decremented},
};

use crate::fixture::{
    Answer, Row, Way, backbone,
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
    /// The PoP's own address.
    pub const OWN: [&str; 2] = ["10.201.101.1", "fd02:101::1"];
}

pub fn rows() -> Vec<Row> {
    let tunnels = TUNNELS[..8].iter().flat_map(|(vips, way)| (0..2).map(move |family| (vips[family], *way, family)));
    let mut rows: Vec<_> = tunnels.flat_map(|(vip, way, family)| of_tunnel(vip, &way, family)).collect();
    rows.extend(not_taken());
    rows.extend(outer_headers());
    rows.extend(tunnel_headers());
    rows.extend([0, 1].into_iter().flat_map(inner_packets));
    rows.extend([0, 1].into_iter().flat_map(whose));
    rows.extend([0, 1].into_iter().flat_map(marks));
    rows.extend([0, 1].into_iter().flat_map(routes));
    rows
}

/// The gateway's packet to the PoP around `inner`, in the tunnel of this way.
fn around(way: &Way, inner: &[u8]) -> Packet {
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

fn name(vip: &str, way: &Way) -> String {
    let inner = if vip.contains(':') { 6 } else { 4 };
    let outer = if way.is_v6() { 6 } else { 4 };
    format!("answer of IPv{inner} in {:?} over IPv{outer}", way.encap)
}

/// What every tunnel carries.
fn of_tunnel(vip: &'static str, way: &Way, family: usize) -> Vec<Row> {
    let from_vip = || Packet::from_to(vip, client::ACCESS[family]);
    let datagram = from_vip().udp(53, 4321).payload_len(77).build_ip();
    let header_only = from_vip().ttl(2).build_ip();
    let row = |what: &str, packet: Packet| backbone(format!("{}: {what}", name(vip, way)), packet);
    let from_vip_to_narrow = Packet::from_to(vip, client::NARROW[family]);
    let padded = around(way, &header_only).pad_to(ETHERNET_BYTES + outer_bytes(way) + header_only.len() + 9);
    let too_long = Packet::from_to(vip, client::NARROW[family]).df().tcp(80, 4321).payload_len(1400).build_ip();
    let too_long_capable = from_vip_to_narrow.dscp_ecn(2).df().tcp(80, 4321).payload_len(1400).build_ip();
    vec![
        returned_as_is(row("a datagram goes on", around(way, &datagram)), vip, &datagram),
        returned_as_is(row("a TTL of 2 goes on as 1", around(way, &header_only)), vip, &header_only),
        returned_as_is(row("tags come off", around(way, &datagram).service_vlan(9).vlan(8)), vip, &datagram),
        returned(
            row("padding stays behind", padded),
            vip,
            &ttl_decremented(&header_only),
            interface::ACCESS.ifindex,
            &[0xaa; 9],
        ),
        returned_as_is(
            row("from another backbone interface it is redirected", around(way, &datagram)).by(interface::BACKBONE),
            vip,
            &datagram,
        ),
        returned(
            row("to a tagged interface it gets the tag", around(way, &to_tagged(vip, family))),
            vip,
            &ttl_decremented(&to_tagged(vip, family)),
            interface::TAGGED.ifindex,
            &[],
        ),
        told(row("too long for the client, it is told in the tunnel", around(way, &too_long)), vip, way, &too_long),
        told(
            row("too long and by another interface, it is told", around(way, &too_long)).by(interface::BACKBONE),
            vip,
            way,
            &too_long,
        ),
        told(
            row("too long and marked, it is told without the mark", around(way, &too_long_capable).dscp_ecn(0x03)),
            vip,
            way,
            &too_long_capable,
        ),
        told(
            row("too long and tagged, it is told without tags", around(way, &too_long).service_vlan(9).vlan(8)),
            vip,
            way,
            &too_long,
        ),
        row("a TTL of 1 is dropped", around(way, &from_vip().ttl(1).udp(1, 2).build_ip()))
            .counted_as(header_only.len() + 8)
            .not_returned(vip, Outcome::TtlExpired),
    ]
}

fn to_tagged(vip: &str, family: usize) -> Vec<u8> {
    Packet::from_to(vip, client::TAGGED[family]).udp(1, 2).payload_len(9).build_ip()
}

/// Sent back in its tunnel as an error of the client about `inner`.
fn told(row: Row, vip: &'static str, way: &Way, inner: &[u8]) -> Row {
    let client = if vip.contains(':') { client::NARROW[1] } else { client::NARROW[0] };
    let quote = &inner[..if vip.contains(':') { 1232 } else { 548 }];
    let error = IcmpError::TooBig(place::NARROW_MTU_BYTES);
    let error = Packet::from_to(client, vip).as_error().icmp_error(error, quote).build_ip();
    // The tunnel of the gateway, its ends turned.
    let ends = Way { backend: way.backend, ..*way };
    let turned = around(&ends, &error);
    let came = row.input.frame.clone();
    let frame = turned
        .ttl(64)
        .dscp_ecn(0xc0)
        .ethernet(came[6..12].try_into().expect("six bytes"), came[..6].try_into().expect("six bytes"))
        .raw_ip(turn_round)
        .build();
    let answer = Answer { vip, outcome: Outcome::TooBigAnswered, action: Action::Tx, frame: Some(frame), peer: None };
    row.counted_as(inner.len()).answer(answer)
}

/// Source and destination change places, which no checksum sees.
fn turn_round(packet: &mut [u8]) {
    let (at, bytes) = if packet[0] >> 4 == 6 { (8, 16) } else { (12, 4) };
    let (source, destination) = packet[at..at + bytes * 2].split_at_mut(bytes);
    source.swap_with_slice(destination);
}

/// Two ways of tunnels in IPv4 and IPv6, and their VIPs: IPIP, GRE, GRE with a key, GUE.
fn ways() -> [([&'static str; 2], Way); 8] {
    std::array::from_fn(|number| TUNNELS[number])
}

fn datagram(vip: &str) -> Vec<u8> {
    let family = usize::from(vip.contains(':'));
    Packet::from_to(vip, client::ACCESS[family]).udp(53, 4321).payload_len(8).build_ip()
}

/// None of this program's business.
fn not_taken() -> Vec<Row> {
    let ([vip, _], way) = ways()[0];
    let (_, gue) = ways()[6];
    let (_, way_v6) = ways()[1];
    let inner = datagram(vip);
    let pop = way.source_of(FLOW_HASH);
    vec![
        backbone("backbone: ARP is passed", around(&way, &inner).ether_type(0x0806)),
        backbone("backbone: a third tag is passed", around(&way, &inner).vlan(1).vlan(2).vlan(3)),
        backbone("backbone: half an IP header is passed", around(&way, &inner).truncate_ip(19)),
        backbone("backbone: half an IPv6 header is passed", around(&way_v6, &inner).truncate_ip(39)),
        backbone(
            "backbone: a tunnel to another address is passed",
            Packet::from_to(way.backend, "10.3.80.0").as_outer().encapsulating(&inner),
        ),
        backbone(
            "backbone: a tunnel to another IPv6 address is passed",
            Packet::from_to(way_v6.backend, "fd00:3:64::1:0").as_outer().encapsulating(&inner),
        ),
        backbone("backbone: TCP to a tunnel source is passed", Packet::between(address(way.backend), pop).tcp(1, 2)),
        backbone("backbone: a packet for a VIP is passed", Packet::from_to(client::ACCESS[0], vip).udp(1, 2)),
        backbone(
            "backbone: UDP to another port is passed",
            Packet::between(address(gue.backend), pop)
                .udp_without_checksum(1, PopReturns::GUE_PORT + 1)
                .payload(&inner),
        ),
        backbone("backbone: a fragment of UDP is passed", around(&gue, &inner).fragment(0, true)),
        backbone("backbone: UDP behind options is passed", around(&gue, &inner).options(&[1; 4])),
    ]
}

fn outer_headers() -> Vec<Row> {
    let ([vip, _], way) = ways()[0];
    let (_, way_v6) = ways()[1];
    let inner = datagram(vip);
    let row = |what: &str, packet: Packet| backbone(format!("backbone: {what} is refused"), packet);
    vec![
        row("an outer header with options", around(&way, &inner).options(&[1; 4])).refused(Outcome::OuterHeader),
        row("an outer version of 5", around(&way, &inner).version(5)).refused(Outcome::OuterHeader),
        row("an outer length beyond the frame", around(&way, &inner).total_length(99)).refused(Outcome::OuterHeader),
        row("an outer payload length beyond the frame", around(&way_v6, &inner).payload_length(99))
            .refused(Outcome::OuterHeader),
        row("a first outer fragment", around(&way, &inner).fragment(0, true)).refused(Outcome::OuterFragment),
        row("a last outer fragment", around(&way, &inner).fragment(64, false)).refused(Outcome::OuterFragment),
        row("an outer fragment of IPv6", around(&way_v6, &inner).fragment(0, true)).refused(Outcome::OuterFragment),
    ]
}

fn tunnel_headers() -> Vec<Row> {
    let mut rows = Vec::new();
    for position in [2, 3] {
        let ([vip, _], gre) = ways()[position];
        let over = if gre.is_v6() { 6 } else { 4 };
        let header = |bytes: &[u8]| {
            let outer = Packet::between(address(gre.backend), gre.source_of(FLOW_HASH)).as_outer().protocol(47);
            outer.payload([bytes, &datagram(vip)].concat())
        };
        for (what, bytes) in [
            ("a GRE checksum", &[0x80, 0, 8, 0, 0, 0, 0, 0][..]),
            ("a GRE version of 1", &[0, 1, 8, 0]),
            ("ARP in GRE", &[0, 0, 8, 6]),
        ] {
            let name = format!("backbone, over IPv{over}: {what} is refused");
            rows.push(backbone(name, header(bytes)).refused(Outcome::TunnelHeader));
        }
    }
    for position in [6, 7] {
        let ([vip, _], gue) = ways()[position];
        let over = if gue.is_v6() { 6 } else { 4 };
        let udp_at = outer_bytes(&gue) - 8;
        let inner = datagram(vip);
        rows.push(
            backbone(
                format!("backbone, over IPv{over}: a UDP length that lies is refused"),
                around(&gue, &inner).raw_ip(move |ip| ip[udp_at + 5] ^= 1),
            )
            .refused(Outcome::TunnelHeader),
        );
        rows.push(
            backbone(
                format!("backbone, over IPv{over}: variant 0 of GUE is refused"),
                around(&gue, &inner).raw_ip(move |ip| ip[udp_at + 8] = 0x05),
            )
            .refused(Outcome::TunnelHeader),
        );
        rows.push(
            backbone(
                format!("backbone, over IPv{over}: a UDP checksum is refused"),
                around(&gue, &inner).raw_ip(move |ip| ip[udp_at + 7] = 1),
            )
            .refused(Outcome::TunnelChecksum),
        );
    }
    rows
}

/// Of the VIP of this family.
fn inner_packets(family: usize) -> Vec<Row> {
    let (vips, way) = ways()[0];
    let (_, way_v6) = ways()[1];
    let vip = vips[family];
    let kind = if family == 0 { "IPv4" } else { "IPv6" };
    let from_vip = || Packet::from_to(vip, client::ACCESS[family]);
    let row = |what: &str, packet: Packet| backbone(format!("backbone, {kind} inside: {what}"), packet);
    let length = if family == 0 { Outcome::Ipv4TotalLength } else { Outcome::Ipv6PayloadLength };
    let beyond =
        if family == 0 { from_vip().udp(1, 2).total_length(99) } else { from_vip().udp(1, 2).payload_length(99) };
    let to_pop = [way, way_v6][family].source_of(FLOW_HASH);
    let nested = Packet::between(address(vip), to_pop).udp(1, 2).build_ip();
    let short = from_vip().build_ip()[..19].to_vec();
    let shorter = [from_vip().build_ip(), vec![0xbb; 9]].concat();
    vec![
        row("too short for a header", around(&way, &short)).refused(length),
        row("a length beyond the outer packet", around(&way, &beyond.build_ip())).refused(length),
        row("another version", around(&way, &from_vip().version(5).build_ip()).protocol_octet([4, 41][family]))
            .refused(Outcome::IpVersion),
        row("for a tunnel source", around(&way, &nested)).counted_as(nested.len()).refused(Outcome::NestedTunnel),
        returned(
            row("shorter than what holds it", around(&way, &shorter)),
            vip,
            &ttl_decremented(&from_vip().build_ip()),
            interface::ACCESS.ifindex,
            &[0xbb; 9],
        ),
    ]
}

/// Who sends whose answers.
fn whose(family: usize) -> Vec<Row> {
    let ways = ways();
    let mut rows = Vec::new();
    let kind = if family == 0 { "IPv4" } else { "IPv6" };
    let bytes = datagram(ways[0].0[family]).len();
    let row = |what: &str, packet: Packet| backbone(format!("answer of {kind} {what}"), packet).counted_as(bytes);
    let stranger = ["192.0.2.250", "2001:db8:1::250"][family];
    let direct = TUNNELS[9].0[family];
    let (vips, ipip) = ways[0];
    let vip = vips[family];
    let inner = datagram(vip);
    rows.push(row("of no VIP", around(&ipip, &datagram(stranger))).refused(Outcome::ReturnNotVip));
    rows.push(
        row("that goes directly", around(&TUNNELS[9].1, &datagram(direct))).not_returned(direct, Outcome::ReturnNotVip),
    );
    rows.push(
        row("by an unknown gateway", around(&Way { backend: "10.4.0.99", ..ipip }, &inner))
            .not_returned(vip, Outcome::NotReturner),
    );
    rows.push(
        row("by a gateway of another pool", around(&Way { encap: Encap::Ipip, ..ways[2].1 }, &inner))
            .not_returned(vip, Outcome::NotReturner),
    );
    rows.push(
        row("by the gateway's mapped address", around(&Way { backend: "::ffff:10.4.0.11", ..ways[1].1 }, &inner))
            .not_returned(vip, Outcome::NotReturner),
    );
    let gue = Encap::Gue { port: PopReturns::GUE_PORT };
    let (plain, other_key) = (Encap::Gre { key: None }, Encap::Gre { key: Some(7) });
    for (number, encap, what) in [
        (0, plain, "in GRE for IPIP"),
        (0, gue, "in GUE for IPIP"),
        (2, Encap::Ipip, "in IPIP for GRE"),
        (2, Encap::Gre { key: Some(0) }, "with a key of 0 for GRE without"),
        (4, plain, "without the key"),
        (4, other_key, "with another key"),
        (4, gue, "in GUE for a key"),
        (6, Encap::Ipip, "in IPIP for GUE"),
    ] {
        for offset in 0..2 {
            let (vips, way) = ways[number + offset];
            let over = if way.is_v6() { 6 } else { 4 };
            let packet = around(&Way { encap, ..way }, &datagram(vips[family]));
            rows.push(row(&format!("over IPv{over}, {what}"), packet).not_returned(vips[family], Outcome::NotReturner));
        }
    }
    rows
}

fn marks(family: usize) -> Vec<Row> {
    let (vips, way) = ways()[family];
    let (vip, kind) = (vips[family], ["IPv4", "IPv6"][family]);
    let marked = |octet: u8| {
        Packet::from_to(vip, client::ACCESS[family]).dscp_ecn(octet).udp(53, 4321).payload_len(8).build_ip()
    };
    let row = |outer: u8, inner: u8| {
        let name = format!("answer of {kind} of mark {inner:#04x} in one of {outer:#04x}");
        backbone(name, around(&way, &marked(inner)).dscp_ecn(outer))
    };
    let goes_on = |outer, inner, as_what| {
        returned(row(outer, inner), vip, &ttl_decremented(&marked(as_what)), interface::ACCESS.ifindex, &[])
    };
    vec![
        row(0x03, 0x00).counted_as(marked(0).len()).not_returned(vip, Outcome::EcnNotCapable),
        goes_on(0x03, 0x02, 0x03),
        goes_on(0x03, 0xb9, 0xbb),
        goes_on(0x01, 0x02, 0x01),
        goes_on(0x02, 0x01, 0x01),
        goes_on(0xb8, 0x22, 0x22),
        goes_on(0x01, 0x00, 0x00),
    ]
}

fn routes(family: usize) -> Vec<Row> {
    let (vips, way) = ways()[family];
    let (vip, kind) = (vips[family], ["IPv4", "IPv6"][family]);
    let to = |client: [&str; 2]| Packet::from_to(vip, client[family]);
    let short = |client| to(client).udp(53, 4321).payload_len(8).build_ip();
    let of_length = |client, bytes: usize| to(client).df().payload_len(bytes - [20, 40][family]).build_ip();
    let row = |what: &str, inner: &[u8]| {
        backbone(format!("answer of {kind}: {what}"), around(&way, inner)).counted_as(inner.len())
    };
    let mut rows = vec![];
    for (what, client) in [
        ("no route", client::NO_ROUTE),
        ("a route to nowhere", client::BLACKHOLE),
        ("the client is this host", client::OWN),
        ("a route by the backbone", client::BACKBONE),
        ("a route by the backbone that is not resolved", client::UNRESOLVED_BACKBONE),
    ] {
        rows.push(row(what, &short(client)).not_returned(vip, Outcome::NoReturnRoute));
    }
    rows.push(
        row("too long for a route by the backbone", &of_length(client::BACKBONE, 1501))
            .not_returned(vip, Outcome::NoReturnRoute),
    );
    rows.push(row("not in the device map", &short(client::UNMAPPED)).not_returned(vip, Outcome::NoEgress));
    let fits = of_length(client::NARROW, 1400);
    rows.push(returned_as_is(row("as long as the way takes", &fits), vip, &fits));
    rows.push(by_host(
        row("the neighbour is not resolved", &short(client::UNRESOLVED)),
        vip,
        &short(client::UNRESOLVED),
    ));
    let error = {
        let quote = Packet::from_to(client::NARROW[family], vip).udp(1, 2).payload_len(1400).build_ip();
        to(client::NARROW).df().icmp_error(IcmpError::Unreachable, &quote).build_ip()
    };
    rows.push(row("an error that is too long", &error).not_returned(vip, Outcome::TooBig));
    let later = to(client::NARROW).df().fragment(800, false).payload_len(1420).build_ip();
    rows.push(row("a later fragment that is too long", &later).not_returned(vip, Outcome::TooBig));
    if family == 0 {
        let divisible = to(client::NARROW).payload_len(1381).build_ip();
        rows.push(row("too long without DF", &divisible).not_returned(vip, Outcome::TooBig));
    }
    rows
}

/// Given to the host's stack without outer headers, its TTL as it was.
fn by_host(row: Row, vip: &'static str, inner: &[u8]) -> Row {
    let ether_type = if inner[0] >> 4 == 6 { [0x86, 0xdd] } else { [0x08, 0x00] };
    let frame = [&row.input.frame[..12], &ether_type, inner].concat();
    let outcome = Outcome::ReturnedByHost;
    row.answer(Answer { vip, outcome, action: Action::Pass, frame: Some(frame), peer: None })
}
