//! The stack of a gateway (and of a PoP, as far as it forwards).

use super::{
    super::{
        Severity::{Error, Info, Warning},
        facts::CLIENTS,
    },
    Row,
    world::{IN0, World, address, default_route, own},
};
use crate::netlink::snapshot::StackRoute;

/// A VIP that is routed to a host behind the gateway.
fn vip_behind() -> World {
    let mut world = World::gateway();
    for vip in ["192.0.2.80", "2001:db8::80"].map(address) {
        world.facts.addresses.retain(|own| own.address != vip);
        world.route(vip, Some(StackRoute { default: false, ..default_route() }));
    }
    world
}

pub(super) const ROWS: &[Row] = &[
    Row {
        what: "tunnel address of another host",
        world: World::gateway,
        breaks: |world| world.facts.addresses.retain(|own| own.address != address("10.4.0.2")),
        says: (
            Warning,
            "tunnel_address_foreign",
            "field gateway.tunnel_addresses[0]",
            "ip address add 10.4.0.2/32 dev bb0",
        ),
    },
    Row {
        what: "VIP that nobody serves",
        world: World::gateway,
        breaks: |world| world.route(address("192.0.2.80"), Some(default_route())),
        says: (Error, "vip_not_local", "VIP web", "ip address add 192.0.2.80/32 dev lo"),
    },
    Row {
        what: "VIP without any route",
        world: World::gateway,
        breaks: |world| world.route(address("2001:db8::80"), None),
        says: (Error, "vip_not_local", "VIP web-ipv6", "ip address add 2001:db8::80/128 dev lo"),
    },
    Row {
        what: "strict filter",
        world: World::gateway,
        breaks: |world| world.set("ipv4/conf/bb0/rp_filter", 1),
        says: (Warning, "rp_filter_strict", "interface bb0", "sysctl -w net.ipv4.conf.bb0.rp_filter=2"),
    },
    Row {
        what: "strict filter of all, and answers leave elsewhere",
        world: World::gateway,
        breaks: |world| {
            world.set("ipv4/conf/all/rp_filter", 1);
            world.route(CLIENTS[0], Some(StackRoute { ifindexes: [IN0].into(), ..default_route() }));
        },
        says: (Error, "rp_filter_strict", "interface bb0", "sysctl -w net.ipv4.conf.bb0.rp_filter=2"),
    },
    Row {
        what: "VIP behind, and no forwarding",
        world: vip_behind,
        breaks: |world| world.set("ipv4/conf/bb0/forwarding", 0),
        says: (Error, "forwarding_off", "VIP web", "sysctl -w net.ipv4.conf.bb0.forwarding=1"),
    },
    Row {
        what: "IPv6 VIP behind, and no forwarding",
        world: vip_behind,
        breaks: |world| world.set("ipv6/conf/all/forwarding", 0),
        says: (Error, "forwarding_off", "VIP web-ipv6", "sysctl -w net.ipv6.conf.all.forwarding=1"),
    },
    Row {
        what: "PoP that does not forward for others",
        world: World::pop,
        breaks: |world| world.set("ipv4/conf/in0/forwarding", 0),
        says: (Info, "forwarding_off", "interface in0", "sysctl -w net.ipv4.conf.in0.forwarding=1"),
    },
    Row {
        what: "no route to clients",
        world: World::gateway,
        breaks: |world| world.route(CLIENTS[1], None),
        says: (Error, "return_route_missing", "host", "ip -6 route add default"),
    },
    Row {
        what: "backbone of 1500 bytes",
        world: World::gateway,
        breaks: |world| world.link("bb0").mtu_bytes = 1500,
        says: (Warning, "advmss_missing", "host", "ip -4 route change $(ip -4 route show default) advmss 1420"),
    },
    Row {
        what: "VIP within a subnet",
        world: World::gateway,
        breaks: |world| world.facts.addresses.push(own("192.0.2.1", 24, super::world::BB0)),
        says: (Warning, "arp_answers_for_vip", "interface bb0", "sysctl -w net.ipv4.conf.bb0.arp_ignore=1"),
    },
    Row {
        what: "VIP as the sender of ARP requests",
        world: World::gateway,
        breaks: |world| ["all", "bb0"].iter().for_each(|name| world.set(&format!("ipv4/conf/{name}/arp_announce"), 0)),
        says: (Info, "arp_announces_vip", "interface bb0", "sysctl -w net.ipv4.conf.bb0.arp_announce=2"),
    },
];

#[test]
fn loose_filter_and_a_vip_behind_a_gateway_that_forwards_are_well() {
    let mut world = vip_behind();
    world.set("ipv4/conf/all/rp_filter", 1);
    world.set("ipv4/conf/bb0/rp_filter", 2);
    assert_eq!(world.codes(), [""; 0]);
}

#[test]
fn segments_that_are_short_enough_are_well_on_a_small_backbone() {
    let mut world = World::gateway();
    world.link("bb0").mtu_bytes = 1500;
    for (client, advmss_bytes) in CLIENTS.into_iter().zip([1420, 1400]) {
        world.route(client, Some(StackRoute { advmss_bytes: Some(advmss_bytes), ..default_route() }));
    }
    assert_eq!(world.codes(), [""; 0]);
}
