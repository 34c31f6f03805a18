//! Answers that go through the PoP, on both sides.

use super::{
    super::{
        Severity::{Error, Info, Warning},
        facts::{CLIENTS, Link, Rise, State},
    },
    Row,
    world::{BB0, IN0, World, address, default_route},
};
use crate::{desired::Returns, netlink::snapshot::StackRoute};

/// Index of a link that the file does not name, and of one on an interface that it names.
const ETH9: u32 = 9;
const VLAN: u32 = 10;

fn returning(mut world: World) -> World {
    world.config.services.vips.iter_mut().for_each(|vip| vip.returns = Returns::Pop);
    world.pinned().vips.iter_mut().for_each(|vip| vip.returns = Returns::Pop);
    world
}

/// A PoP whose VIPs come from the router that leads to the clients.
fn pop() -> World {
    let mut world = returning(World::pop());
    let vips: Vec<_> = world.config.services.vips.iter().map(|vip| vip.address).collect();
    for to in vips.into_iter().chain(CLIENTS) {
        world.route(to, Some(by(IN0)));
    }
    world
}

fn gateway() -> World {
    returning(World::gateway())
}

fn by(ifindex: u32) -> StackRoute {
    StackRoute { ifindexes: [ifindex].into(), ..default_route() }
}

fn add_link(world: &mut World, name: &str, link: Link) {
    world
        .facts
        .links
        .insert(name.to_owned(), Link { mtu_bytes: 1500, up: true, carrier: true, ethernet: true, ..link });
}

fn eth9(world: &mut World) {
    add_link(world, "eth9", Link { ifindex: ETH9, ..Link::default() });
    world.route(CLIENTS[0], Some(by(ETH9)));
}

/// Packets to clients leave by a VLAN device on this one.
fn vlan_on(world: &mut World, parent: u32) {
    let link = Link { ifindex: VLAN, kind: "vlan".to_owned(), parent: Some(parent), ..Link::default() };
    add_link(world, "vlan7", link);
    for client in CLIENTS {
        world.route(client, Some(by(VLAN)));
    }
}

pub(super) const ROWS: &[Row] = &[
    Row {
        what: "PoP that does not forward IPv4",
        world: pop,
        breaks: |world| world.set("ipv4/conf/bb0/forwarding", 0),
        says: (Error, "return_forwarding_off", "interface bb0", "sysctl -w net.ipv4.conf.bb0.forwarding=1"),
    },
    Row {
        what: "PoP that does not forward IPv6",
        world: pop,
        breaks: |world| world.set("ipv6/conf/bb0/forwarding", 0),
        says: (Error, "return_forwarding_off", "interface bb0", "sysctl -w net.ipv6.conf.bb0.forwarding=1"),
    },
    Row {
        what: "PoP whose stack does not forward IPv6",
        world: pop,
        breaks: |world| world.set("ipv6/conf/all/forwarding", 0),
        says: (Warning, "return_forwarding_off", "host", "sysctl -w net.ipv6.conf.all.forwarding=1"),
    },
    Row {
        what: "PoP whose default route leaves by the backbone",
        world: pop,
        breaks: |world| world.route(CLIENTS[0], Some(by(BB0))),
        says: (
            Error,
            "return_route_off_access",
            "interface bb0",
            "ip -4 route replace default via ROUTER dev in0; if `bb0` is meant",
        ),
    },
    Row {
        what: "PoP without a route to clients",
        world: pop,
        breaks: |world| world.route(CLIENTS[1], None),
        says: (Error, "return_route_off_access", "host", "ip -6 route replace default via ROUTER dev in0"),
    },
    Row {
        what: "PoP with a strict filter on its backbone",
        world: pop,
        breaks: |world| world.set("ipv4/conf/all/rp_filter", 1),
        says: (Error, "return_rp_filter", "interface bb0", "sysctl -w net.ipv4.conf.bb0.rp_filter=2"),
    },
    Row {
        what: "PoP with a loose filter and a blackhole for a VIP",
        world: pop,
        breaks: |world| {
            world.set("ipv4/conf/bb0/rp_filter", 2);
            world.route(address("192.0.2.80"), None);
        },
        says: (
            Error,
            "return_rp_filter",
            "interface bb0",
            "sysctl -w net.ipv4.conf.all.rp_filter=0 and sysctl -w net.ipv4.conf.bb0.rp_filter=0",
        ),
    },
    Row {
        what: "gateway whose answers leave by an interface that the file does not name",
        world: gateway,
        breaks: eth9,
        says: (Warning, "return_egress_missing", "interface eth9", "name = \"eth9\" and roles = [\"egress\"]"),
    },
    Row {
        what: "answers that a PoP has no way for",
        world: pop,
        breaks: |world| {
            world.pinned().outcomes.insert("no_return_route".to_owned(), Rise { total: 5, now: 0 });
        },
        says: (Info, "packets_dropped", "outcome no_return_route", "return_route_off_access"),
    },
];

#[test]
fn both_sides_are_well_with_answers_through_the_pop() {
    assert_eq!(pop().codes(), ["outer_source_single"]);
    assert_eq!(gateway().codes(), [""; 0]);
}

#[test]
fn vlan_devices_are_looked_for_on_the_link_that_they_are_on() {
    let mut world = pop();
    vlan_on(&mut world, IN0);
    assert_eq!(world.codes(), ["outer_source_single"]);
    let mut world = gateway();
    vlan_on(&mut world, BB0);
    assert_eq!(world.codes(), [""; 0]);
}

#[test]
fn one_arm_may_have_a_strict_filter_and_no_filter_asks_for_no_route() {
    let mut world = pop();
    world.set("ipv4/conf/bb0/rp_filter", 1);
    for vip in ["192.0.2.10", "192.0.2.80"].map(address) {
        world.route(vip, Some(by(BB0)));
    }
    assert_eq!(world.codes(), ["outer_source_single"]);
    world.set("ipv4/conf/bb0/rp_filter", 0);
    world.route(address("192.0.2.80"), None);
    assert_eq!(world.codes(), ["outer_source_single"]);
}

#[test]
fn nothing_of_it_is_asked_for_where_answers_go_directly() {
    let mut world = World::pop();
    for path in ["ipv4/conf/bb0/forwarding", "ipv6/conf/bb0/forwarding", "ipv6/conf/all/forwarding"] {
        world.set(path, 0);
    }
    world.set("ipv4/conf/bb0/rp_filter", 1);
    assert_eq!(world.codes(), ["outer_source_single"]);
    let mut world = World::gateway();
    eth9(&mut world);
    assert!(!world.codes().contains(&"return_egress_missing"));
}

#[test]
fn segments_of_answers_through_pops_are_clamped_on_their_way() {
    let mut world = gateway();
    world.link("bb0").mtu_bytes = 1500;
    assert_eq!(world.codes(), [""; 0]);
}

#[test]
fn way_back_that_is_not_applied_is_told() {
    let mut world = pop();
    world.pinned().vips[0].returns = Returns::Direct;
    assert_eq!(world.codes(), ["outer_source_single", "config_not_applied"]);
}

#[test]
fn what_was_not_looked_at_is_said() {
    let skipped = |world: &World| {
        let mut codes: Vec<_> = world.report().skipped.iter().map(|skipped| skipped.code).collect();
        codes.dedup();
        codes
    };
    let mut world = pop();
    world.facts.stack_routes = Err("no".to_owned());
    assert_eq!(skipped(&world), ["return_route_off_access", "return_rp_filter"]);
    let mut world = pop();
    world.facts.sysctls.0.clear();
    assert!(matches!(world.facts.instance.state, State::Pinned(_)));
    assert_eq!(skipped(&world), ["forwarding_off", "return_forwarding_off", "return_rp_filter"]);
    let mut world = gateway();
    world.facts.stack_routes = Err("no".to_owned());
    assert!(skipped(&world).contains(&"return_egress_missing"));
}
