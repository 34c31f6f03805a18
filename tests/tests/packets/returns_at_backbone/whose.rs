//! Who sends whose answers, and in which tunnel.

use anycast_common::{encap::Encap, outcome::Outcome};
use anycast_tests::{oracle::tables::PopReturns, packet::Packet};

use super::{around, datagram, ways};
use crate::fixture::{Row, Way, backbone, world::TUNNELS};

/// Of a VIP of this family.
pub fn rows(family: usize) -> Vec<Row> {
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
