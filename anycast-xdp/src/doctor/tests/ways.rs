//! Addresses of a PoP, packet sizes, and the ways to the backends.

use super::{
    super::Severity::{Error, Warning},
    Row,
    world::{BB0, IN0, LO, World, address, own},
};
use crate::desired::Role;

pub(super) const ROWS: &[Row] = &[
    Row {
        what: "tunnel source of another host",
        world: World::pop,
        breaks: |world| world.facts.addresses.retain(|own| own.address.is_ipv6()),
        says: (Error, "tunnel_source_foreign", "field tunnel.source_ipv4", "ip address add 10.3.0.2/32 dev bb0"),
    },
    Row {
        what: "VIP on lo",
        world: World::pop,
        breaks: |world| world.facts.addresses.push(own("2001:db8::80", 128, LO)),
        says: (Error, "vip_is_local", "VIP web-ipv6", "ip address del 2001:db8::80/128 dev lo"),
    },
    Row {
        what: "weight that is too small",
        world: World::pop,
        breaks: |world| {
            let backends = &mut world.config.services.pools[0].backends;
            (backends[0].weight, backends[1].weight) = (65_535, 1);
        },
        says: (Warning, "backend_without_flows", "field pool[0].backend[1].weight", "smaller span"),
    },
    Row {
        what: "backbone without room",
        world: World::pop,
        breaks: |world| world.link("bb0").mtu_bytes = 1539,
        says: (Error, "backbone_mtu_small", "interface bb0", "ip link set bb0 mtu 1540"),
    },
    Row {
        what: "backbone without room that is allowed",
        world: World::pop,
        breaks: |world| {
            world.link("bb0").mtu_bytes = 1539;
            let Role::Pop(pop) = &mut world.config.local.role else { return };
            pop.allow_small_mtu = true;
        },
        says: (Warning, "backbone_mtu_small", "field tunnel.allow_small_mtu", "too_big"),
    },
    Row {
        what: "route without room",
        world: World::pop,
        breaks: |world| world.ways().view.routes.get_mut(&address("fd00:4::2")).unwrap().mtu_bytes = 1539,
        says: (
            Error,
            "backend_mtu_small",
            "backend fd00:4::2",
            "ip route change fd00:4::/32 via fd00:3::1 dev bb0 mtu 1540",
        ),
    },
    Row {
        what: "no route",
        world: World::pop,
        breaks: |world| {
            let mut other = world.config.services.pools[0].backends[0];
            other.address = address("10.4.0.3");
            world.config.services.pools[0].backends.push(other);
        },
        says: (Error, "route_missing", "backend 10.4.0.3", "ip route replace 10.4.0.3/32 via 10.3.0.1 dev bb0"),
    },
    Row {
        what: "route by the access interface",
        world: World::pop,
        breaks: |world| {
            let mut link = world.ways().view.links[&BB0].clone();
            (link.name, link.egress_ifindex) = ("in0".to_owned(), IN0);
            world.ways().view.links.insert(IN0, link);
            world.ways().view.routes.get_mut(&address("10.4.0.2")).unwrap().hops[0].ifindex = IN0;
        },
        says: (Error, "route_off_backbone", "backend 10.4.0.2", "ip route replace 10.4.0.2/32 via ROUTER dev bb0"),
    },
    Row {
        what: "router that does not answer",
        world: World::pop,
        breaks: |world| {
            let neighbour = world.ways().neighbours.values_mut().next().unwrap();
            (neighbour.usable, neighbour.state) = (false, "failed");
        },
        says: (Error, "neighbour_unresolved", "interface bb0", "ping -c 1 -I bb0 10.3.0.1"),
    },
    Row {
        what: "router that nobody keeps resolved",
        world: World::pop,
        breaks: |world| world.ways().neighbours.values_mut().for_each(|neighbour| neighbour.kept = false),
        says: (Warning, "neighbour_unmanaged", "interface bb0", "ip neigh replace 10.3.0.1 dev bb0 managed"),
    },
    Row {
        what: "router with another MAC, and no daemon",
        world: World::pop,
        breaks: |world| {
            world.facts.instance.daemon_pid = None;
            world.ways().view.neighbours.values_mut().for_each(|mac| mac[5] = 8);
        },
        says: (Error, "next_hops_outdated", "backend 10.4.0.2", "systemctl start anycast-xdp"),
    },
    Row {
        what: "packets that go nowhere although the kernel has a next hop",
        world: World::pop,
        breaks: |world| world.pinned().status.backends[0].next_hops.clear(),
        says: (Error, "next_hops_outdated", "backend 10.4.0.2", "systemctl restart anycast-xdp"),
    },
];

#[test]
fn backends_over_ipv6_have_entropy() {
    let mut world = World::pop();
    world.config.services.pools[0].backends.remove(0);
    world.pinned().status.backends.remove(0);
    assert_eq!(world.codes(), [""; 0]);
}

#[test]
fn link_without_room_is_told_of_once_and_not_for_every_route() {
    let mut world = World::pop();
    world.link("bb0").mtu_bytes = 1500;
    world.ways().view.links.get_mut(&BB0).unwrap().mtu_bytes = 1500;
    world.ways().view.routes.values_mut().for_each(|route| route.mtu_bytes = 1500);
    assert_eq!(world.codes(), ["backbone_mtu_small", "outer_source_single"]);
}

#[test]
fn vlan_interface_on_the_backbone_is_the_backbone() {
    let mut world = World::pop();
    let mut link = world.ways().view.links[&BB0].clone();
    (link.name, link.vlan_id) = ("bb0.7".to_owned(), Some(7));
    world.ways().view.links.insert(9, link);
    world.ways().view.routes.get_mut(&address("10.4.0.2")).unwrap().hops[0].ifindex = 9;
    assert!(!world.codes().contains(&"route_off_backbone"));
}

#[test]
fn neighbour_that_nobody_asked_for_yet_is_well_before_the_start() {
    let mut world = World::pop_before_start();
    world.ways().neighbours.values_mut().for_each(|one| (one.usable, one.kept, one.state) = (false, false, "absent"));
    assert_eq!(world.codes(), ["outer_source_single", "not_started"]);
}
