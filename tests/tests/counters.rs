//! The counters under load, and what drivers lose after the verdict.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use anycast_tests::{
    lab::{
        Lab, Topology,
        daemon::{Daemon, PopConfig, Stats},
        deployment::Deployment,
        link::{End, LinkSpec},
        topology::Family,
        wait::wait_for,
    },
    live::raw,
    packet::Packet,
    require_root,
};

/// Of each frame, from each processor.
const ROUNDS: usize = 2000;
const V4: &str = "192.0.2.44";
const V6: &str = "2001:db8:80::66";
const WITH_LISTENERS: &str = "192.0.2.60";
const NARROW: &str = "192.0.2.61";
const UNRESOLVED: &str = "192.0.2.62";

/// A frame, the VIP that it is for, and what becomes of it.
struct Row {
    vip: &'static str,
    outcome: &'static str,
    ip_bytes: u64,
    frame: Vec<u8>,
}

fn row(vip: &'static str, outcome: &'static str, packet: Packet) -> Row {
    let frame = packet.build();
    // Counted bytes are those of the IP packet, or of everything behind the Ethernet header where its length is a lie.
    Row { vip, outcome, ip_bytes: frame.len() as u64 - 14, frame }
}

fn rows() -> Vec<Row> {
    let v4 = |vip: &str| Packet::from_to("198.51.100.7", vip);
    let v6 = || Packet::from_to("2001:db8:1::7", V6);
    vec![
        row("v4", "forwarded", v4(V4).tcp(1000, 80).payload_len(100)),
        row("v4", "forwarded", v4(V4).icmp_echo(1, 1)),
        row("v4", "ttl_expired", v4(V4).udp(1000, 53).ttl(1)),
        row("v4", "ip_version", v4(V4).udp(1000, 53).version(5)),
        row("v4", "ipv4_total_length", v4(V4).udp(1000, 53).total_length(1200)),
        row("v6", "forwarded", v6().udp(1000, 53).payload_len(10)),
        row("v6", "forwarded", v6().tcp(1000, 443)),
        row("v6", "ttl_expired", v6().tcp(1000, 443).ttl(0)),
        row("v6", "ipv6_payload_length", v6().udp(1000, 53).payload_length(900)),
        row("listeners", "forwarded", v4(WITH_LISTENERS).udp(1000, 53).payload_len(64)),
        row("listeners", "forwarded", v4(WITH_LISTENERS).udp(1001, 53)),
        row("listeners", "no_listener", v4(WITH_LISTENERS).udp(1000, 54)),
        row("listeners", "no_listener", v4(WITH_LISTENERS).tcp(1000, 53)),
        row("listeners", "l4_truncated", v4(WITH_LISTENERS).protocol(17).payload_len(4)),
        row("narrow", "forwarded", v4(NARROW).udp(1, 1).payload_len(100)),
        row("narrow", "too_big", v4(NARROW).udp(1, 1).payload_len(1000)),
        row("unresolved", "next_hop_unresolved", v4(UNRESOLVED).udp(1, 1)),
    ]
}

fn services(config: PopConfig, lab: &Lab) -> PopConfig {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let (home4, home6) = (lab.home_address(Family::V4), lab.home_address(Family::V6));
    // A path of 600 bytes, and a neighbour that is not there.
    let pop = &lab.site().pop;
    pop.ip("route add 10.4.200.1 via 10.3.0.1 mtu 600").unwrap();
    pop.ip("route add 10.4.201.1 via 10.3.0.99").unwrap();
    config
        .pool("v4", &[home4])
        .pool("v6", &[home6])
        .pool("both", &[home4, home6])
        .pool("narrow", &[ip("10.4.200.1")])
        .pool("unresolved", &[ip("10.4.201.1")])
        .vip("v4", ip(V4), "v4")
        .vip("v6", ip(V6), "v6")
        .vip_with_listeners("listeners", ip(WITH_LISTENERS), &["udp/53"], "both")
        .vip("narrow", ip(NARROW), "narrow")
        .vip("unresolved", ip(UNRESOLVED), "unresolved")
        .no_icmp_errors()
}

/// Packets and bytes by VIP and outcome.
type Counts = BTreeMap<(String, String), (u64, u64)>;

fn counts(stats: &Stats) -> Counts {
    let mut counts = Counts::new();
    for vip in stats.0["vips"].as_array().unwrap() {
        let name = vip["name"].as_str().unwrap();
        let mut rows = vip["reasons"].as_object().unwrap().clone();
        rows.insert("forwarded".to_owned(), vip["forwarded"].clone());
        for (outcome, count) in rows {
            let both = (count["packets"].as_u64().unwrap(), count["bytes"].as_u64().unwrap());
            if both != (0, 0) {
                counts.insert((name.to_owned(), outcome), both);
            }
        }
    }
    counts
}

fn received(stats: &Stats) -> u64 {
    stats.0["vips"].as_array().unwrap().iter().map(|vip| vip["received"]["packets"].as_u64().unwrap()).sum()
}

/// The counters, once they stand still.
fn settled(daemon: &Daemon) -> Stats {
    let mut last = received(&daemon.stats().unwrap());
    wait_for("end of counting", Duration::from_secs(10), || {
        std::thread::sleep(Duration::from_millis(100));
        let stats = daemon.stats().unwrap();
        let now = received(&stats);
        (std::mem::replace(&mut last, now) == now).then_some(stats)
    })
    .unwrap()
}

#[test]
fn every_packet_from_two_processors_is_counted_once() {
    require_root!();
    let deployment = Deployment::with(Topology::pop_and_home().access_nics(2), services).unwrap();
    let lab = &deployment.lab;
    let transit = &lab.site().transit;
    let rows = rows();
    let frames: Vec<Vec<u8>> = rows.iter().map(|row| row.frame.clone()).collect();
    let began = std::time::Instant::now();
    let sent: Vec<u64> = std::thread::scope(|scope| {
        let senders = ["tr_pop0", "tr_pop1"].into_iter().enumerate().map(|(cpu, interface)| {
            let frames = &frames;
            scope.spawn(move || raw::send(transit, interface, cpu, frames, ROUNDS).unwrap())
        });
        senders.collect::<Vec<_>>().into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    let took = began.elapsed();
    let stats = settled(deployment.pop());
    let total: u64 = sent.iter().sum();
    eprintln!("{total} frames in {took:?}: {} pps", u128::from(total) * 1_000_000 / took.as_micros());
    assert_eq!(total, 2 * (ROUNDS * rows.len()) as u64);

    stats.assert_law();
    let mut wanted = Counts::new();
    for row in &rows {
        let count = wanted.entry((row.vip.to_owned(), row.outcome.to_owned())).or_default();
        count.0 += 2 * ROUNDS as u64;
        count.1 += 2 * ROUNDS as u64 * row.ip_bytes;
    }
    assert_eq!(counts(&stats), wanted);
    assert_eq!(received(&stats), total);
    // What backends got is what VIPs forwarded; what the host counts by reason is what VIPs dropped.
    let forwarded: u64 =
        wanted.iter().filter(|((_, outcome), _)| outcome == "forwarded").map(|(_, count)| count.0).sum();
    let backends = stats.0["backends"].as_array().unwrap();
    assert_eq!(backends.iter().map(|row| row["forwarded"]["packets"].as_u64().unwrap()).sum::<u64>(), forwarded);
    for reason in ["ttl_expired", "no_listener", "too_big", "next_hop_unresolved", "l4_truncated", "ip_version"] {
        let of_vips: u64 = wanted.iter().filter(|((_, outcome), _)| outcome == reason).map(|(_, count)| count.0).sum();
        assert_eq!(stats.outcome_packets(reason), of_vips, "{reason}");
    }
}

#[test]
fn packets_for_no_vip_are_counted_as_such_and_with_no_vip() {
    require_root!();
    let deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let frame = Packet::from_to("198.51.100.7", "192.0.2.200").udp(1, 1).build();
    let before = deployment.pop().stats().unwrap().outcome_packets("not_vip");
    let sent = raw::send(&deployment.lab.site().transit, "tr_pop0", 0, &[frame], 5000).unwrap();
    let counted = wait_for("count", Duration::from_secs(5), || {
        let stats = deployment.pop().stats().unwrap();
        let now = stats.outcome_packets("not_vip") - before;
        (now >= sent).then_some((now, received(&stats)))
    });
    // The lab's own neighbour discovery passes as well.
    let (passed, of_vips) = counted.unwrap();
    assert!((sent..sent + 50).contains(&passed), "{passed} of {sent}");
    assert_eq!(of_vips, 0);
}

/// Sends large frames to a VIP, and tells how many were forwarded and what was lost on each interface after that.
fn lose(deployment: &Deployment, vip: &str, payload_bytes: usize) -> (u64, BTreeMap<String, u64>) {
    const FRAMES: usize = 500;
    let before = settled(deployment.pop());
    let frame = Packet::from_to("198.51.100.7", vip).udp(1, 1).payload_len(payload_bytes).build();
    let sent = raw::send(&deployment.lab.site().transit, "tr_pop0", 0, &[frame], FRAMES).unwrap();
    let after = settled(deployment.pop());
    assert_eq!(received(&after) - received(&before), sent);
    let forwarded = |stats: &Stats| -> u64 {
        counts(stats).iter().filter(|((_, outcome), _)| outcome == "forwarded").map(|(_, count)| count.0).sum()
    };
    let interfaces = after.0["interfaces"].as_array().unwrap().iter().map(|row| row["interface"].as_str().unwrap());
    let losses = interfaces.map(|name| (name.to_owned(), after.xdp_losses(name) - before.xdp_losses(name)));
    let losses: BTreeMap<_, _> = losses.filter(|(_, lost)| *lost > 0).collect();
    eprintln!("{}", after.0["interfaces"]);
    (forwarded(&after) - forwarded(&before), losses)
}

#[test]
fn frames_too_long_for_the_far_end_are_counted_as_lost_at_the_egress() {
    require_root!();
    let deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    assert_eq!(lose(&deployment, V4, 1000), (500, BTreeMap::new()));
    deployment.lab.routers[0].ip("link set rt_pop0 mtu 900").unwrap();
    assert_eq!(lose(&deployment, V4, 1000), (500, BTreeMap::from([("bb0".to_owned(), 500)])));
    deployment.lab.routers[0].ip("link set rt_pop0 mtu 1600").unwrap();
    assert_eq!(lose(&deployment, V4, 1000), (500, BTreeMap::new()));
}

#[test]
fn transmitted_frames_too_long_for_the_far_end_are_counted_as_lost() {
    require_root!();
    let deployment = Deployment::new(Topology::pop_and_home().one_armed()).unwrap();
    assert_eq!(lose(&deployment, V4, 1000), (500, BTreeMap::new()));
    // The far end takes less than it sends: what it sends is sent before.
    deployment.lab.site().transit.ip("link set tr_pop0 mtu 1000").unwrap();
    let (forwarded, losses) = lose(&deployment, V4, 960);
    assert_eq!((forwarded, losses), (500, BTreeMap::from([("in0".to_owned(), 500)])));
}

#[test]
fn frames_to_a_far_end_without_napi_are_counted_as_lost_at_the_egress() {
    require_root!();
    let deployment = Deployment::with(Topology::pop_and_home(), |config, lab| {
        let bare = LinkSpec::new(
            End::new(&lab.site().pop, "bare0", ["10.9.0.2/24".parse().unwrap()]),
            End::new(&lab.routers[0], "bare1", ["10.9.0.1/24".parse().unwrap()]),
        );
        drop(bare.mtu(1600).create().unwrap());
        lab.routers[0].run("ethtool -K bare1 gro off").unwrap();
        lab.site().pop.ip("route add 10.4.202.1 via 10.9.0.1").unwrap();
        config.interface("bare0", &["backbone"], "native").pool("bare", &["10.4.202.1".parse().unwrap()]).vip(
            "bare",
            V4.parse().unwrap(),
            "bare",
        )
    })
    .unwrap();
    assert_eq!(lose(&deployment, V4, 100), (500, BTreeMap::from([("bare0".to_owned(), 500)])));
}
