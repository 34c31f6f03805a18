//! None of this program's business.

use anycast_tests::{oracle::tables::PopReturns, packet::Packet};

use super::{FLOW_HASH, around, client, datagram, ways};
use crate::fixture::{Row, backbone, world::address};

pub fn rows() -> Vec<Row> {
    let ([vip, _], way) = ways()[0];
    let (_, gue) = ways()[6];
    let (_, way_v6) = ways()[1];
    let inner = datagram(vip);
    let pop = way.source_of(FLOW_HASH);
    vec![
        backbone("backbone: ARP is passed", around(&way, &inner).ether_type(0x0806)),
        backbone("backbone: a third tag is passed", around(&way, &inner).vlan(1).vlan(2).vlan(3)),
        backbone("backbone: half an IP header is passed", around(&way, &inner).truncate_ip(19)),
        backbone("backbone: half an IPv6 header is passed", around(&way_v6, &inner).truncate_ip(39)),
        backbone(
            "backbone: a tunnel to another address is passed",
            Packet::from_to(way.backend, "10.3.80.0").as_outer().encapsulating(&inner),
        ),
        backbone(
            "backbone: a tunnel to another IPv6 address is passed",
            Packet::from_to(way_v6.backend, "fd00:3:64::1:0").as_outer().encapsulating(&inner),
        ),
        backbone("backbone: TCP to a tunnel source is passed", Packet::between(address(way.backend), pop).tcp(1, 2)),
        backbone("backbone: a packet for a VIP is passed", Packet::from_to(client::ACCESS[0], vip).udp(1, 2)),
        backbone(
            "backbone: UDP to another port is passed",
            Packet::between(address(gue.backend), pop)
                .udp_without_checksum(1, PopReturns::GUE_PORT + 1)
                .payload(&inner),
        ),
        backbone("backbone: a fragment of UDP is passed", around(&gue, &inner).fragment(0, true)),
        backbone("backbone: UDP behind options is passed", around(&gue, &inner).options(&[1; 4])),
    ]
}
