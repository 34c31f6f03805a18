//! The kernel's own tunnel devices take what our PoP sends: a backend need not run our program.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::time::Duration;

use anycast_tests::{
    lab::{
        Lab, Topology,
        client::{Curl, PingReport, ping},
        counters::KernelCounters,
        daemon::{Daemon, PopConfig},
        deployment::{MIXES, Mix},
        server::{Nginx, SMALL_FILE},
    },
    require_devices, require_root,
};

/// A machine without hardware virtualisation takes its time.
const LIMIT: Duration = Duration::from_mins(1);

/// Where operators read what their hosts need.
const PAGE: &str = include_str!("../../docs/operating.md");

/// Ways into a tunnel, and what takes packets out of it at the home host.
struct Tunnel {
    /// Some of the [`MIXES`].
    mixes: &'static [&'static str],
    /// Lines of the backends' configuration beside their address.
    encap: &'static str,
    /// What `ip` is told at the home host. It knows its own address alone: PoPs come and go.
    devices: &'static [&'static str],
}

/// Each is a test of its own.
macro_rules! tunnels {
    ($($name:ident: $mixes:expr, $encap:expr, $devices:expr;)+) => {
        $(#[test]
        fn $name() {
            assert_told(&$devices);
            require_root!();
            require_devices!(&$devices);
            carries_real_traffic(&Tunnel { mixes: &$mixes, encap: $encap, devices: &$devices });
        })+
    };
}

const IPIP: &str = "";
const GRE: &str = "encap = \"gre\"\n";
const GRE_KEYED: &str = "encap = \"gre\"\ngre_key = 305419896\n";
const GUE: &str = "encap = \"gue\"\n";

// A FOU port strips UDP and gives the rest to the protocol that it was told, so one port takes one inner family; a GUE
// port reads the inner version and takes both. Over IPv6 either takes the UDP checksum 0 without being told. The
// devices behind them need no `encap`, which is for what they send: answers go to the client directly.
tunnels! {
    ipip_device_takes_v4in4: ["v4in4"], IPIP, ["link add tunnel0 type ipip local 10.4.0.2", "link set tunnel0 up"];
    sit_device_takes_v6in4: ["v6in4"], IPIP, ["link add tunnel1 type sit local 10.4.0.2", "link set tunnel1 up"];
    ip6tnl_device_takes_both_families: ["v4in6", "v6in6"], IPIP,
        ["link add tunnel0 type ip6tnl mode any local fd00:4::2", "link set tunnel0 up"];

    gre_device_takes_both_families: ["v4in4", "v6in4"], GRE,
        ["link add tunnel0 type gre local 10.4.0.2", "link set tunnel0 up"];
    gre_device_with_a_key_takes_both_families: ["v4in4", "v6in4"], GRE_KEYED,
        ["link add tunnel0 type gre local 10.4.0.2 key 305419896", "link set tunnel0 up"];
    ip6gre_device_takes_both_families: ["v4in6", "v6in6"], GRE,
        ["link add tunnel0 type ip6gre local fd00:4::2", "link set tunnel0 up"];
    ip6gre_device_with_a_key_takes_both_families: ["v4in6", "v6in6"], GRE_KEYED,
        ["link add tunnel0 type ip6gre local fd00:4::2 key 305419896", "link set tunnel0 up"];

    gue_port_over_ipv4_takes_both_families: ["v4in4", "v6in4"], GUE,
        [
            "fou add port 6080 gue",
            "link add tunnel0 type ipip local 10.4.0.2",
            "link add tunnel1 type sit local 10.4.0.2",
            "link set tunnel0 up",
            "link set tunnel1 up",
        ];
    gue_port_over_ipv6_takes_both_families: ["v4in6", "v6in6"], GUE,
        ["-6 fou add port 6080 gue", "link add tunnel0 type ip6tnl mode any local fd00:4::2", "link set tunnel0 up"];
    fou_port_takes_v4in4: ["v4in4"], GUE,
        ["fou add port 6080 ipproto 4", "link add tunnel0 type ipip local 10.4.0.2", "link set tunnel0 up"];
    fou_port_takes_v6in4: ["v6in4"], GUE,
        ["fou add port 6080 ipproto 41", "link add tunnel1 type sit local 10.4.0.2", "link set tunnel1 up"];
    fou_port_takes_v4in6: ["v4in6"], GUE,
        [
            "-6 fou add port 6080 ipproto 4",
            "link add tunnel0 type ip6tnl mode any local fd00:4::2",
            "link set tunnel0 up",
        ];
    fou_port_takes_v6in6: ["v6in6"], GUE,
        [
            "-6 fou add port 6080 ipproto 41",
            "link add tunnel0 type ip6tnl mode any local fd00:4::2",
            "link set tunnel0 up",
        ];
}

fn carries_real_traffic(tunnel: &Tunnel) {
    let mixes: Vec<Mix> = MIXES.into_iter().filter(|mix| tunnel.mixes.contains(&mix.name)).collect();
    assert_eq!(mixes.len(), tunnel.mixes.len(), "{:?} are among the mixes", tunnel.mixes);
    let lab = Topology::pop_and_home().build().unwrap();
    let client = &lab.site().client;
    for line in tunnel.devices {
        lab.home.ip(line).unwrap();
    }
    let mut config = PopConfig::new(&lab, lab.site(), "pop0");
    for mix in &mixes {
        lab.home.add_loopback_address(mix.vip).unwrap();
        let backends = [lab.home_address(mix.outer)];
        config = config.pool_with(mix.name, &backends, tunnel.encap).vip(mix.name, mix.vip, mix.name);
    }
    let pop = Daemon::start(&lab.site().pop, &lab.scratch, config.instance(), config.text()).unwrap();
    let vips: Vec<_> = mixes.iter().map(|mix| mix.vip).collect();
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &vips).unwrap();
    let before = received(&lab);

    let file = lab.scratch.write("upload", vec![b'u'; 1_000_000]).unwrap();
    for mix in &mixes {
        // The second fills a packet of 1500 bytes.
        for payload_bytes in [56, if mix.vip.is_ipv4() { 1472 } else { 1452 }] {
            let report = ping(client, mix.vip, 5, payload_bytes).unwrap();
            assert_eq!(report, PingReport { sent: 5, received: 5 }, "{mix:?}");
        }
        let curl = Curl::new(client).limit(LIMIT);
        let small = curl.get(mix.vip, "/").unwrap();
        assert_eq!((small.http_code, small.size_download), (200, SMALL_FILE.len() as u64), "{mix:?}");
        let put = curl.put(&file, mix.vip, &format!("/upload/{}", mix.name)).unwrap();
        assert_eq!((put.http_code, put.size_upload), (201, 1_000_000), "{mix:?}");
    }

    let stats = pop.stats().unwrap();
    stats.assert_law();
    let mut forwarded = 0;
    for mix in &mixes {
        let packets = stats.vip_packets(mix.name, "forwarded");
        assert!(packets >= 700, "{mix:?}: {packets} packets carry a megabyte");
        forwarded += packets;
    }
    assert_eq!(received(&lab) - before, forwarded, "packets that the devices took");
    assert_eq!(KernelCounters::read(&lab.home).unwrap().checksum_errors(), 0);
}

/// What is tested is what operators are told.
fn assert_told(devices: &[&str]) {
    let told: Vec<&str> = PAGE.lines().map(|line| line.split('#').next().unwrap_or_default().trim_end()).collect();
    for line in devices {
        assert!(told.contains(&format!("ip {line}").as_str()), "docs/operating.md has no line `ip {line}`");
    }
}

/// Packets that the tunnel devices gave to the stack.
fn received(lab: &Lab) -> u64 {
    let links = lab.home.ip("-json -statistics link show").unwrap();
    let links: serde_json::Value = serde_json::from_str(&links).unwrap();
    let tunnels =
        links.as_array().unwrap().iter().filter(|link| link["ifname"].as_str().unwrap().starts_with("tunnel"));
    tunnels.map(|link| link["stats64"]["rx"]["packets"].as_u64().unwrap()).sum()
}
