//! What a PoP host itself sends to a VIP goes the way of a client's packets; with the mark of a backend, to that backend.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod marked;
mod world;

use std::time::Duration;

use anycast_tests::{
    lab::{
        Topology,
        client::{PingReport, download, ping},
        deployment::MIXES,
        returns::THROUGH_POP,
        server::UdpEcho,
        wait::wait_for,
    },
    packet::Packet,
    require_root,
};

use self::world::{World, config, loopback_addresses, of_clients, probes, tunnel_sources};

#[test]
fn probes_reach_the_backend_of_their_mark_and_are_answered_directly() {
    require_root!();
    let world = World::new(Topology::pop_and_home(), "", loopback_addresses);
    reach_the_backend_of_their_mark(&world, false);
}

#[test]
fn answers_to_probes_come_out_of_tunnels_where_those_of_clients_do() {
    require_root!();
    let world = World::new(Topology::pop_and_home(), THROUGH_POP, loopback_addresses);
    reach_the_backend_of_their_mark(&world, true);
}

#[test]
fn probes_may_come_from_the_address_that_tunnels_begin_at() {
    require_root!();
    let world = World::new(Topology::pop_and_home(), THROUGH_POP, tunnel_sources);
    reach_the_backend_of_their_mark(&world, true);
}

#[test]
fn probes_work_on_an_interface_that_is_access_and_backbone() {
    require_root!();
    let world = World::new(Topology::pop_and_home().one_armed(), THROUGH_POP, tunnel_sources);
    reach_the_backend_of_their_mark(&world, true);
}

/// The kernel answers them, for nobody else does: with a reset, and with an ICMP error.
#[test]
fn answers_that_come_after_their_probes_have_ended_make_no_packets_of_clients() {
    require_root!();
    for lines in ["", THROUGH_POP] {
        let world = World::new(Topology::pop_and_home(), lines, loopback_addresses);
        world.await_ways();
        let home = &world.lab.home;
        let _echoes = MIXES.map(|mix| UdpEcho::start(home, mix.vip, world::UDP_PORT).unwrap());
        let before = world.pop.stats().unwrap();
        let grown = |outcome| probes(&world.pop.stats().unwrap(), outcome) - probes(&before, outcome);
        for mix in MIXES {
            let (mark, arrived) = (world.mark(mix, 0), world.arrived(mix));
            let ended = grown("probe_ended");
            let from_health = || Packet::between(world.health_of(mix), mix.vip);
            for packet in [from_health().tcp_syn(60_001, world::PORT), from_health().udp(60_001, world::UDP_PORT)] {
                marked::send(&world.lab.site().pop, mix.vip, packet, mark).unwrap();
            }
            let both = || (grown("probe_ended") == ended + 2).then_some(());
            wait_for("both to end", Duration::from_secs(5), both).unwrap_or_else(|error| panic!("{mix:?}: {error}"));
            assert_eq!(world.arrived(mix), [arrived[0] + 2, arrived[1]], "{mix:?}");
        }
        assert_eq!(of_clients(&world.pop.stats().unwrap()), of_clients(&before));
    }
}

/// Home host 1 among them, which no table leads to; and no client's counter moves.
fn reach_the_backend_of_their_mark(world: &World, in_tunnels: bool) {
    world.await_ways();
    let before = world.pop.stats().unwrap();
    let mut sent = 0;
    for mix in MIXES {
        for home in [0, 1] {
            let mark = world.mark(mix, home);
            let arrived = world.arrived(mix);
            assert_eq!(world.greeting(mix, mark).unwrap(), home, "{mix:?}");
            assert_eq!(world.ping(mix, mark, 5), 5, "{mix:?} to home host {home}");
            let now = world.arrived(mix);
            let grown = [0, 1].map(|at| now[at] - arrived[at]);
            assert!(grown[usize::from(home)] >= 8 && grown[usize::from(1 - home)] == 0, "{mix:?}: {grown:?}");
            sent += grown[usize::from(home)];
        }
    }
    let after = world.pop.stats().unwrap();
    assert_eq!(of_clients(&after), of_clients(&before));
    let grown = |outcome| probes(&after, outcome) - probes(&before, outcome);
    assert!(grown("forwarded") >= sent, "{sent} arrived, {} were sent", grown("forwarded"));
    assert_eq!(grown("probe_answered") != 0, in_tunnels);
    if in_tunnels {
        // A greeting, its acknowledgements, and five replies for each.
        assert!(grown("probe_answered") >= 8 * 7, "{}", grown("probe_answered"));
    }
}

#[test]
fn host_itself_is_a_client_of_its_vips() {
    require_root!();
    let world = World::new(Topology::pop_and_home(), "", loopback_addresses);
    let pop = &world.lab.site().pop;
    for mix in MIXES {
        let before = world.pop.stats().unwrap();
        assert_eq!(download(pop, mix.vip, "/").unwrap().http_code, 200, "{mix:?}");
        assert_eq!(ping(pop, mix.vip, 3, 56).unwrap(), PingReport { sent: 3, received: 3 }, "{mix:?}");
        let after = world.pop.stats().unwrap();
        let forwarded = after.vip_packets(mix.name, "forwarded") - before.vip_packets(mix.name, "forwarded");
        assert!(forwarded >= 3 + 4, "{mix:?}: {forwarded} of an HTTP request and three echo requests");
        assert_eq!(probes(&after, "forwarded"), probes(&before, "forwarded"));
        let to_home = world.lab.address_of_home(0, mix.outer);
        assert_eq!(after.backend_packets(to_home) - before.backend_packets(to_home), forwarded, "{mix:?}");
        after.assert_law();
    }
}

#[test]
fn host_gets_what_the_program_answers() {
    require_root!();
    let mut world = World::new(Topology::pop_and_home(), "", loopback_addresses);
    let text = config(&world.lab, "icmp_echo = \"answer\"\n", world.health).echo_rate_pps(1000);
    world.pop.stop().unwrap();
    world.pop.write_config(text.text()).unwrap();
    world.pop.resume().unwrap();
    for mix in MIXES {
        let arrived = world.arrived(mix);
        let report = ping(&world.lab.site().pop, mix.vip, 5, 56).unwrap();
        assert_eq!(report, PingReport { sent: 5, received: 5 }, "{mix:?}");
        // A probe asks the backend, whoever answers clients.
        assert_eq!(world.arrived(mix), arrived);
        assert_eq!(world.ping(mix, world.mark(mix, 1), 3), 3, "{mix:?}");
        assert_eq!(world.arrived(mix)[1] - arrived[1], 3, "{mix:?}");
    }
}

#[test]
fn unset_backend_drops_and_counts() {
    require_root!();
    let world = World::new(Topology::pop_and_home(), "", loopback_addresses);
    let before = world.pop.stats().unwrap();
    for mix in MIXES {
        assert_eq!(world.ping(mix, 0xa000_0fff, 2), 0);
        assert_eq!(world.ping(mix, 0xa000_0000, 2), 0);
    }
    let after = world.pop.stats().unwrap();
    assert_eq!(probes(&after, "no_backend") - probes(&before, "no_backend"), 4 * 4);
    assert_eq!(of_clients(&after), of_clients(&before));
}

#[test]
fn probes_go_on_without_a_daemon_and_through_its_restart() {
    require_root!();
    let mut world = World::new(Topology::pop_and_home(), THROUGH_POP, loopback_addresses);
    world.await_ways();
    world.pop.kill().unwrap();
    for mix in MIXES {
        for home in [0, 1] {
            assert_eq!(world.greeting(mix, world.mark(mix, home)).unwrap(), home, "{mix:?}");
        }
    }
    // Not one probe of a stream is lost while the next daemon takes over.
    let mix = MIXES[0];
    let (host, mark, from) = (world.lab.site().pop.clone(), world.mark(mix, 1), world.health_of(mix));
    let stream = std::thread::spawn(move || marked::ping(&host, mix.vip, from, mark, 200).unwrap());
    world.pop.resume().unwrap();
    world.pop.stop().unwrap();
    world.pop.resume().unwrap();
    assert_eq!(stream.join().unwrap(), 200);
}

#[test]
fn pair_is_made_mended_and_removed() {
    require_root!();
    let mut world = World::new(Topology::pop_and_home(), "", loopback_addresses);
    let host = world.lab.site().pop.clone();
    let link = |name: &str| host.ip(&format!("-d link show dev {name}"));
    for name in ["axp0", "axp0-xdp"] {
        let text = link(name).unwrap();
        for word in ["NOARP", ",UP", "addrgenmode none", "xdp", &format!("anycast-xdp {}", world.pop.instance())] {
            assert!(text.contains(word), "{word} of {name}: {text}");
        }
        assert_eq!(host.ip(&format!("address show dev {name} up")).unwrap().matches("inet").count(), 0);
        let offloads = host.run(&format!("ethtool -k {}", "axp0")).unwrap();
        for feature in ["tx-checksumming: off", "tcp-segmentation-offload: off", "generic-segmentation-offload: off"] {
            assert!(offloads.contains(feature), "{feature}: {offloads}");
        }
    }
    let status = world.pop.status().unwrap();
    let attached = |interface: &str, program: &str| {
        let rows = status["attachments"].as_array().unwrap();
        let row = rows.iter().find(|row| row["interface"] == interface && row["program"] == program);
        row.unwrap_or_else(|| panic!("{program} on {interface}: {status}"))["mode"].as_str().unwrap().to_owned()
    };
    assert_eq!(attached("axp0-xdp", "probe"), "native");
    assert_eq!(attached("axp0", "probe_answers"), "native");
    assert_eq!(attached("axp0", "probe_mark"), "attached");

    // A whole pair is left alone: the same indexes, the routes still there.
    let index = |name: &str| link(name).unwrap().split(':').next().unwrap().to_owned();
    let before = ["axp0", "axp0-xdp"].map(index);
    world.pop.stop().unwrap();
    world.pop.resume().unwrap();
    assert_eq!(["axp0", "axp0-xdp"].map(index), before);
    assert!(host.ip("route show dev axp0").unwrap().contains("192.0.2.44"));

    // Down, with ARP, an offload and another name: mended. Gone, or half gone: made anew.
    host.ip("link set axp0 down arp on").unwrap();
    host.run("ethtool -K axp0 tx on").unwrap();
    restart_and_probe(&mut world);
    assert_eq!(["axp0", "axp0-xdp"].map(index), before);
    host.ip("link del axp0").unwrap();
    restart_and_probe(&mut world);
    host.ip("link set axp0-xdp down").unwrap();
    host.ip("link set axp0-xdp name other").unwrap();
    restart_and_probe(&mut world);
    assert!(host.ip("link show dev other").is_err());

    let way = || {
        let shown = |words: &str| ["-4", "-6"].map(|family| host.ip(&format!("{family} {words}")).unwrap_or_default());
        let rules = shown("rule show").map(|text| text.lines().filter(|line| line.starts_with("201:")).count());
        (rules, shown("route show table 201").map(|text| text.lines().count()))
    };
    assert_eq!(way(), ([1, 1], [2, 2]));

    // Nothing to probe from: the pair goes. Again: it is back, and goes with the rest.
    let plain = config(&world.lab, "", world.health).text().replace("[health]", "[icmp]");
    let plain: Vec<&str> = plain.lines().filter(|line| !line.contains("icmp") || line.starts_with('[')).collect();
    let plain = plain.join("\n");
    world.pop.reload(&plain).unwrap();
    wait_for("removal", Duration::from_secs(10), || link("axp0").is_err().then_some(())).unwrap();
    assert!(link("axp0-xdp").is_err());
    wait_for("removal of the way", Duration::from_secs(10), || (way() == Default::default()).then_some(())).unwrap();
    let config = config(&world.lab, "", world.health);
    world.pop.reload(config.text()).unwrap();
    wait_for("pair", Duration::from_secs(10), || link("axp0").is_ok().then_some(())).unwrap();
    wait_for("way", Duration::from_secs(10), || (way() == ([1, 1], [2, 2])).then_some(())).unwrap();
    let World { pop, lab, gateways, .. } = world;
    pop.detach().unwrap();
    assert!(host.ip("link show dev axp0").is_err() && host.ip("link show dev axp0-xdp").is_err());
    assert_eq!(way(), Default::default());
    drop((gateways, lab));
}

fn restart_and_probe(world: &mut World) {
    world.pop.stop().unwrap();
    world.pop.resume().unwrap();
    world.lead_vips();
    for mix in MIXES {
        assert_eq!(world.greeting(mix, world.mark(mix, 1)).unwrap(), 1, "{mix:?}");
    }
}

#[test]
fn what_the_program_passes_does_not_come_back() {
    require_root!();
    let world = World::new(Topology::pop_and_home(), "", loopback_addresses);
    let host = &world.lab.site().pop;
    // No VIPs: the program passes what is for them, and the far side's stack has another MAC.
    host.ip("route add 192.0.2.250/32 dev axp0 src 10.3.99.1").unwrap();
    host.ip("route add 2001:db8:80::250/128 dev axp0 src fd00:3:99::1").unwrap();
    let arrived = || {
        let text = host.ip("-s -j link show dev axp0-xdp").unwrap();
        let rows: serde_json::Value = serde_json::from_str(&text).unwrap();
        rows[0]["stats64"]["rx"]["packets"].as_u64().unwrap()
    };
    let before = arrived();
    for (to, from) in [("192.0.2.250", world.health[0]), ("2001:db8:80::250", world.health[1])] {
        assert_eq!(marked::ping(host, to.parse().unwrap(), from, 0, 20).unwrap(), 0);
        assert_eq!(marked::ping(host, to.parse().unwrap(), from, 0xa000_0001, 20).unwrap(), 0);
    }
    // Each once: routed back by the stack, a packet would come again as often as its TTL allows.
    let arrived = arrived() - before;
    assert!((80..90).contains(&arrived), "{arrived}");
}
