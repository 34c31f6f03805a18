//! DSCP and ECN are copied to the outer header (RFC 6040 normal mode, RFC 2983 uniform model). The flow label is not.

use crate::fixture::{
    Row, pop, to,
    world::{vip, way},
};

pub fn rows() -> Vec<Row> {
    let mixes = [
        ("4in4", vip::WHOLE_V4_BY_V4, way::V4),
        ("4in6", vip::WHOLE_V4_BY_V6, way::V6),
        ("6in4", vip::WHOLE_V6_BY_V4, way::V4),
        ("6in6", vip::WHOLE_V6_BY_V6, way::V6),
    ];
    let octets = [
        ("ECT(1)", 0x01),
        ("ECT(0)", 0x02),
        ("CE", 0x03),
        ("DSCP EF without ECN", 0xb8),
        ("DSCP CS1 with ECT(0)", 0x22),
        ("DSCP AF41 with CE", 0x8b),
        ("every bit of the octet", 0xff),
    ];
    let of_mix = |(mix, vip, way)| {
        octets.map(|(what, octet)| {
            pop(format!("{mix}: {what} is copied"), to(vip).dscp_ecn(octet).udp(1, 2)).forwarded(vip, way).marked(octet)
        })
    };
    let labelled = |vip| to(vip).flow_label(0xf_ffff).dscp_ecn(0x54).udp(1, 2);
    let labels = [
        pop("6in6: the inner flow label stays inside, the outer one is of the hash", labelled(vip::WHOLE_V6_BY_V6))
            .forwarded(vip::WHOLE_V6_BY_V6, way::V6)
            .marked(0x54),
        pop("6in4: the inner flow label stays", labelled(vip::WHOLE_V6_BY_V4))
            .forwarded(vip::WHOLE_V6_BY_V4, way::V4)
            .marked(0x54),
    ];
    mixes.into_iter().flat_map(of_mix).chain(labels).collect()
}
