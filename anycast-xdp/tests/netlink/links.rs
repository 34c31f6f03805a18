//! Links: what goes down takes its members along at once, and comes back.

use std::collections::BTreeSet;

use anycast_xdp::netlink::Access;

use crate::{
    lab::{Lab, PROMPT, Watched, address, hop, router_mac},
    namespace::{ifindex, run},
};

/// Routes to both destinations over both links.
fn two_ways() {
    run("ip route replace 192.0.2.0/24 nexthop via 10.0.0.2 nexthop via 10.0.1.2");
    run("ip -6 route replace 2001:db8:f::/48 nexthop via fe80::2 dev bb0 nexthop via fe80::2 dev bb1");
}

fn both_ways(w: &Watched) -> bool {
    w.hops("192.0.2.9").len() == 2 && w.hops("2001:db8:f::9").len() == 2
}

fn second_way_only(w: &Watched) -> bool {
    w.hops("192.0.2.9") == [hop("bb1", "10.0.1.2", 1)] && w.hops("2001:db8:f::9") == [hop("bb1", "fe80::2", 1)]
}

#[test]
fn member_whose_carrier_is_lost_is_left_out_promptly_and_comes_back() {
    Lab::run("member_whose_carrier_is_lost_is_left_out_promptly_and_comes_back", async |lab| {
        two_ways();
        let mut watched = Watched::start(&["192.0.2.9", "2001:db8:f::9"]).await;
        assert!(both_ways(&watched));
        let delay = watched.until_after(&lab.router_command("ip link set r0 down"), second_way_only).await;
        assert!(delay < PROMPT, "{delay:?}");
        assert_eq!(watched.view().links.len(), 1);
        watched.until_after(&lab.router_command("ip link set r0 up"), both_ways).await;
        watched.until("mac again", |w| w.mac("bb0", "10.0.0.2") == Some(router_mac(0))).await;
    });
}

/// The kernel sends a link's event before it marks the routes, and answers IPv6 route questions in between: many
/// times, to meet the gap.
#[test]
fn link_that_goes_down_and_up_is_followed_every_time() {
    Lab::run("link_that_goes_down_and_up_is_followed_every_time", async |_| {
        two_ways();
        let mut watched = Watched::start(&["192.0.2.9", "2001:db8:f::9"]).await;
        for _ in 0..50 {
            watched.until_after("ip link set bb0 down", second_way_only).await;
            watched.until_after("ip link set bb0 up", both_ways).await;
        }
    });
}

#[test]
fn last_link_down_leaves_no_route_and_up_brings_ipv4_back() {
    Lab::run("last_link_down_leaves_no_route_and_up_brings_ipv4_back", async |lab| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        let mut watched = Watched::start(&["192.0.2.9", "10.0.0.2"]).await;
        let gone = |w: &Watched| w.view().routes.is_empty() && w.view().links.is_empty();
        let delay = watched.until_after(&lab.router_command("ip link set r0 down"), gone).await;
        assert!(delay < PROMPT, "{delay:?}");
        watched.until_after(&lab.router_command("ip link set r0 up"), |w| w.view().routes.len() == 2).await;
        // The kernel flushes these routes, and sends no route event.
        watched.until_after("ip link set bb0 down", gone).await;
        watched.until_after("ip link set bb0 up", |w| w.route("10.0.0.2").is_some()).await;
        assert_eq!(watched.route("192.0.2.9"), None);
    });
}

#[test]
fn deleted_link_takes_its_members_along() {
    Lab::run("deleted_link_takes_its_members_along", async |lab| {
        two_ways();
        let mut watched = Watched::start(&["192.0.2.9", "2001:db8:f::9"]).await;
        let delay = watched
            .until_after(&lab.router_command("ip link del r0"), |w| w.view().links.len() == 1 && second_way_v6(w))
            .await;
        assert!(delay < PROMPT, "{delay:?}");
    });
}

/// IPv4 removes the whole route with a link that is deleted, IPv6 the one member.
fn second_way_v6(w: &Watched) -> bool {
    w.hops("2001:db8:f::9") == [hop("bb1", "fe80::2", 1)]
}

#[test]
fn renamed_link_goes_on_under_its_new_name() {
    Lab::run("renamed_link_goes_on_under_its_new_name", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        let mut watched = Watched::start(&["192.0.2.9"]).await;
        let index = watched.hops("192.0.2.9")[0].ifindex;
        watched.until_after("ip link set bb0 name core0", |w| w.view().links[&index].name == "core0").await;
        assert_eq!(watched.hops("192.0.2.9")[0].via, address("10.0.0.2"));
    });
}

#[test]
fn mac_change_of_our_own_link_is_seen_promptly() {
    Lab::run("mac_change_of_our_own_link_is_seen_promptly", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        let mut watched = Watched::start(&["192.0.2.9"]).await;
        let index = watched.hops("192.0.2.9")[0].ifindex;
        let wanted = [2, 0, 0, 0, 0, 0x77];
        let delay = watched
            .until_after("ip link set bb0 address 02:00:00:00:00:77", |w| w.view().links[&index].mac == wanted)
            .await;
        assert!(delay < PROMPT, "{delay:?}");
    });
}

#[test]
fn access_links_are_followed_by_name_whatever_routes_name() {
    Lab::run("access_links_are_followed_by_name_whatever_routes_name", async |_| {
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        let mut watched = Watched::start(&["192.0.2.9"]).await;
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let access = Access { interfaces: names(&["bb1"]), others: names(&["bb0"]) };
        watched.0.set_access(access).await.unwrap();
        let before = ifindex("bb1");
        assert_eq!(watched.view().access, BTreeSet::from([before]));
        assert_eq!(watched.view().links.len(), 2);

        let wanted = [2, 0, 0, 0, 0, 0x77];
        let delay = watched
            .until_after("ip link set bb1 address 02:00:00:00:00:77", |w| w.view().links[&before].mac == wanted)
            .await;
        assert!(delay < PROMPT, "{delay:?}");
        watched.until_after("ip link del bb1", |w| w.view().access.is_empty() && w.view().links.len() == 1).await;
        let is_back = move |w: &Watched| w.view().access.len() == 1 && !w.view().access.contains(&before);
        watched.until_after("ip link add bb1 index 4242 type veth peer name peer1", is_back).await;

        watched.0.set_access(Access::default()).await.unwrap();
        assert!(watched.view().access.is_empty() && watched.view().links.len() == 1);
    });
}
