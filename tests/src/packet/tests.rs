use etherparse::{NetHeaders, PacketHeaders, SlicedPacket, TransportHeader};

use super::*;

const CLIENT: [&str; 2] = ["198.51.100.7", "2001:db8:c::7"];
const VIP: [&str; 2] = ["192.0.2.80", "2001:db8:80::80"];

fn both() -> [(&'static str, &'static str); 2] {
    [(CLIENT[0], VIP[0]), (CLIENT[1], VIP[1])]
}

#[test]
fn tcp_packets_parse_back_with_right_checksums() {
    for (client, vip) in both() {
        let frame = Packet::from_to(client, vip).tcp(1234, 80).payload_len(101).vlan(7).build();
        let parsed = PacketHeaders::from_ethernet_slice(&frame).unwrap();
        let Some(TransportHeader::Tcp(tcp)) = &parsed.transport else { panic!("{parsed:?}") };
        assert_eq!((tcp.source_port, tcp.destination_port, tcp.ack), (1234, 80, true));
        let payload = &frame[frame.len() - 101..];
        let right = match parsed.net.as_ref().unwrap() {
            NetHeaders::Ipv4(ip, _) => {
                assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                tcp.calc_checksum_ipv4(ip, payload).unwrap()
            }
            NetHeaders::Ipv6(ip, _) => tcp.calc_checksum_ipv6(ip, payload).unwrap(),
            NetHeaders::Arp(_) => unreachable!(),
        };
        assert_eq!(tcp.checksum, right);
    }
}

#[test]
fn icmpv6_checksum_covers_the_pseudo_header() {
    let frame = Packet::from_to(CLIENT[1], VIP[1]).icmp_echo(9, 1).payload(b"x").build();
    let sliced = SlicedPacket::from_ethernet(&frame).unwrap();
    let Some(etherparse::TransportSlice::Icmpv6(icmp)) = sliced.transport else { panic!("{sliced:?}") };
    let (source, destination) = (CLIENT[1].parse::<Ipv6Addr>().unwrap(), VIP[1].parse::<Ipv6Addr>().unwrap());
    assert!(icmp.is_checksum_valid(source.octets(), destination.octets()));
}

#[test]
fn icmp_errors_quote_a_packet_eight_bytes_in() {
    for (client, vip) in both() {
        let quoted = Packet::from_to(vip, client).udp(53, 4321).build_ip();
        let error = Packet::from_to("10.9.9.9", "10.8.8.8").icmp_error(IcmpError::TooBig(1400), &quoted).build_ip();
        assert_eq!(&error[28..], quoted.as_slice());
        assert_eq!(error[20..22], [3, 4]);
        assert_eq!(error[26..28], 1400u16.to_be_bytes());
    }
}

#[test]
fn extension_headers_chain_in_the_order_added() {
    let packet = Packet::from_to(CLIENT[1], VIP[1])
        .hop_by_hop()
        .routing()
        .extension(60, 2)
        .fragment(0, true)
        .udp(1, 2)
        .build_ip();
    let numbers = [packet[6], packet[40], packet[48], packet[56], packet[80], packet[82] & 0xf9];
    assert_eq!(numbers, [0, 43, 60, 44, 17, 0]);
    assert_eq!(packet.len(), 40 + 8 + 8 + 24 + 8 + 8);
    assert_eq!(packet[83], 1, "more fragments");
}

#[test]
fn ipv4_fragments_carry_offset_and_flag() {
    let packet = Packet::from_to(CLIENT[0], VIP[0]).protocol(17).fragment(1480, true).id(77).payload_len(8).build_ip();
    assert_eq!(u16::from_be_bytes([packet[6], packet[7]]), 0x2000 | (1480 / 8));
    assert_eq!(u16::from_be_bytes([packet[4], packet[5]]), 77);
}

#[test]
fn a_lie_in_the_header_leaves_its_checksum_right() {
    let frame = Packet::from_to(CLIENT[0], VIP[0]).udp(1, 2).total_length(1000).ihl(6).version(5).build();
    let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&frame[14..34]).ones_complement();
    assert_eq!(sum, 0);
    assert_eq!(frame[14], 0x56);
    assert_eq!(frame[16..18], 1000u16.to_be_bytes());
}

#[test]
fn edits_apply_to_the_frame_behind_its_tags() {
    let frame = Packet::from_to(CLIENT[0], VIP[0]).service_vlan(5).vlan(6).truncate_ip(19).pad_to(60).build();
    assert_eq!(frame.len(), 60);
    assert_eq!(frame[12..22], [0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x08, 0]);
    assert_eq!(frame[22 + 19], 0xaa);
}

#[test]
fn every_family_mix_decodes_to_its_inner_packet() {
    for (client, vip) in both() {
        let inner = Packet::from_to(client, vip).udp(1, 2).payload(b"hello").build_ip();
        for (from, to) in [("10.3.0.2", "10.4.0.2"), ("fd00:3::2", "fd00:4::2")] {
            let outer = Packet::from_to(from, to).as_outer().dscp_ecn(0xb9).encapsulating(&inner).vlan(9);
            let decoded = decode_outer(&outer.pad_to(200).build()).unwrap();
            assert_eq!(decoded.inner, inner);
            assert_eq!((decoded.dscp_ecn, decoded.vlan_ids.as_slice()), (0xb9, [9].as_slice()));
            assert_eq!(decoded.source, from.parse::<IpAddr>().unwrap());
            assert_ne!(decoded.padding_bytes, 0);
        }
    }
}

#[test]
fn wrong_outer_headers_are_refused() {
    let outer = || {
        let inner = Packet::from_to(CLIENT[0], VIP[0]).udp(1, 2).build_ip();
        Packet::from_to("10.3.0.2", "10.4.0.2").as_outer().encapsulating(&inner)
    };
    let refused = |packet: Packet| decode_outer(&packet.build()).unwrap_err().to_string();
    assert!(refused(outer().corrupt_ip_checksum()).contains("checksum"));
    assert!(refused(outer().total_length(60)).contains("beyond the frame"));
    assert!(refused(outer().ttl(63)).contains("TTL"));
    assert!(refused(outer().id(1)).contains("ID"));
    assert!(refused(outer().options(&[1, 1, 1, 1])).contains("options"));
    assert!(refused(outer().fragment(0, true)).contains("fragment"));
    assert!(refused(outer().protocol_octet(41)).contains("version 4"));
    assert!(refused(outer().raw_ip(|ip| ip[6] = 0)).contains("checksum"));
}

#[test]
fn ttl_decrement_sums_the_header_anew() {
    let before = Packet::from_to(CLIENT[0], VIP[0]).tcp(1, 2).ttl(9).options(&[7, 3, 0]).build_ip();
    let after = Packet::from_to(CLIENT[0], VIP[0]).tcp(1, 2).ttl(8).options(&[7, 3, 0]).build_ip();
    assert_eq!(ttl_decremented(&before), after);
    let before = Packet::from_to(CLIENT[1], VIP[1]).udp(1, 2).ttl(9).build_ip();
    let after = Packet::from_to(CLIENT[1], VIP[1]).udp(1, 2).ttl(8).build_ip();
    assert_eq!(ttl_decremented(&before), after);
}
