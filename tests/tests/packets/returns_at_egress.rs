//! At the egress of a gateway: answers go into the tunnel to the PoP that the client's last packet came by.

use anycast_common::{encap::Encap, outcome::Outcome};
use anycast_tests::{
    oracle::{model::Action, place},
    packet::{IcmpError, Packet, decode_outer},
};

use crate::{
    fixture::{
        Answer, Row, Way, gateway_return,
        world::{GATEWAY_V4, GATEWAY_V6, GUE_PORT, KEYS, NEIGHBOUR, TAGGED_NEIGHBOUR, interface, returned_vip as vip},
    },
    returns_remembered::SYNS,
};

/// Clients whose way is known: the last part of their addresses, and the way back.
pub fn known() -> Vec<(u32, usize, Way)> {
    let (gre, keyed) = (Encap::Gre { key: None }, Encap::Gre { key: Some(KEYS[0]) });
    let mut ways = Vec::new();
    for (pair, encap) in (0..).zip([Encap::Ipip, gre, keyed, Encap::Gue { port: GUE_PORT }]) {
        let v4 = Way {
            backend: "10.3.0.2",
            source: GATEWAY_V4,
            source_bits: 0,
            encap,
            neighbour: NEIGHBOUR,
            egress: interface::BACKBONE,
            tag: None,
        };
        let v6 = Way { backend: "fd00:3::3", source: GATEWAY_V6, ..v4 };
        ways.extend([(10 + pair * 2, 0, v4), (11 + pair * 2, 1, v6)]);
    }
    ways
}

/// To a PoP host by a tagged link: the tag is beside the frame, and not seen here.
pub fn tagged() -> Way {
    Way {
        backend: "fd00:3:8::abcd",
        source: GATEWAY_V6,
        source_bits: 0,
        encap: Encap::Gue { port: GUE_PORT },
        neighbour: TAGGED_NEIGHBOUR,
        egress: interface::TAGGED,
        tag: None,
    }
}

pub fn client(family: usize, number: u32) -> String {
    format!("{}{number}", ["198.51.100.", "2001:db8:c::"][family])
}

pub fn to(family: usize, number: u32) -> Packet {
    Packet::from_to(vip::POP[family], &client(family, number))
}

pub fn rows() -> Vec<Row> {
    let mut rows: Vec<_> = [0, 1].into_iter().flat_map(left_alone).collect();
    for family in [0, 1] {
        rows.extend(known().into_iter().flat_map(|(number, peer, way)| wrapped(family, number, peer, &way)));
        rows.extend(others(family));
    }
    rows
}

/// In the tunnel, TTL as it was.
pub fn in_tunnel(row: Row, family: usize, peer: usize, way: &Way, packet: &[u8], octet: u8) -> Row {
    // What is of the kernel's flow hash is taken out of the frame before it is compared.
    let frame = way.tunnel(packet, octet, 0);
    assert_eq!(decode_outer(&frame).expect("a tunnel packet").inner, packet);
    let action = if way.egress.ifindex == row.input.ingress_ifindex { Action::Pass } else { Action::Redirect };
    let vip = vip::POP[family];
    row.answer(Answer { vip, outcome: Outcome::Returned, action, frame: Some(frame), peer: Some(peer) })
}

pub fn outer_bytes(way: &Way) -> usize {
    let behind_ip = match way.encap {
        Encap::Ipip => 0,
        Encap::Gre { key: None } => 4,
        Encap::Gre { key: Some(_) } | Encap::Gue { .. } => 8,
    };
    if way.is_v6() { 40 + behind_ip } else { 20 + behind_ip }
}

fn wrapped(family: usize, number: u32, peer: usize, way: &Way) -> Vec<Row> {
    let mix = format!("IPv{} to {} in {:x?}", [4, 6][family], way.backend, way.encap);
    let row = |what: &str, packet: Packet| gateway_return(format!("egress, {mix}: {what}"), packet);
    let header_bytes = [20, 40][family];
    let fits = usize::from(place::MTU_BYTES) - outer_bytes(way);
    let of_length = |bytes: usize| to(family, number).df().payload_len(bytes - header_bytes);
    let same = |what: &str, octet: u8, packet: &dyn Fn() -> Packet| {
        in_tunnel(row(what, packet()), family, peer, way, &packet().build_ip(), octet)
    };
    let mut rows = vec![
        same("a datagram", 0, &|| to(family, number).udp(53, 4321).payload_len(77)),
        same("a segment", 0, &|| to(family, number).df().id(77).tcp(80, 4321).payload_len(1000)),
        same("a TTL of 1", 0, &|| to(family, number).ttl(1).udp(53, 4321)),
        same("DSCP and ECN", 0xb9, &|| to(family, number).dscp_ecn(0xb9).udp(53, 4321)),
        same("a fragment", 0, &|| to(family, number).fragment(800, true).protocol(17).payload_len(64)),
        same("a reply", 0, &|| to(family, number).icmp_echo_reply(1, 2).payload_len(56)),
        same("of another protocol", 0, &|| to(family, number).esp(7).payload_len(33)),
        same("as long as fits", 0, &|| of_length(fits)),
        in_tunnel(
            row("by the interface that it was leaving by", of_length(100)).by(interface::BACKBONE),
            family,
            peer,
            way,
            &of_length(100).build_ip(),
            0,
        ),
        told(row("a byte too long", of_length(fits + 1)), family, number, fits),
        told(row("of 1500 bytes", of_length(1500)), family, number, fits),
    ];
    if family == 0 {
        rows.push(same("with options", 0, &|| to(family, number).options(&[1; 12]).udp(53, 4321)));
        rows.push(
            row("a byte too long without DF", to(0, number).payload_len(fits + 1 - header_bytes))
                .not_returned(vip::POP[0], Outcome::TooBig),
        );
        rows.push(
            row("a byte too long with options", of_length(fits + 1 - 4).options(&[1; 4]))
                .not_returned(vip::POP[0], Outcome::TooBig),
        );
        rows.push(
            row("a fragment that is too long", of_length(fits + 1).fragment(0, true))
                .not_returned(vip::POP[0], Outcome::TooBig),
        );
    }
    rows.push(
        row(
            "an error that is too long",
            to(family, number).df().icmp_error(IcmpError::Unreachable, vec![0; fits + 1 - header_bytes - 8]),
        )
        .not_returned(vip::POP[family], Outcome::TooBig),
    );
    rows.extend(clamped(family, number, peer, way));
    rows
}

/// The stack is told what fits, in the name of the client: the ports are all that it needs of what it sent.
pub fn told(row: Row, family: usize, number: u32, fits: usize) -> Row {
    let came = &row.input.frame;
    let quote = &came[14..14 + [28, 48][family]];
    let error = Packet::from_to(&client(family, number), vip::POP[family]).as_error();
    let mtu_bytes = fits.max([68, 1280][family]) as u16;
    let error = error.icmp_error(IcmpError::TooBig(mtu_bytes), quote).build_ip();
    let frame = [&came[6..12], &came[..6], &came[12..14], &error].concat();
    // What comes back comes by the device that the packet was leaving by.
    let frame = row.input.buffer.seen(frame, row.input.buffer.vlan_tci);
    let vip = vip::POP[family];
    let outcome = Outcome::TooBigAnswered;
    row.answer(Answer { vip, outcome, action: Action::Redirect, frame: Some(frame), peer: None })
}

fn clamped(family: usize, number: u32, peer: usize, way: &Way) -> Vec<Row> {
    let most = place::MTU_BYTES - outer_bytes(way) as u16 - [40, 60][family];
    let mut rows = Vec::new();
    for (what, options, flags, is_clamped) in SYNS {
        for asked in [most, most + 1, 8960] {
            let syn = |mss| to(family, number).tcp_with(80, 4321, flags).tcp_options(&options(mss)).payload_len(3);
            let gets = if is_clamped { asked.min(most) } else { asked };
            let name = format!(
                "egress, IPv{} to {} in {:x?}: {what}, {asked} for {most}",
                [4, 6][family],
                way.backend,
                way.encap
            );
            let row = gateway_return(name, syn(asked));
            rows.push(in_tunnel(row, family, peer, way, &syn(gets).build_ip(), 0));
        }
    }
    rows
}

fn left_alone(family: usize) -> Vec<Row> {
    let kind = ["IPv4", "IPv6"][family];
    let row = |what: &str, packet: Packet| gateway_return(format!("egress, {kind}: {what}"), packet);
    let from = |source: &str| Packet::from_to(source, &client(family, 10)).udp(53, 4321).payload_len(9);
    let [pop, pop_or_drop, direct] = [vip::POP, vip::POP_OR_DROP, vip::DIRECT].map(|vips| vips[family]);
    let stranger = ["192.0.2.250", "2001:db8:1::250"][family];
    vec![
        row("ARP", from(pop).ether_type(0x0806)),
        row("of no VIP", from(stranger)),
        row("to a VIP", Packet::from_to(&client(family, 10), pop).udp(1, 2)),
        row("of a VIP with direct answers", from(direct)).not_returned(direct, Outcome::ReturnDirect),
        row("of a client of which no packet came", to(family, 99).udp(1, 2)).not_returned(pop, Outcome::NoPopDirect),
        row("of a client of which none came for an hour", to(family, 18).udp(1, 2))
            .not_returned(pop, Outcome::NoPopDirect),
        row("that must not go directly", from(pop_or_drop)).not_returned(pop_or_drop, Outcome::NoPop),
    ]
}

fn others(family: usize) -> Vec<Row> {
    let kind = ["IPv4", "IPv6"][family];
    let pop = vip::POP[family];
    let datagram = || to(family, 20).udp(53, 4321).payload_len(9);
    vec![
        gateway_return(format!("egress, {kind}: no way to the PoP host"), to(family, 19).udp(1, 2))
            .not_returned(pop, Outcome::NextHopUnresolved),
        in_tunnel(
            gateway_return(format!("egress, {kind}: by a tagged link"), datagram()),
            family,
            3,
            &tagged(),
            &datagram().build_ip(),
            0,
        ),
    ]
}
