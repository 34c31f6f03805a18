//! Programs on the interfaces, and what drivers can.

use netlink_packet_route::tc::TcHandle;

use super::{
    super::Severity::{Error, Info, Warning},
    Row,
    world::{BB0, World, at_egress},
};
use crate::{
    dataplane::{egress::Filter, ethtool::RxQueues, interfaces::XdpState},
    desired::AttachMode,
    netlink::device::XdpFeatures,
};

/// No program yet, and an MTU beyond one buffer.
fn jumbo() -> World {
    let mut world = World::pop_before_start();
    world.link("in0").mtu_bytes = 9000;
    world
}

fn offload(world: &mut World, interface: &str, name: &str) {
    world.device(interface).offloads.as_mut().unwrap().insert(name.to_owned(), true);
}

pub(super) const ROWS: &[Row] = &[
    Row {
        what: "another program",
        world: World::pop_before_start,
        breaks: |world| world.link("in0").xdp = Some(XdpState { mode: "generic", program_id: 99 }),
        says: (Error, "xdp_foreign", "interface in0", "ip link set dev in0 xdpgeneric off"),
    },
    Row {
        what: "another program in the place of ours",
        world: World::pop,
        breaks: |world| {
            world.link("bb0").xdp = Some(XdpState { mode: "native", program_id: 99 });
            world.device("bb0").link_ids = vec![12];
        },
        says: (Error, "xdp_foreign", "interface bb0", "bpftool link detach id 12"),
    },
    Row {
        what: "interface that went away and came back",
        world: World::pop,
        breaks: |world| world.link("in0").xdp = None,
        says: (Error, "xdp_detached", "interface in0", "systemctl restart anycast-xdp"),
    },
    Row {
        what: "another program at the egress",
        world: World::gateway,
        breaks: |world| world.device("bb0").egress.as_mut().unwrap().push(at_egress(99, false)),
        says: (Info, "egress_foreign", "interface bb0", "bpftool net detach tcx_egress id 99 dev bb0"),
    },
    Row {
        what: "another filter at the egress, which a link does not hold",
        world: World::gateway,
        breaks: |world| {
            let mut other = at_egress(99, false);
            let handle = TcHandle { major: 0, minor: 1 };
            let name = other.program.name.clone();
            other.program.filter = Some(Filter { ifindex: BB0, priority: 49152, handle, name, program_id: 99 });
            world.device("bb0").egress.as_mut().unwrap().push(other);
        },
        says: (Info, "egress_foreign", "interface bb0", "tc filter del dev bb0 egress pref 49152 handle 0x1 bpf"),
    },
    Row {
        what: "our program taken away from the egress",
        world: World::gateway,
        breaks: |world| world.device("bb0").egress = Ok(vec![at_egress(99, false)]),
        says: (Error, "egress_detached", "interface bb0", "systemctl restart anycast-xdp"),
    },
    Row {
        what: "generic mode that is asked for",
        world: World::pop,
        breaks: |world| world.config.local.interfaces[0].attach = AttachMode::Generic,
        says: (Warning, "xdp_generic", "interface in0", "attach = \"auto\""),
    },
    Row {
        what: "generic mode although the driver could",
        world: World::pop,
        breaks: |world| world.link("in0").xdp.as_mut().unwrap().mode = "generic",
        says: (Warning, "xdp_generic", "interface in0", "attach = \"native\""),
    },
    Row {
        what: "driver without native XDP",
        world: World::pop_before_start,
        breaks: |world| world.device("in0").xdp_features = Ok(XdpFeatures(0)),
        says: (Warning, "xdp_native_missing", "interface in0", "use a NIC"),
    },
    Row {
        what: "the same where native is asked for",
        world: World::pop_before_start,
        breaks: |world| {
            world.config.local.interfaces[0].attach = AttachMode::Native;
            world.device("in0").xdp_features = Ok(XdpFeatures(0));
        },
        says: (Error, "xdp_native_missing", "interface in0", "attach = \"auto\""),
    },
    Row {
        what: "egress driver without ndo_xdp_xmit",
        world: World::pop,
        breaks: |world| world.device("bb0").xdp_features = Ok(XdpFeatures::BASIC),
        says: (Error, "xdp_xmit_missing", "interface bb0", "roles = [\"access\", \"backbone\"]"),
    },
    Row {
        what: "egress veth whose other end has no program",
        world: World::pop_before_start,
        breaks: |world| {
            world.link("bb0").kind = "veth".to_owned();
            world.device("bb0").xdp_features = Ok(XdpFeatures::BASIC);
        },
        says: (Error, "xdp_xmit_missing", "interface bb0", "ethtool -K PEER gro on"),
    },
    Row {
        what: "jumbo MTU",
        world: jumbo,
        breaks: |_| {},
        says: (Warning, "mtu_needs_frags", "interface in0", "ip link set in0 mtu"),
    },
    Row {
        what: "jumbo MTU, native, and a driver of one buffer",
        world: jumbo,
        breaks: |world| world.config.local.interfaces[0].attach = AttachMode::Native,
        says: (Error, "mtu_needs_frags", "interface in0", "ip link set in0 mtu"),
    },
    Row {
        what: "LRO",
        world: World::pop,
        breaks: |world| offload(world, "in0", "rx-lro"),
        says: (Warning, "lro_on", "interface in0", "ethtool -K in0 lro off"),
    },
    Row {
        what: "GRO in hardware where native is asked for",
        world: World::pop,
        breaks: |world| {
            world.config.local.interfaces[1].attach = AttachMode::Native;
            offload(world, "bb0", "rx-gro-hw");
        },
        says: (Error, "gro_hw_on", "interface bb0", "ethtool -K bb0 rx-gro-hw off"),
    },
    Row {
        what: "LRO on a member of a bond",
        world: World::pop,
        breaks: |world| {
            world.link("bb0").kind = "bond".to_owned();
            let mut member = world.link("bb0").clone();
            (member.ifindex, member.controller, member.kind) = (9, Some(BB0), String::new());
            let device = world.device("bb0").clone();
            world.facts.links.insert("m0".to_owned(), member);
            world.facts.devices.insert("m0".to_owned(), device);
            offload(world, "m0", "rx-lro");
        },
        says: (Warning, "lro_on", "interface m0", "ethtool -K m0 lro off"),
    },
    Row {
        what: "VLAN offload under a VLAN interface",
        world: World::pop,
        breaks: |world| {
            offload(world, "bb0", "rx-vlan-hw-parse");
            let mut vlan = world.link("bb0").clone();
            (vlan.ifindex, vlan.kind, vlan.parent) = (9, "vlan".to_owned(), Some(BB0));
            world.facts.links.insert("bb0.7".to_owned(), vlan);
        },
        says: (Warning, "vlan_offload_on", "interface bb0", "ethtool -K bb0 rxvlan off"),
    },
    Row {
        what: "one queue of eight",
        world: World::pop,
        breaks: |world| world.device("in0").rx_queues = Ok(RxQueues { used: 1, max: 8, combined: true }),
        says: (Warning, "queues_few", "interface in0", "ethtool -L in0 combined 4"),
    },
    Row {
        what: "a driver with one queue",
        world: World::pop,
        breaks: |world| world.device("in0").rx_queues = Ok(RxQueues { used: 1, max: 1, combined: false }),
        says: (Info, "queues_few", "interface in0", "no more queues"),
    },
];

#[test]
fn jumbo_frames_are_well_where_the_driver_takes_several_buffers() {
    let mut world = jumbo();
    world.config.services.pools.clear();
    world.device("in0").xdp_features = Ok(XdpFeatures(XdpFeatures::BASIC.0 | XdpFeatures::RX_SG.0));
    assert_eq!(world.codes(), ["not_started"]);
    world.link("bb0").mtu_bytes = 9000;
    world.device("bb0").xdp_features.as_mut().unwrap().0 |= XdpFeatures::RX_SG.0;
    assert_eq!(world.codes(), ["mtu_needs_frags", "not_started"], "tunnels are redirected to it");
    world.device("bb0").xdp_features.as_mut().unwrap().0 |= XdpFeatures::NDO_XMIT_SG.0;
    assert_eq!(world.codes(), ["not_started"]);
}

#[test]
fn one_armed_pop_needs_no_ndo_xdp_xmit() {
    let mut world = World::pop();
    world.config.local.interfaces.remove(0);
    world.config.local.interfaces[0].access = true;
    world.pinned().status.attachments.remove(0);
    world.device("bb0").xdp_features = Ok(XdpFeatures::BASIC);
    assert!(!world.codes().contains(&"xdp_xmit_missing"));
}

#[test]
fn vlan_offload_without_vlan_interfaces_is_well() {
    let mut world = World::pop();
    offload(&mut world, "in0", "rx-vlan-hw-parse");
    assert_eq!(world.codes(), ["outer_source_single"]);
}

#[test]
fn lro_that_a_bond_itself_tells_of_is_well() {
    let mut world = World::pop();
    world.link("bb0").kind = "bond".to_owned();
    offload(&mut world, "bb0", "rx-lro");
    assert_eq!(world.codes(), ["outer_source_single"]);
}
