//! What the host itself sends to VIPs.

use super::{super::Severity::Error, Row, world::World};
use crate::desired::Role;

/// A PoP that probes.
fn probing() -> World {
    let mut world = World::pop();
    if let Role::Pop(role) = &mut world.config.local.role {
        role.health.source_ipv4 = Some([10, 3, 0, 2].into());
    }
    world
}

pub(super) const ROWS: &[Row] = &[
    Row {
        what: "strict on an access interface",
        world: probing,
        breaks: |world| world.set("ipv4/conf/in0/rp_filter", 1),
        says: (Error, "axp_rp_filter", "interface in0", "net.ipv4.conf.in0.rp_filter=2"),
    },
    Row {
        what: "strict by the value of all",
        world: probing,
        breaks: |world| world.set("ipv4/conf/all/rp_filter", 1),
        says: (Error, "axp_rp_filter", "interface bb0", "net.ipv4.conf.bb0.rp_filter=2"),
    },
];

#[test]
fn strict_filter_of_a_host_that_does_not_probe_and_a_loose_one_are_well() {
    let mut world = World::pop();
    world.set("ipv4/conf/in0/rp_filter", 1);
    assert!(!world.codes().contains(&"axp_rp_filter"));
    let mut world = probing();
    world.set("ipv4/conf/in0/rp_filter", 2);
    world.set("ipv4/conf/bb0/rp_filter", 0);
    assert!(!world.codes().contains(&"axp_rp_filter"));
}
