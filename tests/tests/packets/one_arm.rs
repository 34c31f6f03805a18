//! On a PoP interface that is both: answers in tunnels as on a backbone interface, all else as on an access interface.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::Packet;

use crate::{
    encaps,
    fixture::{
        Expect, Row, pop, to,
        world::{TUNNELS, address},
    },
    returns_at_backbone,
};

pub fn rows() -> Vec<Row> {
    let answers = returns_at_backbone::rows().into_iter().filter(|row| !matches!(row.expect, Expect::Ignored));
    let rows = answers.chain(encaps::rows()).chain(others());
    rows.map(Row::on_one_arm).collect()
}

/// What a backbone interface would leave to the stack, and answers without a way into the Internet.
fn others() -> Vec<Row> {
    let (vips, way) = TUNNELS[0];
    let own = way.source_of(0);
    let inner = Packet::from_to(vips[0], "198.51.100.7").udp(53, 4321).build_ip();
    let from_gateway = || Packet::between(address(way.backend), own).as_outer();
    vec![
        pop("ARP is passed", from_gateway().ether_type(0x0806)).passed(Outcome::NotVip),
        pop("TCP to a tunnel source is passed", from_gateway().tcp(1, 2)).passed(Outcome::NotVip),
        pop("UDP to a tunnel source is passed", from_gateway().udp(1, 2)).passed(Outcome::NotVip),
        pop(
            "a tunnel to another address is passed",
            Packet::from_to(way.backend, "10.3.80.0").as_outer().encapsulating(&inner),
        )
        .passed(Outcome::NotVip),
        pop("a tunnel packet to a VIP is a packet for it", to(vips[0]).encapsulating(&inner)).forwarded(vips[0], way),
        pop("an echo request to a VIP goes on", to(vips[1]).icmp_echo(1, 2)).forwarded(vips[1], way),
    ]
}
