//! The MTU of a path is learnt from what backbone routers tell, and from nobody else; it is forgotten, and it can be set.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    time::Duration,
};

use anycast_tests::{
    lab::{
        Lab, Namespace, Topology,
        client::ping,
        daemon::{Daemon, daemon_binary},
        deployment::{Deployment, MIXES, Mix},
        process::Process,
        topology::{BACKBONE_MTU_BYTES, FAMILIES, Family},
        wait::wait_for,
    },
    live::{raw, time::now_ns},
    packet::{IcmpError, Packet},
    require_root,
};
use anycast_xdp::path_mtu::Doubt;
use serde_json::Value;

/// From a router's message until the cell is stored.
const LIMIT: Duration = Duration::from_millis(100);
/// Where nothing is timed.
const PATIENCE: Duration = Duration::from_secs(2);
/// Of the link between router and home host.
const NARROW_MTU_BYTES: u16 = 1450;

fn narrow_home_link(lab: &Lab) {
    lab.routers[0].ip(&format!("link set rt_home mtu {NARROW_MTU_BYTES}")).unwrap();
    lab.home.ip(&format!("link set lb0 mtu {NARROW_MTU_BYTES}")).unwrap();
}

/// The row of a backend, of the first pool that has it.
fn backend(daemon: &Daemon, address: IpAddr) -> Value {
    let status = daemon.status().unwrap();
    let address = address.to_string();
    let rows = status["backends"].as_array().unwrap();
    rows.iter().find(|row| row["address"] == address.as_str()).unwrap().clone()
}

/// MTU in force, and who says it.
fn mtu(daemon: &Daemon, address: IpAddr) -> (u64, String) {
    let row = backend(daemon, address);
    (row["mtu_bytes"].as_u64().unwrap(), row["mtu_source"].as_str().unwrap().to_owned())
}

fn learnt(mtu_bytes: u64) -> (u64, String) {
    (mtu_bytes, "learnt".to_owned())
}

fn of_route() -> (u64, String) {
    (BACKBONE_MTU_BYTES.into(), "route".to_owned())
}

/// Bytes in front of the payload of a UDP datagram or an echo request.
const fn headers_bytes(vip: IpAddr) -> u16 {
    if vip.is_ipv4() { 28 } else { 48 }
}

/// A client's UDP datagram that makes an inner packet of this length; when it was sent.
fn send_inner(lab: &Lab, Mix { vip, .. }: Mix, inner_bytes: u16) -> u64 {
    let payload = vec![0xa5; usize::from(inner_bytes - headers_bytes(vip))];
    let any: IpAddr = if vip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = lab.site().client.enter(|| UdpSocket::bind((any, 0))).unwrap().unwrap();
    let sent_ns = now_ns();
    assert_eq!(socket.send_to(&payload, (vip, 5000)).unwrap(), payload.len());
    sent_ns
}

/// How many answers an echo request gets that makes an inner packet of this length.
fn ping_inner(lab: &Lab, Mix { vip, .. }: Mix, inner_bytes: u16) -> u32 {
    ping(&lab.site().client, vip, 1, inner_bytes - headers_bytes(vip)).unwrap().received
}

/// From `since_ns` until the daemon tells that it stored something, behind what was `known` of its log.
fn store_after(daemon: &Daemon, known: usize, since_ns: u64) -> Duration {
    wait_for("a store", PATIENCE, || daemon.log()[known..].contains("ways updated").then_some(())).unwrap();
    Duration::from_nanos(now_ns() - since_ns)
}

#[test]
fn mtu_is_learnt_from_a_router_and_longer_packets_are_answered() {
    require_root!();
    is_learnt(Topology::pop_and_home());
}

#[test]
fn mtu_is_learnt_by_an_interface_that_is_access_and_backbone() {
    require_root!();
    is_learnt(Topology::pop_and_home().one_armed());
}

fn is_learnt(topology: Topology) {
    let deployment = Deployment::new(topology).unwrap();
    let (lab, pop) = (&deployment.lab, deployment.pop());
    narrow_home_link(lab);
    for (mix, overhead) in [(MIXES[0], 20), (MIXES[3], 40)] {
        let home = lab.home_address(mix.outer);
        assert_eq!(mtu(pop, home), of_route());
        let (known, sent_ns) = (pop.log().len(), send_inner(lab, mix, 1500));
        let taken = store_after(pop, known, sent_ns);
        eprintln!("{mix:?}: stored {taken:?} after the client's packet was sent");
        assert!(taken < LIMIT, "{taken:?}");
        assert_eq!(mtu(pop, home), learnt(NARROW_MTU_BYTES.into()));
        let row = backend(pop, home);
        assert!((590..=600).contains(&row["mtu_left_secs"].as_u64().unwrap()), "{row}");

        let before = pop.stats().unwrap().outcome_packets("too_big_answered");
        assert_eq!(ping_inner(lab, mix, NARROW_MTU_BYTES - overhead + 1), 0, "{mix:?}");
        assert_eq!(pop.stats().unwrap().outcome_packets("too_big_answered"), before + 1, "{mix:?}");
        assert_eq!(ping_inner(lab, mix, NARROW_MTU_BYTES - overhead), 1, "{mix:?}");
        let text = pop.run_cli(&["status"]).unwrap();
        assert!(text.contains("learnt, "), "{text}");
    }
    pop.stats().unwrap().assert_law();
}

/// The MAC of an interface.
fn mac(namespace: &Namespace, interface: &str) -> [u8; 6] {
    let link: Value = serde_json::from_str(&namespace.ip(&format!("-json link show {interface}")).unwrap()).unwrap();
    let octets = link[0]["address"].as_str().unwrap().split(':').map(|octet| u8::from_str_radix(octet, 16).unwrap());
    octets.collect::<Vec<_>>().try_into().unwrap()
}

/// What a router says of a tunnel packet that was too big, and where it says it.
struct Told<'a> {
    /// Namespace and interface that send, and the interface of the PoP that receives.
    by: (&'a Namespace, &'a str, &'a str),
    family: Family,
    mtu_bytes: u16,
    /// Outer destination that is quoted.
    destination: IpAddr,
    /// Length of the quoted packet.
    quoted_bytes: u16,
}

impl<'a> Told<'a> {
    fn by_router(lab: &'a Lab, family: Family, mtu_bytes: u16) -> Self {
        let by = (&lab.routers[0], "rt_pop0", "bb0");
        Self { by, family, mtu_bytes, destination: lab.home_address(family), quoted_bytes: 1520 }
    }

    /// Sends it; when.
    fn send(&self, lab: &Lab) -> u64 {
        let (namespace, interface, receiver) = self.by;
        let site = lab.site();
        let source = site.tunnel_source(self.family);
        // Its outer header, the inner one and a UDP header.
        let overhead_bytes = if self.family == Family::V4 { 20 + 28 } else { 40 + 28 };
        let inner = Packet::v4([10, 1, 0, 2], [192, 0, 2, 44]).udp(1, 2);
        let inner = inner.payload_len(usize::from(self.quoted_bytes) - overhead_bytes);
        let outer = Packet::between(source, self.destination).as_outer().encapsulating(&inner.build_ip());
        let mut quote = outer.build_ip();
        quote.truncate(500);
        let router: IpAddr = if self.family == Family::V4 { "10.3.0.1" } else { "fd00:3::1" }.parse().unwrap();
        let message = Packet::between(router, source)
            .ethernet(mac(&site.pop, receiver), mac(namespace, interface))
            .icmp_error(IcmpError::TooBig(self.mtu_bytes), quote);
        let (frame, sent_ns) = (message.build(), now_ns());
        assert_eq!(raw::send(namespace, interface, 0, &[frame], 1).unwrap(), 1);
        sent_ns
    }
}

#[test]
fn forged_messages_are_not_believed_and_a_true_one_is_within_100_ms() {
    require_root!();
    let deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let (lab, pop) = (&deployment.lab, deployment.pop());
    for family in FAMILIES {
        let home = lab.home_address(family);
        let elsewhere = if family == Family::V4 { "10.4.0.9" } else { "fd00:4::9" }.parse().unwrap();
        let told = |mtu_bytes| Told::by_router(lab, family, mtu_bytes);
        let by_access = (&lab.site().transit, "tr_pop0", "in0");
        let forged = [
            (Told { by: by_access, ..told(1400) }, Doubt::Interface),
            (Told { destination: elsewhere, ..told(1400) }, Doubt::Quote),
            (Told { quoted_bytes: BACKBONE_MTU_BYTES + 10, ..told(1400) }, Doubt::Quote),
            (told(BACKBONE_MTU_BYTES + 100), Doubt::NotBelow),
            (told(1530), Doubt::NotBelow),
            (told(68), Doubt::BelowMinimum),
            (told(if family == Family::V4 { 575 } else { 1279 }), Doubt::BelowMinimum),
        ];
        for (forged, doubt) in forged {
            let known = pop.log().len();
            forged.send(lab);
            let line = format!("ICMP error ignored: {doubt}");
            wait_for(&line, PATIENCE, || pop.log()[known..].contains(&line).then_some(())).unwrap();
            assert_eq!(mtu(pop, home), of_route(), "{family:?}: {doubt}");
        }
        let known = pop.log().len();
        let sent_ns = told(1420).send(lab);
        let taken = store_after(pop, known, sent_ns);
        eprintln!("{family:?}: stored {taken:?} after the message was sent");
        assert!(taken < LIMIT, "{taken:?}");
        assert_eq!(mtu(pop, home), learnt(1420));
    }
}

#[test]
fn learnt_mtu_outlives_the_daemon_and_expires() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let home = deployment.lab.home_address(Family::V4);
    let told = Told::by_router(&deployment.lab, Family::V4, 1420);
    told.send(&deployment.lab);
    wait_for("learnt MTU", PATIENCE, || (mtu(deployment.pop(), home) == learnt(1420)).then_some(())).unwrap();
    deployment.pops[0].kill().unwrap();
    assert_eq!(mtu(deployment.pop(), home), learnt(1420));
    deployment.pops[0].resume().unwrap();
    assert_eq!(mtu(deployment.pop(), home), learnt(1420), "the next daemon goes on with it");

    // Ten minutes are shortened where they are kept.
    deployment.pops[0].stop().unwrap();
    let path = format!("/run/anycast-xdp/{}/learnt-mtus.json", deployment.pop().instance());
    let mut entries: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let expires_at_ms = &mut entries[home.to_string()]["expires_at_ms"];
    *expires_at_ms = (expires_at_ms.as_u64().unwrap() - 597_000).into();
    std::fs::write(&path, entries.to_string()).unwrap();
    deployment.pops[0].resume().unwrap();
    let pop = deployment.pop();
    wait_for("expiry", Duration::from_secs(5), || (mtu(pop, home) == of_route()).then_some(())).unwrap();
    assert!(backend(pop, home)["mtu_left_secs"].is_null());
    assert_eq!(std::fs::read(&path).unwrap(), b"{}");
}

#[test]
fn another_route_is_another_path_and_nothing_is_known_of_it() {
    require_root!();
    let deployment = Deployment::new(Topology::pop_and_home().routers(2)).unwrap();
    let (lab, pop) = (&deployment.lab, deployment.pop());
    let home = lab.home_address(Family::V4);
    Told::by_router(lab, Family::V4, 1420).send(lab);
    wait_for("learnt MTU", PATIENCE, || (mtu(pop, home) == learnt(1420)).then_some(())).unwrap();
    lab.site().pop.ip("route replace 10.4.0.0/16 via 10.3.1.1").unwrap();
    wait_for("route's MTU", PATIENCE, || (mtu(pop, home) == of_route()).then_some(())).unwrap();
}

#[test]
fn configured_mtu_is_in_force_until_less_is_learnt() {
    require_root!();
    let deployment = Deployment::with(Topology::pop_and_home(), |config, lab| {
        let backends = [(lab.home_address(Family::V4), 1560), (lab.home_address(Family::V6), 1580)];
        config.pool_with_mtus("main", &backends).vip("v4in4", MIXES[0].vip, "main")
    })
    .unwrap();
    let (lab, pop) = (&deployment.lab, deployment.pop());
    let configured = |mtu_bytes: u64| (mtu_bytes, "configured".to_owned());
    assert_eq!(mtu(pop, lab.home_address(Family::V4)), configured(1560));
    assert_eq!(mtu(pop, lab.home_address(Family::V6)), configured(1580));
    Told::by_router(lab, Family::V4, 1420).send(lab);
    wait_for("learnt MTU", PATIENCE, || (mtu(pop, lab.home_address(Family::V4)) == learnt(1420)).then_some(()))
        .unwrap();
    assert_eq!(mtu(pop, lab.home_address(Family::V6)), configured(1580));
}

#[test]
fn daemon_without_raw_sockets_warns_and_forwards() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    deployment.pops[0].stop().unwrap();
    let (lab, pop) = (&deployment.lab, deployment.pop());
    let mut command = lab.site().pop.command("setpriv");
    command.args(["--bounding-set=-net_raw", "--inh-caps=-net_raw"]).arg(daemon_binary());
    command.arg("run").arg("--config").arg(lab.scratch.path().join(format!("{}.toml", pop.instance())));
    let log = lab.scratch.path().join("no-raw.log");
    let mut process = Process::start("daemon without CAP_NET_RAW", command, &log).unwrap();
    process.wait_until(PATIENCE * 5, |process| process.log().contains("ready")).unwrap();
    assert_eq!(process.log().matches("CAP_NET_RAW").count(), 2, "{}", process.log());
    assert_eq!(ping_inner(lab, MIXES[0], 1500), 1);
    process.stop(libc::SIGTERM, PATIENCE).unwrap();
}
