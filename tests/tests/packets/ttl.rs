//! TTL and hop limit: decremented inside, fresh outside, and used up at 1.

use anycast_common::outcome::Outcome;

use crate::fixture::{
    Row, pop, to,
    world::{vip, way},
};

pub fn rows() -> Vec<Row> {
    let families = [
        ("TTL", vip::WHOLE_V4_BY_V4, vip::LISTENING_V4, way::V4),
        ("hop limit", vip::WHOLE_V6_BY_V6, vip::LISTENING_V6, way::V6),
    ];
    families.into_iter().flat_map(|(ttl, whole, listening, way)| of_family(ttl, whole, listening, way)).collect()
}

fn of_family(ttl: &str, whole: &'static str, listening: &'static str, way: crate::fixture::Way) -> Vec<Row> {
    let forwarded = |value: u8| {
        pop(format!("{ttl} {value} becomes {} inside and 64 outside", value - 1), to(whole).ttl(value).udp(1, 2))
            .forwarded(whole, way)
    };
    let expired = |vip, name: &str, packet| pop(format!("{ttl} {name}"), packet).dropped(vip, Outcome::TtlExpired);
    vec![
        forwarded(255),
        forwarded(128),
        forwarded(2),
        expired(whole, "1 is used up", to(whole).ttl(1).udp(1, 2)),
        expired(whole, "0 is used up", to(whole).ttl(0).udp(1, 2)),
        expired(listening, "1 is told before truncated TCP", to(listening).ttl(1).protocol(6).payload_len(3)),
        expired(listening, "1 is told before a port without listener", to(listening).ttl(1).tcp(1, 81)),
        expired(whole, "1 counts the packet without its padding", to(whole).ttl(1).payload_len(2).pad_to(90))
            .counted_as(if whole.contains(':') { 42 } else { 22 }),
    ]
}
