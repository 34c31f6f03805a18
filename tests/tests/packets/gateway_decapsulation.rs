//! The gateway gives the inner packet to its host as it was, without outer header and tags.

use anycast_tests::packet::{IcmpError, Packet};

use crate::fixture::{
    Row, gateway, outer, to,
    world::{CLIENT_V4, ROUTER_V4, vip},
};

const VIP_V4: &str = vip::WHOLE_V4_BY_V4;
const VIP_V6: &str = vip::WHOLE_V6_BY_V6;

pub fn rows() -> Vec<Row> {
    let mixes = [("4in4", VIP_V4, false), ("4in6", VIP_V4, true), ("6in4", VIP_V6, false), ("6in6", VIP_V6, true)];
    mixes.into_iter().flat_map(|(mix, vip, is_v6)| of_mix(mix, vip, is_v6)).chain(inner_packets()).collect()
}

fn of_mix(mix: &str, vip: &'static str, is_v6: bool) -> Vec<Row> {
    let datagram = to(vip).udp(4321, 53).payload_len(77).build_ip();
    let header_only = to(vip).build_ip();
    let header_bytes = header_only.len();
    let longest = to(vip).tcp(1, 80).payload_len(1500 - header_bytes - 20).build_ip();
    let around = |inner: &[u8]| outer(is_v6).encapsulating(inner);
    let row = |what: &str, packet: Packet, inner: &Vec<u8>| {
        gateway(format!("{mix}: {what} is decapsulated"), packet).decapsulated(vip, inner.clone())
    };
    vec![
        row("a datagram", around(&datagram), &datagram),
        row("a packet that is nothing but its header", around(&header_only), &header_only),
        row("a packet of 1500 bytes", around(&longest), &longest),
        row("a packet in a padded frame", around(&header_only).pad_to(120), &header_only),
        row("a packet shorter than its outer one", around(&[&header_only[..], &[0xbb; 9]].concat()), &header_only),
        row("a packet behind an 802.1Q tag", around(&datagram).vlan(100), &datagram),
        row("a packet behind an 802.1ad and an 802.1Q tag", around(&datagram).service_vlan(200).vlan(100), &datagram),
        row("a packet with an outer TTL of 1", around(&datagram).ttl(1), &datagram),
        row("a packet from other MAC addresses", around(&datagram).ethernet([0x42; 6], [0x24; 6]), &datagram),
    ]
}

fn inner_packets() -> Vec<Row> {
    let row = |what: &str, vip: &'static str, inner: Packet| {
        let inner = inner.build_ip();
        gateway(format!("{what} inside is not looked at"), outer(false).encapsulating(&inner)).decapsulated(vip, inner)
    };
    vec![
        row("a TTL of 1", VIP_V4, to(VIP_V4).ttl(1).udp(1, 2)),
        row("a hop limit of 0", VIP_V6, to(VIP_V6).ttl(0).udp(1, 2)),
        row("a fragment", VIP_V4, to(VIP_V4).fragment(8, true).protocol(17).payload_len(8)),
        row("an IPv6 fragment", VIP_V6, to(VIP_V6).fragment(8, true).protocol(17).payload_len(8)),
        row("an IPv4 header of 60 bytes", VIP_V4, to(VIP_V4).options(&[1; 40])),
        row("a wrong IPv4 header checksum", VIP_V4, to(VIP_V4).udp(1, 2).corrupt_ip_checksum()),
        row("an ICMP error", VIP_V4, {
            let quoted = Packet::from_to(VIP_V4, CLIENT_V4).tcp(80, 9).build_ip();
            Packet::from_to(ROUTER_V4, VIP_V4).icmp_error(IcmpError::TooBig(1400), quoted)
        }),
        row("ESP", VIP_V6, to(VIP_V6).esp(9)),
        row("a DSCP", VIP_V4, to(VIP_V4).dscp_ecn(0xb8).udp(1, 2)),
        row("a broken chain of extension headers", VIP_V6, to(VIP_V6).protocol(60).payload_len(3)),
        row("a tunnel packet to a VIP", VIP_V4, to(VIP_V4).encapsulating(&to(VIP_V4).udp(1, 2).build_ip())),
    ]
}
