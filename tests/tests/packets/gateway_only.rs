//! The gateway decapsulates only what is to its tunnel addresses, only from sources that it believes, only one level,
//! and only what is for its VIPs.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::Packet;

use crate::fixture::{
    Row, gateway, outer, to,
    world::{CLIENT_V4, GATEWAY_V4, GATEWAY_V6, POP_V4, POP_V6, vip},
};

const VIP_V4: &str = vip::WHOLE_V4_BY_V4;
const VIP_V6: &str = vip::WHOLE_V6_BY_V6;

pub fn rows() -> Vec<Row> {
    let mut rows = no_tunnel();
    rows.extend(sources());
    rows.extend(nested());
    rows.extend(no_vip());
    rows
}

fn inner() -> Vec<u8> {
    to(VIP_V4).udp(1, 2).build_ip()
}

fn no_tunnel() -> Vec<Row> {
    let passed = |name: &str, packet: Packet| gateway(name, packet).passed(Outcome::NotTunnel);
    vec![
        passed(
            "IPIP to another IPv4 address is passed",
            Packet::from_to(POP_V4, "10.4.0.3").as_outer().encapsulating(&inner()),
        ),
        passed(
            "IPIP to another IPv6 address is passed",
            Packet::from_to(POP_V6, "fd00:4::3").as_outer().encapsulating(&inner()),
        ),
        passed("IPIP to a VIP is passed", Packet::from_to(POP_V4, VIP_V4).as_outer().encapsulating(&inner())),
        passed("a packet for a VIP that is not in a tunnel is passed", to(VIP_V4).tcp(1, 80)),
        passed("an IPv6 packet for a VIP that is not in a tunnel is passed", to(VIP_V6).tcp(1, 80)),
        passed("UDP to a tunnel address is passed", outer(false).udp(1, 6081)),
        passed("an echo request to a tunnel address is passed", outer(false).icmp_echo(1, 1)),
        passed("an echo request to an IPv6 tunnel address is passed", outer(true).icmp_echo(1, 1)),
        passed("ESP to a tunnel address is passed", outer(false).esp(7).payload(inner())),
        passed(
            "a fragment of UDP to a tunnel address is passed",
            outer(false).fragment(8, true).protocol(17).payload_len(8),
        ),
        passed(
            "IPIP to the IPv4-mapped form of a tunnel address is passed",
            Packet::from_to(POP_V6, "::ffff:10.4.0.2").as_outer().encapsulating(&inner()),
        ),
        passed("IPIP behind destination options is passed", outer(true).destination_options().encapsulating(&inner())),
        passed(
            "IPv4: an outer header that lies, under another protocol, is passed",
            outer(false).version(7).total_length(3).protocol(50),
        ),
        passed("ARP on a gateway is passed", outer(false).ether_type(0x0806).encapsulating(&inner())),
        passed("19 bytes of IPIP are passed", outer(false).encapsulating(&inner()).truncate_ip(19)),
        passed("39 bytes of IPIP over IPv6 are passed", outer(true).encapsulating(&inner()).truncate_ip(39)),
        passed("IPIP behind three tags is passed", outer(false).encapsulating(&inner()).vlan(1).vlan(2).vlan(3))
            .counted_as(4 + 20 + inner().len()),
        passed("IPIP behind a TPID of 0x9100 is passed", outer(false).encapsulating(&inner()).tag(0x9100, 1)),
    ]
}

fn sources() -> Vec<Row> {
    let from = |source, destination| Packet::from_to(source, destination).as_outer().encapsulating(&inner());
    let believed =
        |name: &str, source, destination| gateway(name, from(source, destination)).decapsulated(VIP_V4, inner());
    let refused =
        |name: &str, source, destination| gateway(name, from(source, destination)).refused(Outcome::SourceNotAllowed);
    vec![
        believed("the first source of an IPv4 prefix is believed", "10.3.0.0", GATEWAY_V4),
        believed("the last source of an IPv4 prefix is believed", "10.3.0.3", GATEWAY_V4),
        believed("the first source of an IPv6 prefix is believed", "fd00:3::", GATEWAY_V6),
        believed("the last source of an IPv6 prefix is believed", "fd00:3::3", GATEWAY_V6),
        refused("the IPv4 source above a prefix is refused", "10.3.0.4", GATEWAY_V4),
        refused("the IPv4 source below a prefix is refused", "10.2.255.255", GATEWAY_V4),
        refused("the IPv6 source above a prefix is refused", "fd00:3::4", GATEWAY_V6),
        refused("a client as IPv4 source is refused", CLIENT_V4, GATEWAY_V4),
        refused("the tunnel address itself as source is refused", GATEWAY_V4, GATEWAY_V4),
        refused("the IPv4-mapped form of a believed source is refused", "::ffff:10.3.0.1", GATEWAY_V6),
        gateway(
            "a wrong source is told before what is wrong inside",
            Packet::from_to("10.3.0.4", GATEWAY_V4).as_outer().encapsulating(&[0x45]),
        )
        .refused(Outcome::SourceNotAllowed),
    ]
}

fn nested() -> Vec<Row> {
    let refused = |name: &str, is_v6, inside: Packet| {
        let inside = inside.build_ip();
        gateway(name, outer(is_v6).encapsulating(&inside).pad_to(140))
            .counted_as(inside.len())
            .refused(Outcome::NestedTunnel)
    };
    let tunnel = |source, destination| Packet::from_to(source, destination).as_outer().encapsulating(&inner());
    vec![
        refused("4in4in4 is refused", false, tunnel(POP_V4, GATEWAY_V4)),
        refused("4in6in4 is refused", false, tunnel(POP_V6, GATEWAY_V6)),
        refused("4in4in6 is refused", true, tunnel(POP_V4, GATEWAY_V4)),
        refused("4in6in6 is refused", true, tunnel(POP_V6, GATEWAY_V6)),
        refused("any packet to a tunnel address, in a tunnel, is refused", false, to(GATEWAY_V4).udp(1, 2)),
    ]
}

fn no_vip() -> Vec<Row> {
    let refused = |name: &str, is_v6, inside: Packet| {
        let inside = inside.build_ip();
        gateway(name, outer(is_v6).encapsulating(&inside).pad_to(140))
            .counted_as(inside.len())
            .refused(Outcome::InnerNotVip)
    };
    vec![
        refused("4in4 for an address that is no VIP is refused", false, to("192.0.2.251").udp(1, 2)),
        refused("4in6 for an address that is no VIP is refused", true, to("192.0.2.251").udp(1, 2)),
        refused("6in4 for an address that is no VIP is refused", false, to("2001:db8:1::fb").udp(1, 2)),
        refused("6in6 for an address that is no VIP is refused", true, to("2001:db8:1::fb").udp(1, 2)),
        refused("a packet from a VIP, in a tunnel, is refused", false, Packet::from_to(VIP_V4, CLIENT_V4).udp(2, 1)),
        refused("6in4 for the IPv4-mapped form of a VIP is refused", false, to("::ffff:192.0.2.1").udp(1, 2)),
        gateway(
            "CE on Not-ECT for no VIP is told as no VIP",
            outer(false).dscp_ecn(3).encapsulating(&to("192.0.2.251").udp(1, 2).build_ip()),
        )
        .counted_as(28)
        .refused(Outcome::InnerNotVip),
    ]
}
