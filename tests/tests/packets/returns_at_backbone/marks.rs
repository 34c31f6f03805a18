//! ECN of the tunnel and of the answer in it become one (RFC 6040, section 4.2).

use anycast_common::outcome::Outcome;
use anycast_tests::packet::{Packet, ttl_decremented};

use super::{around, client, returned, ways};
use crate::fixture::{Row, backbone, world::interface};

/// Of a VIP of this family.
pub fn rows(family: usize) -> Vec<Row> {
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
