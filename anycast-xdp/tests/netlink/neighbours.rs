//! Neighbours: resolved without traffic, followed, and given back.

use std::time::Duration;

use anycast_xdp::netlink::release_neighbours;

use crate::{
    lab::{Lab, PROMPT, Watched, addresses, ip_neigh, router_mac},
    namespace::run,
};

const OTHER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x99];

#[test]
fn gateway_that_appears_later_is_resolved_without_traffic() {
    Lab::run("gateway_that_appears_later_is_resolved_without_traffic", async |lab| {
        run("ip route add 192.0.2.0/24 via 10.0.0.9");
        run("ip -6 route add 2001:db8:f::/48 via 2001:db8:0::9");
        let mut watched = Watched::start(&["192.0.2.9", "2001:db8:f::9"]).await;
        assert_eq!(watched.view().routes.len(), 2);
        for gateway in ["10.0.0.9", "2001:db8::9"] {
            assert!(ip_neigh(gateway).contains("managed"), "{}", ip_neigh(gateway));
        }
        watched.stays(Duration::from_secs(4)).await;
        assert_eq!(watched.view().neighbours.len(), 0);
        lab.at_router("ip addr add 10.0.0.9/24 dev r0");
        lab.at_router("ip addr add 2001:db8::9/64 dev r0 nodad");
        watched.until("mac v4", |w| w.mac("bb0", "10.0.0.9") == Some(router_mac(0))).await;
        watched.until("mac v6", |w| w.mac("bb0", "2001:db8::9") == Some(router_mac(0))).await;
    });
}

#[test]
fn gateway_set_failed_is_lost_promptly_and_resolved_again() {
    Lab::run("gateway_set_failed_is_lost_promptly_and_resolved_again", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        let mut watched = Watched::start(&["192.0.2.9"]).await;
        watched.until("mac", |w| w.mac("bb0", "10.0.0.2").is_some()).await;
        let lost = |w: &Watched| w.mac("bb0", "10.0.0.2").is_none();
        let delay = watched.until_after("ip neigh change 10.0.0.2 dev bb0 nud failed", lost).await;
        assert!(delay < PROMPT, "{delay:?}");
        assert!(watched.route("192.0.2.9").is_some());
        watched.until("mac again", |w| w.mac("bb0", "10.0.0.2") == Some(router_mac(0))).await;
        assert!(ip_neigh("10.0.0.2").contains("managed"), "{}", ip_neigh("10.0.0.2"));
    });
}

#[test]
fn gateway_that_stops_answering_is_lost() {
    Lab::run("gateway_that_stops_answering_is_lost", async |lab| {
        for (name, value) in [
            ("base_reachable_time_ms", 500),
            ("delay_first_probe_time", 0),
            ("retrans_time_ms", 100),
            ("interval_probe_time_ms", 500),
        ] {
            run(&format!("sysctl -qw net.ipv4.neigh.bb0.{name}={value}"));
        }
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        let mut watched = Watched::start(&["192.0.2.9"]).await;
        watched.until("mac", |w| w.mac("bb0", "10.0.0.2").is_some()).await;
        lab.at_router("ip link set r0 arp off");
        lab.at_router("ip addr del 10.0.0.2/24 dev r0");
        watched.until("loss", |w| w.mac("bb0", "10.0.0.2").is_none()).await;
        assert!(watched.route("192.0.2.9").is_some());
    });
}

#[test]
fn mac_set_by_hand_is_seen_promptly_and_left_alone() {
    Lab::run("mac_set_by_hand_is_seen_promptly_and_left_alone", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        let mut watched = Watched::start(&["192.0.2.9"]).await;
        watched.until("mac", |w| w.mac("bb0", "10.0.0.2") == Some(router_mac(0))).await;
        let other = |w: &Watched| w.mac("bb0", "10.0.0.2") == Some(OTHER_MAC);
        let delay = watched.until_after("ip neigh replace 10.0.0.2 dev bb0 lladdr 02:00:00:00:00:99", other).await;
        assert!(delay < PROMPT, "{delay:?}");
        watched.stays(Duration::from_millis(200)).await;
        assert!(ip_neigh("10.0.0.2").contains("02:00:00:00:00:99 PERMANENT"), "{}", ip_neigh("10.0.0.2"));
    });
}

#[test]
fn mac_change_by_gratuitous_arp_is_seen_promptly() {
    Lab::run("mac_change_by_gratuitous_arp_is_seen_promptly", async |lab| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        lab.at_router("sysctl -qw net.ipv4.conf.r0.arp_notify=1");
        let mut watched = Watched::start(&["192.0.2.9"]).await;
        watched.until("mac", |w| w.mac("bb0", "10.0.0.2") == Some(router_mac(0))).await;
        let command = lab.router_command("ip link set r0 address 02:00:00:00:00:99");
        let delay = watched.until_after(&command, |w| w.mac("bb0", "10.0.0.2") == Some(OTHER_MAC)).await;
        assert!(delay < PROMPT, "{delay:?}");
    });
}

#[test]
fn deleted_entry_is_set_up_again() {
    Lab::run("deleted_entry_is_set_up_again", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        run("ip -6 route add 2001:db8:f::/48 via fe80::2 dev bb0");
        let mut watched = Watched::start(&["192.0.2.9", "2001:db8:f::9"]).await;
        for gateway in ["10.0.0.2", "fe80::2"] {
            let there = |w: &Watched| w.mac("bb0", gateway) == Some(router_mac(0));
            watched.until("mac", there).await;
            watched.until_after(&format!("ip neigh del {gateway} dev bb0"), |w| !there(w)).await;
            watched.until("mac again", there).await;
            assert!(ip_neigh(gateway).contains("managed"), "{}", ip_neigh(gateway));
        }
    });
}

#[test]
fn permanent_entry_is_used_and_never_touched() {
    Lab::run("permanent_entry_is_used_and_never_touched", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.9");
        run("ip neigh add 10.0.0.9 dev bb0 lladdr 02:00:00:00:00:99 nud permanent");
        let before = ip_neigh("10.0.0.9");
        let mut watched = Watched::start(&["192.0.2.9"]).await;
        assert_eq!(watched.mac("bb0", "10.0.0.9"), Some(OTHER_MAC));
        watched.0.set_destinations(addresses(&[])).await.unwrap();
        assert_eq!(release_neighbours().unwrap(), 0);
        assert_eq!(ip_neigh("10.0.0.9"), before);
    });
}

#[test]
fn existing_entry_becomes_managed_and_keeps_its_mac() {
    Lab::run("existing_entry_becomes_managed_and_keeps_its_mac", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        run("ip neigh add 10.0.0.2 dev bb0 lladdr 02:00:00:00:00:02 nud reachable");
        let watched = Watched::start(&["192.0.2.9"]).await;
        assert_eq!(watched.mac("bb0", "10.0.0.2"), Some(router_mac(0)));
        let shown = ip_neigh("10.0.0.2");
        assert!(shown.contains("managed") && shown.contains("REACHABLE"), "{shown}");
    });
}

#[test]
fn neighbour_on_no_route_any_more_is_given_back() {
    Lab::run("neighbour_on_no_route_any_more_is_given_back", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        let mut watched = Watched::start(&["192.0.2.9"]).await;
        watched.until("mac", |w| w.mac("bb0", "10.0.0.2").is_some()).await;
        watched.until_after("ip route replace 192.0.2.0/24 via 10.0.1.2", |w| w.mac("bb1", "10.0.1.2").is_some()).await;
        assert_eq!(watched.mac("bb0", "10.0.0.2"), None);
        let shown = ip_neigh("10.0.0.2");
        assert!(!shown.contains("managed") && shown.contains("lladdr"), "{shown}");
        assert!(ip_neigh("10.0.1.2").contains("managed"), "{}", ip_neigh("10.0.1.2"));
    });
}

#[test]
fn restart_takes_over_and_gives_back_what_it_does_not_need() {
    Lab::run("restart_takes_over_and_gives_back_what_it_does_not_need", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        run("ip route add 198.51.100.0/24 via 10.0.1.2");
        run("ip neigh replace 10.0.1.77 dev bb1 managed");
        let mut first = Watched::start(&["192.0.2.9", "198.51.100.9"]).await;
        first.until("macs", |w| w.view().neighbours.len() == 2).await;
        drop(first);
        assert!(ip_neigh("10.0.0.2").contains("managed"), "goes on without the daemon");

        let second = Watched::start(&["192.0.2.9"]).await;
        assert_eq!(second.mac("bb0", "10.0.0.2"), Some(router_mac(0)));
        assert!(!ip_neigh("10.0.1.2").contains("managed"), "{}", ip_neigh("10.0.1.2"));
        assert!(ip_neigh("10.0.1.77").contains("managed"), "another's");
        drop(second);
        assert_eq!(release_neighbours().unwrap(), 1);
        assert!(!ip_neigh("10.0.0.2").contains("managed"));
        assert!(ip_neigh("10.0.1.77").contains("managed"), "another's");
    });
}
