//! A PoP without an address of its own tells no one that a TTL is used up.

use anycast_common::outcome::Outcome;

use crate::fixture::{Row, pop, to, world::vip};

pub fn rows() -> Vec<Row> {
    [("IPv4", vip::WHOLE_V4_BY_V4), ("IPv6", vip::WHOLE_V6_BY_V6)]
        .map(|(family, vip)| {
            pop(
                format!("{family}: without an address of the PoP, the last hop drops silently"),
                to(vip).ttl(1).udp(1, 2),
            )
            .dropped(vip, Outcome::TtlExpired)
        })
        .into()
}
