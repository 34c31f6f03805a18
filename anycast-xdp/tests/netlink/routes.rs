//! Routes: which members a destination has, and how soon a change is seen.

use std::{net::Ipv4Addr, time::Duration};

use crate::{
    lab::{Lab, PROMPT, Watched, addresses, hop, router_mac},
    namespace::run,
};

#[test]
fn single_route_gives_hop_prefix_mtu_link_and_mac() {
    Lab::run("single_route_gives_hop_prefix_mtu_link_and_mac", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        let mut watched = Watched::start(&["192.0.2.9"]).await;
        let route = watched.route("192.0.2.9").unwrap();
        assert_eq!(route.prefix, "192.0.2.0/24".parse().unwrap());
        assert_eq!(route.mtu_bytes, 1500);
        assert_eq!(route.hops, [hop("bb0", "10.0.0.2", 1)]);
        let link = &watched.view().links[&hop("bb0", "10.0.0.2", 1).ifindex];
        assert_eq!((link.name.as_str(), link.mac, link.up), ("bb0", [2, 0, 0, 0, 0, 1], true));
        assert_eq!((link.egress_ifindex, link.vlan_id), (hop("bb0", "10.0.0.2", 1).ifindex, None));
        watched.until("mac", |w| w.mac("bb0", "10.0.0.2") == Some(router_mac(0))).await;
    });
}

#[test]
fn destination_on_the_link_is_its_own_hop() {
    Lab::run("destination_on_the_link_is_its_own_hop", async |_| {
        let mut watched = Watched::start(&["10.0.0.2", "2001:db8:1::2"]).await;
        assert_eq!(watched.hops("10.0.0.2"), [hop("bb0", "10.0.0.2", 1)]);
        assert_eq!(watched.hops("2001:db8:1::2"), [hop("bb1", "2001:db8:1::2", 1)]);
        watched.until("mac v4", |w| w.mac("bb0", "10.0.0.2") == Some(router_mac(0))).await;
        watched.until("mac v6", |w| w.mac("bb1", "2001:db8:1::2") == Some(router_mac(1))).await;
    });
}

#[test]
fn ecmp_gives_all_members_with_weights_in_both_families() {
    Lab::run("ecmp_gives_all_members_with_weights_in_both_families", async |_| {
        run("ip route add 192.0.2.0/24 nexthop via 10.0.1.2 weight 3 nexthop via 10.0.0.2 weight 1");
        run("ip route add 2001:db8:f::/48 nexthop via 2001:db8:0::2 weight 5 nexthop via fe80::2 dev bb1 weight 2");
        let mut watched = Watched::start(&["192.0.2.9", "2001:db8:f::9"]).await;
        assert_eq!(watched.hops("192.0.2.9"), [hop("bb0", "10.0.0.2", 1), hop("bb1", "10.0.1.2", 3)]);
        assert_eq!(watched.hops("2001:db8:f::9"), [hop("bb0", "2001:db8:0::2", 5), hop("bb1", "fe80::2", 2)]);
        watched.until("all four macs", |w| w.view().neighbours.len() == 4).await;
    });
}

#[test]
fn ipv6_siblings_added_one_by_one_are_members_of_one_route() {
    Lab::run("ipv6_siblings_added_one_by_one_are_members_of_one_route", async |_| {
        run("ip -6 route add 2001:db8:f::/48 via fe80::2 dev bb0");
        let mut watched = Watched::start(&["2001:db8:f::9"]).await;
        assert_eq!(watched.hops("2001:db8:f::9").len(), 1);
        watched
            .until_after("ip -6 route append 2001:db8:f::/48 via fe80::2 dev bb1", |w| {
                w.hops("2001:db8:f::9") == [hop("bb0", "fe80::2", 1), hop("bb1", "fe80::2", 1)]
            })
            .await;
        watched
            .until_after("ip -6 route del 2001:db8:f::/48 via fe80::2 dev bb0", |w| {
                w.hops("2001:db8:f::9") == [hop("bb1", "fe80::2", 1)]
            })
            .await;
    });
}

#[test]
fn ipv4_route_via_ipv6_gateway_resolves_that_gateway() {
    Lab::run("ipv4_route_via_ipv6_gateway_resolves_that_gateway", async |_| {
        run("ip route add 192.0.2.0/24 via inet6 fe80::2 dev bb0");
        run("ip route add 198.51.100.0/24 nexthop via inet6 fe80::2 dev bb0 nexthop via 10.0.1.2");
        let mut watched = Watched::start(&["192.0.2.9", "198.51.100.9"]).await;
        assert_eq!(watched.hops("192.0.2.9"), [hop("bb0", "fe80::2", 1)]);
        assert_eq!(watched.hops("198.51.100.9"), [hop("bb0", "fe80::2", 1), hop("bb1", "10.0.1.2", 1)]);
        watched.until("mac", |w| w.mac("bb0", "fe80::2") == Some(router_mac(0))).await;
    });
}

#[test]
fn nexthop_objects_give_their_members_and_follow_the_group() {
    Lab::run("nexthop_objects_give_their_members_and_follow_the_group", async |_| nexthop_objects().await);
}

#[test]
fn nexthop_objects_do_so_without_the_compatible_reply() {
    Lab::run("nexthop_objects_do_so_without_the_compatible_reply", async |_| {
        run("sysctl -qw net.ipv4.nexthop_compat_mode=0");
        nexthop_objects().await;
    });
}

async fn nexthop_objects() {
    run("ip nexthop add id 1 via 10.0.0.2 dev bb0");
    run("ip nexthop add id 2 via 10.0.1.2 dev bb1");
    run("ip nexthop add id 10 group 1,3/2");
    run("ip route add 192.0.2.0/24 nhid 10");
    run("ip nexthop add id 3 via fe80::2 dev bb0");
    run("ip -6 route add 2001:db8:f::/48 nhid 3");
    let mut watched = Watched::start(&["192.0.2.9", "2001:db8:f::9"]).await;
    assert_eq!(watched.hops("192.0.2.9"), [hop("bb0", "10.0.0.2", 3), hop("bb1", "10.0.1.2", 1)]);
    assert_eq!(watched.hops("2001:db8:f::9"), [hop("bb0", "fe80::2", 1)]);
    let one = [hop("bb1", "10.0.1.2", 1)];
    let delay = watched.until_after("ip nexthop replace id 10 group 2", |w| w.hops("192.0.2.9") == one).await;
    assert!(delay < PROMPT, "{delay:?}");
    let other = [hop("bb1", "fe80::2", 1)];
    watched.until_after("ip nexthop replace id 3 via fe80::2 dev bb1", |w| w.hops("2001:db8:f::9") == other).await;
    watched.until_after("ip nexthop del id 2", |w| w.route("192.0.2.9").is_none()).await;
}

#[test]
fn replaced_route_is_seen_promptly() {
    Lab::run("replaced_route_is_seen_promptly", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        let mut watched = Watched::start(&["192.0.2.9"]).await;
        for (link, via) in [("bb1", "10.0.1.2"), ("bb0", "10.0.0.2"), ("bb1", "10.0.1.2")] {
            let command = format!("ip route replace 192.0.2.0/24 via {via}");
            let delay = watched.until_after(&command, |w| w.hops("192.0.2.9") == [hop(link, via, 1)]).await;
            assert!(delay < PROMPT, "{delay:?}");
        }
    });
}

#[test]
fn more_specific_route_takes_over_and_gives_back() {
    Lab::run("more_specific_route_takes_over_and_gives_back", async |_| {
        run("ip route add default via 10.0.0.2");
        run("ip -6 route add default via fe80::2 dev bb0");
        let mut watched = Watched::start(&["192.0.2.9", "2001:db8:f::9"]).await;
        for (destination, prefix, via0, via1) in [
            ("192.0.2.9", "192.0.2.8/30", "10.0.0.2", "10.0.1.2"),
            ("2001:db8:f::9", "2001:db8:f::/64", "fe80::2", "2001:db8:1::2"),
        ] {
            assert_eq!(watched.hops(destination), [hop("bb0", via0, 1)]);
            let specific = [hop("bb1", via1, 1)];
            watched
                .until_after(&format!("ip route add {prefix} via {via1}"), |w| w.hops(destination) == specific)
                .await;
            assert_eq!(watched.route(destination).unwrap().prefix, prefix.parse().unwrap());
            let general = [hop("bb0", via0, 1)];
            watched.until_after(&format!("ip route del {prefix}"), |w| w.hops(destination) == general).await;
            assert_eq!(watched.route(destination).unwrap().prefix.prefix_len(), 0);
        }
    });
}

#[test]
fn blackhole_unreachable_prohibit_and_local_routes_are_no_route() {
    Lab::run("blackhole_unreachable_prohibit_and_local_routes_are_no_route", async |_| {
        run("ip route add default via 10.0.0.2");
        run("ip -6 route add default via fe80::2 dev bb0");
        let destinations = ["192.0.2.9", "2001:db8:f::9"];
        let mut watched = Watched::start(&["192.0.2.9", "2001:db8:f::9", "10.0.0.1", "2001:db8::1"]).await;
        assert!(watched.route("10.0.0.1").is_none() && watched.route("2001:db8::1").is_none());
        for kind in ["blackhole", "unreachable", "prohibit"] {
            for destination in destinations {
                let route = format!("{kind} {destination}");
                watched.until_after(&format!("ip route add {route}"), |w| w.route(destination).is_none()).await;
                watched.until_after(&format!("ip route del {route}"), |w| w.route(destination).is_some()).await;
            }
        }
    });
}

#[test]
fn destination_without_route_appears_with_one() {
    Lab::run("destination_without_route_appears_with_one", async |_| {
        let mut watched = Watched::start(&["192.0.2.9", "2001:db8:f::9"]).await;
        assert!(watched.view().routes.is_empty());
        watched.until_after("ip route add default via 10.0.0.2", |w| w.route("192.0.2.9").is_some()).await;
        watched
            .until_after("ip -6 route add default via fe80::2 dev bb0", |w| w.route("2001:db8:f::9").is_some())
            .await;
    });
}

#[test]
fn route_metric_and_link_mtu_make_the_mtu() {
    Lab::run("route_metric_and_link_mtu_make_the_mtu", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2 mtu 1400");
        run("ip -6 route add 2001:db8:f::/48 via fe80::2 dev bb0 mtu 1390");
        let mut watched = Watched::start(&["192.0.2.9", "2001:db8:f::9"]).await;
        let mtu = |w: &Watched, destination| w.route(destination).map(|route| route.mtu_bytes);
        assert_eq!((mtu(&watched, "192.0.2.9"), mtu(&watched, "2001:db8:f::9")), (Some(1400), Some(1390)));
        watched.until_after("ip route replace 192.0.2.0/24 via 10.0.0.2", |w| mtu(w, "192.0.2.9") == Some(1500)).await;
        watched.until_after("ip link set bb0 mtu 1450", |w| mtu(w, "192.0.2.9") == Some(1450)).await;
        assert_eq!(mtu(&watched, "2001:db8:f::9"), Some(1390));
    });
}

#[test]
fn policy_rule_and_preferred_source_changes_are_followed() {
    Lab::run("policy_rule_and_preferred_source_changes_are_followed", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        run("ip route add 192.0.2.0/24 via 10.0.1.2 table 77");
        let mut watched = Watched::start(&["192.0.2.9", "198.51.100.9"]).await;
        let other = [hop("bb1", "10.0.1.2", 1)];
        watched.until_after("ip rule add to 192.0.2.0/24 lookup 77", |w| w.hops("192.0.2.9") == other).await;

        run("ip addr add 10.0.0.77/32 dev bb0");
        watched
            .until_after("ip route add 198.51.100.0/24 via 10.0.0.2 src 10.0.0.77", |w| {
                w.route("198.51.100.9").is_some()
            })
            .await;
        // The kernel flushes the route with the address, and sends no route event.
        watched.until_after("ip addr del 10.0.0.77/32 dev bb0", |w| w.route("198.51.100.9").is_none()).await;
    });
}

#[test]
fn other_routes_do_not_change_the_view() {
    Lab::run("other_routes_do_not_change_the_view", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        let mut watched = Watched::start(&["192.0.2.9"]).await;
        watched.until("mac", |w| w.mac("bb0", "10.0.0.2").is_some()).await;
        run("ip route add 198.51.100.0/24 via 10.0.1.2");
        run("ip route add 192.0.0.0/16 via 10.0.1.2");
        run("ip route add 192.0.2.8/32 via 10.0.1.2");
        watched.stays(Duration::from_millis(300)).await;
    });
}

#[test]
fn destinations_can_be_replaced() {
    Lab::run("destinations_can_be_replaced", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        run("ip route add 198.51.100.0/24 via 10.0.1.2");
        let mut watched = Watched::start(&["192.0.2.9"]).await;
        watched.0.set_destinations(addresses(&["198.51.100.9"])).await.unwrap();
        assert_eq!(watched.route("192.0.2.9"), None);
        assert_eq!(watched.hops("198.51.100.9"), [hop("bb1", "10.0.1.2", 1)]);
        assert_eq!(watched.view().links.len(), 1);
        watched.until("mac", |w| w.mac("bb1", "10.0.1.2") == Some(router_mac(1))).await;
    });
}

#[test]
fn change_is_seen_after_a_wait_that_was_dropped() {
    Lab::run("change_is_seen_after_a_wait_that_was_dropped", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        let mut watched = Watched::start(&["192.0.2.9"]).await;
        for (link, via) in [("bb1", "10.0.1.2"), ("bb0", "10.0.0.2")] {
            watched.until("mac", |w| !w.view().neighbours.is_empty()).await;
            watched.stays(Duration::from_millis(20)).await;
            run(&format!("ip route replace 192.0.2.0/24 via {via}"));
            watched.until("route", |w| w.hops("192.0.2.9") == [hop(link, via, 1)]).await;
        }
    });
}

/// More events than the socket holds: some are lost, and with them the one that matters.
#[test]
fn lost_events_are_made_up_for() {
    const ROUTES: u32 = 120_000;
    Lab::run("lost_events_are_made_up_for", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        let mut watched = Watched::start(&["192.0.2.9"]).await;
        watched.until("mac", |w| w.mac("bb0", "10.0.0.2").is_some()).await;
        let routes = std::env::temp_dir().join(format!("axnl-{}-routes", std::process::id()));
        let lines: Vec<String> =
            (0..ROUTES).map(|i| format!("route add {} via 10.0.1.2", Ipv4Addr::from_bits((11 << 24) + i))).collect();
        std::fs::write(&routes, lines.join("\n")).unwrap();
        run(&format!("ip -batch {}", routes.display()));
        std::fs::remove_file(&routes).unwrap();
        run("ip route replace 192.0.2.0/24 via 10.0.1.2");
        let drops: u32 = run("cat /proc/thread-self/net/netlink")
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().nth(8).unwrap().parse::<u32>().unwrap())
            .sum();
        assert!(drops > 0, "the socket took {ROUTES} routes without a loss: this test needs more");
        watched.until("route", |w| w.hops("192.0.2.9") == [hop("bb1", "10.0.1.2", 1)]).await;
    });
}
