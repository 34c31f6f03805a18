//! Checksums on every link that packets and answers take, outer and inner, in the eyes of tshark: both ways back, every encap,
//! every mix of families.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::net::SocketAddr;

use anycast_tests::{
    lab::{
        Lab, Namespace, Topology,
        capture::{Capture, Captured},
        client::{download, ping, udp_round_trip, upload},
        daemon::{GatewayConfig, PopConfig},
        deployment::{Deployment, MIXES},
        returns::{GRE, GRE_KEYED, GUE},
        server::{Nginx, UdpEcho},
        topology::Family,
    },
    require_root,
};

const IPIP: &str = "";
/// Bytes of a file that is sent to the VIP.
const UPLOAD_BYTES: usize = 300_000;
/// Segments of at most 1448 bytes that carry it.
const SEGMENTS: usize = UPLOAD_BYTES / 1448;
const ECHO_PORT: u16 = 5000;

/// Each is a test of its own.
macro_rules! ways {
    ($($name:ident: $deploy:ident($encap:expr);)+) => {
        $(#[test]
        fn $name() {
            require_root!();
            are_right_everywhere(&$deploy($encap), stringify!($deploy) == "through_pop");
        })+
    };
}

ways! {
    ipip_with_direct_answers: direct(IPIP);
    gre_with_direct_answers: direct(GRE);
    gre_with_a_key_and_direct_answers: direct(GRE_KEYED);
    gue_with_direct_answers: direct(GUE);
    ipip_with_answers_through_the_pop: through_pop(IPIP);
    gre_with_answers_through_the_pop: through_pop(GRE);
    gre_with_a_key_and_answers_through_the_pop: through_pop(GRE_KEYED);
    gue_with_answers_through_the_pop: through_pop(GUE);
}

fn direct(encap: &'static str) -> Deployment {
    let services = |config: PopConfig, lab: &Lab| {
        MIXES.iter().fold(config, |config, mix| {
            config.pool_with(mix.name, &[lab.home_address(mix.outer)], encap).vip(mix.name, mix.vip, mix.name)
        })
    };
    Deployment::with_gateway(Topology::pop_and_home(), services, |gateway| with_keys(gateway, encap)).unwrap()
}

fn through_pop(encap: &'static str) -> Deployment {
    let topology = Topology::pop_and_home();
    let deployment =
        Deployment::returning(topology, encap, |config| config, |gateway| with_keys(gateway, encap)).unwrap();
    deployment.lab.cut_direct_way().unwrap();
    deployment
}

fn with_keys(gateway: GatewayConfig, encap: &str) -> GatewayConfig {
    if encap == GRE_KEYED { gateway.gateway_lines("gre_keys = [305419896]\n") } else { gateway }
}

/// A link, by the end of it that does not have our programs: what is there, is on the wire.
struct Watched<'a> {
    namespace: &'a Namespace,
    interface: &'static str,
    /// Tunnels are on it.
    has_tunnels: bool,
}

/// From the client to the home host, and the way of direct answers.
fn links(lab: &Lab) -> [Watched<'_>; 5] {
    let (transit, router) = (&lab.site().transit, &lab.routers[0]);
    let plain = |namespace, interface| Watched { namespace, interface, has_tunnels: false };
    let tunnels = |interface| Watched { namespace: router, interface, has_tunnels: true };
    [
        plain(transit, "tr_cl"),
        plain(transit, "tr_pop0"),
        tunnels("rt_pop0"),
        tunnels("rt_home"),
        plain(router, "rt_tr0"),
    ]
}

/// A veth end leaves the sums of what its host made to the other end, and puts segments together that came in: neither is what
/// a wire has.
fn sum_in_software(lab: &Lab) {
    let site = lab.site();
    for (namespace, interface) in [(&site.client, "cl0"), (&site.transit, "tr_rt0")] {
        namespace.run(&format!("ethtool -K {interface} tx off")).unwrap();
    }
    for Watched { namespace, interface, .. } in links(lab) {
        namespace.run(&format!("ethtool -K {interface} tx off gro off")).unwrap();
    }
}

fn are_right_everywhere(deployment: &Deployment, is_through_pop: bool) {
    let lab = &deployment.lab;
    sum_in_software(lab);
    let client = &lab.site().client;
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &Deployment::vips()).unwrap();
    let file = lab.scratch.write("upload", vec![b'u'; UPLOAD_BYTES]).unwrap();
    let captures = links(lab).map(|Watched { namespace, interface, .. }| {
        Capture::start(namespace, interface, &lab.scratch.path().join(format!("{interface}.pcap"))).unwrap()
    });
    for mix in MIXES {
        let _echo = UdpEcho::start(&lab.home, mix.vip, ECHO_PORT).unwrap();
        assert_eq!(ping(client, mix.vip, 3, 1000).unwrap().received, 3, "{mix:?}");
        assert_eq!(download(client, mix.vip, "/").unwrap().http_code, 200, "{mix:?}");
        let put = upload(client, &file, mix.vip, &format!("/upload/{}", mix.name)).unwrap();
        assert_eq!(put.http_code, 201, "{mix:?}");
        for payload_bytes in [1, 1200] {
            udp_round_trip(client, SocketAddr::new(mix.vip, ECHO_PORT), &vec![0xa5; payload_bytes]).unwrap();
        }
    }
    for (link, capture) in links(lab).iter().zip(captures) {
        let captured = capture.stop().unwrap();
        all_are_right(link.interface, &captured);
        has_carried(link, &captured, is_through_pop);
    }
}

/// Of every packet each sum was looked at, and is right.
fn all_are_right(link: &str, captured: &Captured) {
    assert_eq!(captured.bad_checksums("ip || ipv6").unwrap(), Vec::<String>::new(), "{link}");
    let echo = format!("udp.port == {ECHO_PORT}");
    let not_good = |what: &str, protocol: &str| format!("({what} && !({protocol}.checksum.status == \"Good\"))");
    let others = [
        // 0xffff in the place of 0, where the kernel summed: tshark does not like that.
        not_good("tcp && !(tcp.checksum == 0xffff)", "tcp"),
        not_good(&format!("{echo} && !(udp.checksum == 0xffff)"), "udp"),
        not_good("icmp", "icmp"),
        not_good("icmpv6", "icmpv6"),
        "(ip && !(ip.checksum.status#1 == \"Good\"))".to_owned(),
    ];
    assert_eq!(captured.lines(&others.join(" || ")).unwrap(), Vec::<String>::new(), "{link}: not looked at");
}

/// The link had packets of every mix, in tunnels where they are: else its sums are right because there are none.
fn has_carried(link: &Watched<'_>, captured: &Captured, is_through_pop: bool) {
    let segments = captured.columns("tcp", &["ip.src", "ipv6.src", "ip.dst", "ipv6.dst"]).unwrap();
    let (to_vip, from_vip) = link.carries(is_through_pop);
    for mix in MIXES {
        let home = if mix.outer == Family::V4 { "10.4.0.2" } else { "fd00:4::2" };
        let count = |columns: [usize; 2], is_in_tunnel: bool| {
            let is_it = |line: &&String| {
                let columns = columns.map(|column| line.split('\t').nth(column).unwrap_or_default());
                let has = |address: &str| columns.iter().any(|column| column.split(',').any(|one| one == address));
                has(&mix.vip.to_string()) && has(home) == is_in_tunnel
            };
            segments.iter().filter(is_it).count()
        };
        let sent = count([2, 3], link.has_tunnels);
        assert_eq!(sent >= SEGMENTS, to_vip, "{}, {mix:?}: {sent} segments to the VIP", link.interface);
        let answered = count([0, 1], link.has_tunnels && is_through_pop);
        assert_eq!(answered >= 10, from_vip, "{}, {mix:?}: {answered} segments of the VIP", link.interface);
    }
}

impl Watched<'_> {
    /// Does it carry packets to VIPs, and answers?
    fn carries(&self, is_through_pop: bool) -> (bool, bool) {
        match self.interface {
            "rt_tr0" => (false, !is_through_pop),
            "rt_pop0" | "tr_pop0" => (true, is_through_pop),
            _ => (true, true),
        }
    }
}
