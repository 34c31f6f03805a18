//! The machine, and the interfaces as such.

use super::{
    super::{
        Severity::{Error, Info, Warning},
        facts::State,
    },
    Row,
    world::{IN0, World},
};
use crate::desired::AttachMode;

pub(super) const ROWS: &[Row] = &[
    Row {
        what: "kernel that is too old",
        world: World::pop,
        breaks: |world| world.facts.system.kernel = "5.15.0-91-generic".to_owned(),
        says: (Error, "kernel_too_old", "host", "kernel 6.1"),
    },
    Row {
        what: "kernel without BTF",
        world: World::pop,
        breaks: |world| world.facts.system.btf = false,
        says: (Warning, "kernel_btf_missing", "host", "CONFIG_DEBUG_INFO_BTF=y"),
    },
    Row {
        what: "interpreter",
        world: World::pop,
        breaks: |world| world.facts.system.jit = Ok(0),
        says: (Warning, "jit_off", "host", "sysctl -w net.core.bpf_jit_enable=1"),
    },
    Row {
        what: "bpffs that went away",
        world: World::pop,
        breaks: |world| {
            world.facts.system.bpffs = false;
            world.facts.instance.state = State::Hidden("no bpffs".to_owned());
        },
        says: (Error, "bpffs_missing", "host", "systemctl restart anycast-xdp-prepare"),
    },
    Row {
        what: "bpffs that is not mounted yet",
        world: World::pop_before_start,
        breaks: |world| world.facts.system.bpffs = false,
        says: (Info, "bpffs_missing", "host", "anycast-xdp prepare"),
    },
    Row {
        what: "daemon without CAP_BPF",
        world: World::pop,
        breaks: |world| world.facts.system.capabilities = Ok(!(1 << 39)),
        says: (Error, "capability_missing", "host", "AmbientCapabilities=CAP_BPF"),
    },
    Row {
        what: "daemon that cannot hear ICMP errors",
        world: World::pop,
        breaks: |world| world.facts.system.capabilities = Ok(!(1 << 13)),
        says: (Warning, "capability_missing", "host", "AmbientCapabilities=CAP_NET_RAW"),
    },
    Row {
        what: "doctor without CAP_BPF, and no daemon",
        world: World::pop_before_start,
        breaks: |world| world.facts.system.capabilities = Ok(!(1 << 39)),
        says: (Error, "capability_missing", "host", "run it as root"),
    },
    Row {
        what: "little locked memory on a kernel that counts maps as such",
        world: World::pop,
        breaks: |world| world.facts.system.kernel = "5.10.0".to_owned(),
        says: (Error, "memlock_low", "host", "LimitMEMLOCK=infinity"),
    },
    Row {
        what: "counters for CPUs that there are not",
        world: World::pop,
        breaks: |world| world.facts.system.cpus_possible = 240,
        says: (Info, "cpus_possible_many", "host", "possible_cpus=4"),
    },
    Row {
        what: "absent interface",
        world: World::pop,
        breaks: |world| drop(world.facts.links.remove("in0")),
        says: (Error, "interface_missing", "interface in0", "bb0"),
    },
    Row {
        what: "interface that is down",
        world: World::pop,
        breaks: |world| world.link("bb0").up = false,
        says: (Error, "interface_down", "interface bb0", "ip link set bb0 up"),
    },
    Row {
        what: "interface without carrier",
        world: World::pop,
        breaks: |world| world.link("bb0").carrier = false,
        says: (Error, "interface_down", "interface bb0", "cable of `bb0`"),
    },
    Row {
        what: "interface without Ethernet",
        world: World::pop,
        breaks: |world| world.link("in0").ethernet = false,
        says: (Error, "interface_not_ethernet", "interface in0", "interface[0].name"),
    },
    Row {
        what: "member of a bond",
        world: World::pop,
        breaks: |world| {
            world.link("in0").controller = Some(9);
            let mut bond = world.link("bb0").clone();
            (bond.ifindex, bond.kind) = (9, "bond".to_owned());
            world.facts.links.insert("bond0".to_owned(), bond);
        },
        says: (Error, "bond_member", "interface in0", "name = \"bond0\""),
    },
    Row {
        what: "bond in a mode without native XDP",
        world: World::pop,
        breaks: |world| world.link("bb0").bond_mode = Some("balance-alb".to_owned()),
        says: (Warning, "bond_mode", "interface bb0", "802.3ad"),
    },
    Row {
        what: "the same where native is asked for",
        world: World::pop,
        breaks: |world| {
            world.config.local.interfaces[1].attach = AttachMode::Native;
            world.link("bb0").bond_mode = Some("broadcast".to_owned());
        },
        says: (Error, "bond_mode", "interface bb0", "802.3ad"),
    },
];

#[test]
fn port_of_a_bridge_and_bond_that_runs_programs_are_well() {
    let mut world = World::pop();
    world.link("in0").controller = Some(9);
    world.link("bb0").bond_mode = Some("802.3ad".to_owned());
    let mut bridge = world.link("bb0").clone();
    (bridge.ifindex, bridge.kind, bridge.bond_mode) = (9, "bridge".to_owned(), None);
    world.facts.links.insert("br0".to_owned(), bridge);
    assert_eq!(world.codes(), ["outer_source_single"]);
    assert_eq!(world.link("in0").ifindex, IN0);
}

#[test]
fn locked_memory_does_not_matter_to_kernels_that_do_not_count_it() {
    let mut world = World::pop();
    world.facts.system.memlock_bytes = Ok(0);
    assert_eq!(world.codes(), ["outer_source_single"]);
}
