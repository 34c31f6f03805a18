//! Outer headers and tunnel headers that are refused.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::Packet;

use super::{FLOW_HASH, around, datagram, outer_bytes, ways};
use crate::fixture::{Row, backbone, world::address};

pub fn rows() -> Vec<Row> {
    [outer_headers(), tunnel_headers()].concat()
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
