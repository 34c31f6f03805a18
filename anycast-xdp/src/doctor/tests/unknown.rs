//! What could not be looked at is said, and never taken for well.

use super::{
    super::{checklist::checklists, facts::State},
    world::{World, address},
};
use crate::{
    desired::{Encap, Pool},
    netlink::device::XdpFeatures,
};

/// Codes of what was not looked at.
fn skipped(world: &World) -> Vec<&'static str> {
    let report = world.report();
    for skipped in &report.skipped {
        assert!(!report.ok.contains(&skipped.code), "{skipped:?}");
        assert!(!skipped.reason.is_empty(), "{skipped:?}");
    }
    let mut codes: Vec<_> = report.skipped.iter().map(|skipped| skipped.code).collect();
    codes.dedup();
    codes
}

#[test]
fn everything_is_known_of_a_world_that_is_well() {
    assert_eq!(skipped(&World::pop()), [""; 0]);
    assert_eq!(skipped(&World::gateway()), [""; 0]);
}

#[test]
fn checks_of_a_driver_that_tells_nothing_are_skipped() {
    let mut world = World::pop_before_start();
    for name in ["in0", "bb0"] {
        let device = world.device(name);
        (device.xdp_features, device.offloads, device.rx_queues) =
            (Err("no".to_owned()), Err("no".to_owned()), Err("no".to_owned()));
    }
    assert_eq!(skipped(&world), ["xdp_native_missing", "xdp_xmit_missing", "lro_on", "gro_hw_on", "queues_few"]);
}

#[test]
fn check_of_transmission_is_skipped_where_a_driver_tells_of_it_only_with_a_program() {
    let mut world = World::pop_before_start();
    world.device("bb0").xdp_features = Ok(XdpFeatures::BASIC);
    assert_eq!(skipped(&world), ["xdp_xmit_missing"]);
}

#[test]
fn checks_of_pins_that_are_hidden_are_skipped() {
    let mut world = World::pop();
    world.facts.devices.values_mut().for_each(|device| device.own_program_id = None);
    world.facts.instance.state = State::Hidden("Permission denied".to_owned());
    let codes = [
        "xdp_foreign",
        "xdp_detached",
        "neighbour_unmanaged",
        "next_hops_outdated",
        "losses_not_counted",
        "not_started",
        "pins_unreadable",
        "daemon_not_running",
        "config_not_applied",
        "packets_dropped",
        "packets_lost",
    ];
    assert_eq!(skipped(&world), codes);
}

#[test]
fn checks_of_routes_are_skipped_where_netlink_fails() {
    let mut world = World::pop();
    world.facts.ways = Err("no".to_owned());
    let codes = [
        "backend_mtu_small",
        "route_missing",
        "route_off_backbone",
        "neighbour_unresolved",
        "neighbour_unmanaged",
        "next_hops_outdated",
    ];
    assert_eq!(skipped(&world), codes);
    let mut world = World::gateway();
    world.facts.stack_routes = Err("no".to_owned());
    assert_eq!(
        skipped(&world),
        [
            "vip_not_local",
            "rp_filter_strict",
            "forwarding_off",
            "return_route_missing",
            "arp_answers_for_vip",
            "arp_announces_vip"
        ]
    );
}

#[test]
fn checks_of_sysctls_that_are_not_shown_are_skipped() {
    let mut world = World::gateway();
    world.facts.sysctls.0.clear();
    world.facts.system.jit = Err("no".to_owned());
    assert_eq!(skipped(&world), ["jit_off", "rp_filter_strict", "arp_announces_vip"]);
}

#[test]
fn checklist_has_devices_of_the_families_in_use_and_segments_that_fit() {
    let mut world = World::pop();
    let lists = checklists(&world.config, &world.facts);
    assert_eq!(lists.len(), 2);
    let commands = |world: &World, backend: usize| -> Vec<String> {
        let list = checklists(&world.config, &world.facts).swap_remove(backend);
        list.steps.into_iter().flat_map(|step| step.commands).collect()
    };
    let of_ipv4 = commands(&world, 0);
    for wanted in [
        "type ipip local 10.4.0.2",
        "type sit local 10.4.0.2",
        "2001:db8::80/128 dev lo",
        "decap4.rp_filter=2",
        "arp_ignore=1",
    ] {
        assert!(of_ipv4.iter().any(|command| command.contains(wanted)), "{wanted}: {of_ipv4:#?}");
    }
    assert!(!of_ipv4.iter().any(|command| command.contains("advmss")), "1600 bytes have room: {of_ipv4:#?}");
    world.ways().view.routes.get_mut(&address("fd00:4::2")).unwrap().mtu_bytes = 1500;
    let of_ipv6 = commands(&world, 1);
    for wanted in ["type ip6tnl mode any local fd00:4::2", "ip -4 route change", "advmss 1420", "advmss 1400"] {
        assert!(of_ipv6.iter().any(|command| command.contains(wanted)), "{wanted}: {of_ipv6:#?}");
    }
}

#[test]
fn checklist_has_the_devices_of_each_encap() {
    let mut world = World::pop();
    let mut decap = |encap: Encap| -> Vec<Vec<String>> {
        for backend in &mut world.config.services.pools[0].backends {
            backend.encap = encap;
        }
        let lists = checklists(&world.config, &world.facts);
        lists.into_iter().map(|mut list| list.steps.swap_remove(0).commands).collect()
    };
    let gre = [
        ["ip link add decap-7 type gre local 10.4.0.2 remote any key 7", "ip link set decap-7 up"],
        ["ip link add decap6-7 type ip6gre local fd00:4::2 remote :: key 7", "ip link set decap6-7 up"],
    ];
    assert_eq!(decap(Encap::Gre { key: Some(7) }), gre);
    let gue = [
        &[
            "modprobe fou",
            "ip fou add port 6080 gue",
            "ip link add decap4 type ipip local 10.4.0.2 remote any",
            "ip link set decap4 up",
            "ip link add decap46 type sit local 10.4.0.2 remote any",
            "ip link set decap46 up",
        ][..],
        &[
            "modprobe fou",
            "ip -6 fou add port 6080 gue",
            "ip link add decap6 type ip6tnl mode any local fd00:4::2 remote ::",
            "ip link set decap6 up",
        ],
    ];
    assert_eq!(decap(Encap::Gue { port: 6080 }), gue);
}

#[test]
fn checklist_is_one_for_each_tunnel_of_a_backend() {
    let mut world = World::pop();
    let first = world.config.services.pools[0].clone();
    let keys = [None, Some(1), Some(u32::MAX)];
    let pool = |key: Option<u32>| {
        let mut pool = Pool { name: format!("{key:?}"), ..first.clone() };
        pool.backends.iter_mut().for_each(|backend| backend.encap = Encap::Gre { key });
        pool
    };
    world.config.services.pools = keys.map(pool).to_vec();
    // The same tunnel from another pool is no other.
    world.config.services.pools.push(Pool { name: "again".to_owned(), ..pool(None) });
    let lists = checklists(&world.config, &world.facts);
    let names = lists.iter().map(|list| list.steps[0].commands[0].split(' ').nth(3).unwrap());
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["decapgre", "decapgre6", "decap-1", "decap6-1", "decap-ffffffff", "decap6-ffffffff"]
    );
    assert_eq!((lists[0].pools.join(" "), lists[2].pools.join(" ")), ("None again".to_owned(), "Some(1)".to_owned()));
    assert_eq!(lists[5].encap, Encap::Gre { key: Some(u32::MAX) }.to_string());
}
