//! What is for no VIP is passed untouched, whatever it is, and so is everything on a backbone interface.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::Packet;

use crate::fixture::{
    Row, backbone, outer, pop, to,
    world::{CLIENT_V4, CLIENT_V6, interface, vip},
};

const VIP_V4: &str = vip::WHOLE_V4_BY_V4;
const VIP_V6: &str = vip::WHOLE_V6_BY_V6;

pub fn rows() -> Vec<Row> {
    let mut rows = other_addresses();
    rows.extend(not_ip());
    rows.extend(too_short());
    rows.extend(stale());
    rows.extend(on_the_backbone());
    rows
}

fn passed(name: &str, packet: Packet) -> Row {
    pop(name, packet).passed(Outcome::NotVip)
}

fn other_addresses() -> Vec<Row> {
    vec![
        passed("IPv4 to an address that is no VIP is passed", to("192.0.2.251").tcp(1, 80)),
        passed("IPv6 to an address that is no VIP is passed", to("2001:db8:1::fb").tcp(1, 80)),
        passed("IPv4 to an address one bit from a VIP is passed", to("192.0.3.1").udp(1, 2)),
        passed("IPv6 to an address one bit from a VIP is passed", to("2001:db8:1:0:1::2").udp(1, 2)),
        passed("IPv4 to a VIP with its bytes reversed is passed", to("1.2.0.192").udp(1, 2)),
        passed("IPv6 to the IPv4-mapped form of a VIP is passed", to("::ffff:192.0.2.1").udp(1, 2)),
        passed("IPv6 to the IPv4-compatible form of a VIP is passed", to("::192.0.2.1").udp(1, 2)),
        passed("IPv6 that begins with the bytes of an IPv4 VIP is passed", to("c000:201::").udp(1, 2)),
        passed("IPv4 from a VIP is passed", Packet::from_to(VIP_V4, CLIENT_V4).udp(53, 4321)),
        passed("IPv6 from a VIP is passed", Packet::from_to(VIP_V6, CLIENT_V6).udp(53, 4321)),
        passed("IPv4 broadcast is passed", to("255.255.255.255").udp(68, 67)),
        passed("IPv4 multicast is passed", to("224.0.0.5").protocol(89).ttl(1).payload_len(24)),
        passed("IPv6 multicast is passed", to("ff02::1").icmp(135, 0, [0; 4]).payload_len(16)),
        passed("TTL 1 for no VIP is passed", to("192.0.2.251").ttl(1).udp(1, 2)),
        passed("hop limit 0 for no VIP is passed", to("2001:db8:1::fb").ttl(0).udp(1, 2)),
        passed(
            "an IPv4 header that lies everywhere, for no VIP, is passed",
            to("192.0.2.251").version(9).ihl(1).total_length(7).corrupt_ip_checksum(),
        ),
        passed(
            "an IPv6 header that lies everywhere, for no VIP, is passed",
            to("2001:db8:1::fb").version(1).payload_length(0xffff).protocol_octet(44),
        ),
        passed("a fragment for no VIP is passed", to("192.0.2.251").fragment(8, true).protocol(17).payload_len(8)),
        passed("a tunnel packet for no VIP is passed", outer(false).encapsulating(&to(VIP_V4).udp(1, 2).build_ip())),
    ]
}

fn not_ip() -> Vec<Row> {
    let of = |name, ether_type| passed(name, to(VIP_V4).ether_type(ether_type).udp(1, 2).pad_to(60));
    vec![
        of("ARP is passed", 0x0806),
        of("LLDP is passed", 0x88cc),
        of("an 802.3 length in place of an EtherType is passed", 0x002e),
        of("PPPoE is passed", 0x8864),
        of("MPLS is passed", 0x8847),
        passed(
            "IPv4 under the EtherType of IPv6 is for another address, and passed",
            to(VIP_V4).ether_type(0x86dd).udp(1, 2).payload_len(40),
        ),
        passed(
            "IPv6 under the EtherType of IPv4 is for another address, and passed",
            to(VIP_V6).ether_type(0x0800).udp(1, 2),
        ),
    ]
}

fn too_short() -> Vec<Row> {
    vec![
        passed("19 bytes of IPv4 to a VIP are passed", to(VIP_V4).udp(1, 2).truncate_ip(19)),
        passed("39 bytes of IPv6 to a VIP are passed", to(VIP_V6).udp(1, 2).truncate_ip(39)),
        passed("no byte of IPv4 is passed", to(VIP_V4).udp(1, 2).truncate_ip(0)),
        passed("no byte of IPv6 is passed", to(VIP_V6).udp(1, 2).truncate_ip(0)),
        passed("one byte of IPv4 is passed", to(VIP_V4).udp(1, 2).truncate_ip(1)),
    ]
}

fn stale() -> Vec<Row> {
    let stale = |name, packet| pop(name, packet).passed(Outcome::StaleVip);
    vec![
        stale("IPv4 to a VIP whose entry is another's is passed", to(vip::STALE_V4).udp(1, 2)),
        stale("IPv6 to a VIP whose entry is another's is passed", to(vip::STALE_V6).udp(1, 2)),
        stale(
            "a malformed packet to a VIP whose entry is another's is passed",
            to(vip::STALE_V4).version(9).total_length(3).ttl(0),
        ),
        passed("IPv4 to the address that a stale entry names is passed", to("192.0.2.41").udp(1, 2)),
    ]
}

fn on_the_backbone() -> Vec<Row> {
    let of = |name, packet| backbone(name, packet).by(interface::BACKBONE);
    vec![
        of("IPv4 to a VIP on a backbone interface is passed and counted nowhere", to(VIP_V4).udp(1, 2)),
        of("IPv6 to a VIP on a backbone interface is passed and counted nowhere", to(VIP_V6).udp(1, 2)),
        of(
            "a tunnel packet on a backbone interface is passed and counted nowhere",
            outer(true).encapsulating(&to(VIP_V4).udp(1, 2).build_ip()),
        ),
        of(
            "14 bytes of zeros on a backbone interface are passed and counted nowhere",
            to(VIP_V4).truncate(14).raw(|frame| frame.fill(0)),
        ),
    ]
}
