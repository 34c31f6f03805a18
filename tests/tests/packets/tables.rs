//! The chain of tables, broken at each of its links, and ways that a packet does not fit.

use anycast_common::outcome::Outcome;

use crate::fixture::{
    Row, Way, pop, to,
    world::{broken_vip as vip, broken_way as way, interface},
};

pub fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = ends().into_iter().flat_map(of_both_families).collect();
    rows.extend(
        [(vip::NARROW_V4, way::NARROW_V4, 20), (vip::NARROW_V6, way::NARROW_V6, 40)].into_iter().flat_map(narrow),
    );
    rows.extend(egress());
    rows.extend(headroom());
    rows.extend(order());
    rows
}

/// Where the chain ends, for VIPs of both families.
type End = (&'static str, [&'static str; 2], Outcome);

fn ends() -> [End; 6] {
    [
        ("a VIP bound to no pool", vip::NO_POOL, Outcome::NoPool),
        ("a pool without a table", vip::EMPTY_POOL, Outcome::EmptyPool),
        ("a slot of zero", vip::ZERO_SLOTS, Outcome::NoBackend),
        ("a backend without a next-hop group", vip::NO_GROUP, Outcome::NextHopUnresolved),
        ("a next-hop group with its places unset", vip::UNSET_PLACES, Outcome::NextHopUnresolved),
        ("a neighbour whose MAC is not known", vip::UNKNOWN_MAC, Outcome::NextHopUnresolved),
    ]
}

fn of_both_families((what, vips, reason): End) -> [Row; 2] {
    vips.map(|vip| {
        let family = if vip.contains(':') { "IPv6" } else { "IPv4" };
        pop(format!("{family}: {what} drops"), to(vip).udp(1, 2).payload_len(30)).dropped(vip, reason)
    })
}

/// Inner length + outer header against a path of 1400 bytes.
fn narrow((vips, way, outer_bytes): ([&'static str; 2], Way, usize)) -> Vec<Row> {
    let of_family = |vip: &'static str| {
        let (family, header_bytes) = if vip.contains(':') { ("IPv6", 40) } else { ("IPv4", 20) };
        let of_length = move |bytes: usize| to(vip).payload_len(bytes - header_bytes);
        let fits = 1400 - outer_bytes;
        let what = format!("{family} of {fits} bytes and {outer_bytes} around it on a path of 1400");
        [
            pop(format!("{what} fit"), of_length(fits)).forwarded(vip, way),
            pop(format!("{what}, padded, fit"), of_length(fits).pad_to(14 + fits + 9))
                .counted_as(fits)
                .forwarded(vip, way),
            pop(format!("{what} and a byte more do not fit"), of_length(fits + 1)).dropped(vip, Outcome::TooBig),
        ]
    };
    vips.into_iter().flat_map(of_family).collect()
}

fn egress() -> Vec<Row> {
    let [v4, v6] = vip::UNMAPPED;
    vec![
        pop("IPv4: an egress interface that is not in the device map drops", to(v4).udp(1, 2))
            .dropped(v4, Outcome::NoEgress),
        pop("IPv6: an egress interface that is not in the device map drops", to(v6).udp(1, 2))
            .dropped(v6, Outcome::NoEgress),
        pop("an egress interface that the packet came in by needs no device map", to(v4).udp(1, 2))
            .by(interface::UNMAPPED)
            .forwarded(v4, way::UNMAPPED),
    ]
}

fn headroom() -> Vec<Row> {
    let ([v4, _], [_, v6]) = (vip::NARROW_V4, vip::NARROW_V6);
    vec![
        pop("IPv4: a frame without room in front of it drops", to(v4).udp(1, 2))
            .without_headroom()
            .dropped(v4, Outcome::Headroom),
        pop("IPv6: a frame without room in front of it drops", to(v6).udp(1, 2))
            .without_headroom()
            .dropped(v6, Outcome::Headroom),
        pop("a packet for no VIP needs no room in front of it", to("192.0.2.251").udp(1, 2))
            .without_headroom()
            .passed(Outcome::NotVip),
    ]
}

fn order() -> Vec<Row> {
    let [v4, _] = vip::NO_POOL;
    let [narrow, _] = vip::NARROW_V4;
    vec![
        pop("a packet that is too big is dropped with DF as well", to(narrow).df().payload_len(1361))
            .dropped(narrow, Outcome::TooBig),
        pop("a TTL that is used up is told before a missing pool", to(v4).ttl(1).udp(1, 2))
            .dropped(v4, Outcome::TtlExpired),
        pop("a packet that is too big is told before missing room", to(narrow).payload_len(1400))
            .without_headroom()
            .dropped(narrow, Outcome::TooBig),
        pop("a missing next hop is told before a packet that is too big", to(vip::NO_GROUP[0]).payload_len(1480))
            .dropped(vip::NO_GROUP[0], Outcome::NextHopUnresolved),
    ]
}
