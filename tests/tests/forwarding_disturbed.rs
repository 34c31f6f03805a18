//! A numbered stream goes on while daemons die, routers are lost and MACs change.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{net::SocketAddr, thread::sleep, time::Duration};

use anycast_tests::{
    lab::{
        Topology,
        deployment::{Deployment, MIXES},
        stream::{NumberedStream, StreamReport, StreamSpec},
        wait::wait_for,
    },
    require_root,
};

/// Asked of the stream; it reports what it reached.
const RATE_PPS: u32 = 50_000;
const FLOWS: u32 = 16;
/// How long forwarding may be away after the kernel knows of a change.
const SWITCH_LIMIT: Duration = Duration::from_millis(50);

fn start(deployment: &Deployment) -> NumberedStream {
    let spec = StreamSpec::new(SocketAddr::new(MIXES[0].vip, 6000), RATE_PPS).flows(FLOWS);
    NumberedStream::start(&deployment.lab.site().client, &deployment.lab.home, &spec).unwrap()
}

/// What the forwarder lost: without what did not fit into the receiver's socket.
fn lost(report: &StreamReport) -> u64 {
    report.lost - report.receiver_overflows
}

/// For how long the worst-hit flow stood still: the flows take turns, so it loses one datagram of every `FLOWS`.
fn longest_outage(report: &StreamReport) -> Duration {
    Duration::from_micros(report.longest_loss_run * u64::from(FLOWS) * 1_000_000 / report.rate_pps)
}

#[test]
fn a_killed_and_restarted_pop_daemon_loses_no_packet() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let stream = start(&deployment);
    for _ in 0..3 {
        sleep(Duration::from_millis(300));
        deployment.pops[0].kill().unwrap();
        sleep(Duration::from_millis(300));
        deployment.pops[0].resume().unwrap();
    }
    sleep(Duration::from_millis(300));
    let report = stream.stop().unwrap();
    println!("{report:?}");
    assert_eq!((lost(&report), report.duplicated, report.reordered), (0, 0, 0), "{report:?}");
    // The counters are those of all three daemons.
    assert_eq!(deployment.pop().stats().unwrap().vip_packets(MIXES[0].name, "forwarded"), report.sent);
}

#[test]
fn a_killed_and_restarted_gateway_daemon_loses_no_packet() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let stream = start(&deployment);
    sleep(Duration::from_millis(300));
    deployment.gateway.kill().unwrap();
    sleep(Duration::from_millis(300));
    deployment.gateway.resume().unwrap();
    sleep(Duration::from_millis(300));
    let report = stream.stop().unwrap();
    assert_eq!((lost(&report), report.duplicated, report.reordered), (0, 0, 0), "{report:?}");
    assert_eq!(deployment.gateway.stats().unwrap().outcome_packets("decapsulated"), report.sent);
}

#[test]
fn one_of_two_routers_lost_is_gone_round_within_50_ms() {
    require_root!();
    let deployment = Deployment::new(Topology::pop_and_home().routers(2)).unwrap();
    let stream = start(&deployment);
    sleep(Duration::from_millis(500));
    deployment.lab.routers[1].ip("link set rt_pop0 down").unwrap();
    sleep(Duration::from_millis(500));
    let report = stream.stop().unwrap();
    println!("{report:?}");
    let outage = longest_outage(&report);
    assert!(outage <= SWITCH_LIMIT, "flows of the lost router stood still for {outage:?}: {report:?}");
}

#[test]
fn a_router_that_changes_its_mac_is_followed_within_50_ms() {
    require_root!();
    let deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let stream = start(&deployment);
    sleep(Duration::from_millis(300));
    let router = &deployment.lab.routers[0];
    router.ip("link set rt_pop0 address 02:00:00:00:0a:0b").unwrap();
    // The router takes nothing at its old MAC any more, and the PoP cannot know the new one yet.
    sleep(Duration::from_millis(50));
    let before = stream.received();
    sleep(Duration::from_millis(50));
    assert_eq!(stream.received(), before, "packets to the old MAC arrived");
    // As if the router had announced it: with this the PoP's kernel has its event.
    deployment.lab.site().pop.ip("neigh replace 10.3.0.1 dev bb0 lladdr 02:00:00:00:0a:0b nud reachable").unwrap();
    wait_for("datagram to the new MAC", SWITCH_LIMIT, || (stream.received() > before).then_some(())).unwrap();
    stream.stop().unwrap();
    assert!(deployment.pop().status().unwrap().to_string().contains("02:00:00:00:0a:0b"));
}
