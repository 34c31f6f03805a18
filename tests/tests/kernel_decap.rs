//! The kernel's own tunnel devices take what our PoP sends: a backend need not run our program.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::time::Duration;

use anycast_tests::{
    lab::{
        Lab, Topology,
        client::{Curl, PingReport, ping},
        counters::KernelCounters,
        daemon::{Daemon, PopConfig},
        deployment::MIXES,
        server::{Nginx, SMALL_FILE},
    },
    require_devices, require_root,
};

/// A machine without hardware virtualisation takes its time.
const LIMIT: Duration = Duration::from_mins(1);

/// A way into a tunnel, and what takes packets out of it at the home host.
struct Tunnel {
    /// One of the [`MIXES`].
    mix: &'static str,
    /// Lines of the backend's configuration beside its address.
    backend: &'static [&'static str],
    /// What `ip` is told at the home host. It knows its own address alone: PoPs come and go.
    devices: &'static [&'static str],
}

/// Each is a test of its own.
macro_rules! tunnels {
    ($($name:ident: $mix:literal, $backend:expr, $devices:expr;)+) => {
        $(#[test]
        fn $name() {
            require_root!();
            require_devices!(&$devices);
            carries_real_traffic(&Tunnel { mix: $mix, backend: &$backend, devices: &$devices });
        })+
    };
}

tunnels! {
    ipip_device_takes_v4in4: "v4in4", [], ["link add tunnel0 type ipip local 10.4.0.2", "link set tunnel0 up"];
    sit_device_takes_v6in4: "v6in4", [], ["link add tunnel0 type sit local 10.4.0.2", "link set tunnel0 up"];
    ip6tnl_device_takes_v4in6: "v4in6", [],
        ["link add tunnel0 type ip6tnl mode ipip6 local fd00:4::2", "link set tunnel0 up"];
    ip6tnl_device_takes_v6in6: "v6in6", [],
        ["link add tunnel0 type ip6tnl mode ip6ip6 local fd00:4::2", "link set tunnel0 up"];
}

fn carries_real_traffic(tunnel: &Tunnel) {
    let mix = MIXES.into_iter().find(|mix| mix.name == tunnel.mix).unwrap();
    let lab = Topology::pop_and_home().build().unwrap();
    let client = &lab.site().client;
    lab.home.add_loopback_address(mix.vip).unwrap();
    for line in tunnel.devices {
        lab.home.ip(line).unwrap();
    }
    let config = PopConfig::new(&lab, lab.site(), "pop0").pool("home", &[lab.home_address(mix.outer)]);
    let config = tunnel.backend.iter().fold(config, |config, line| config.backend_line(line));
    let config = config.vip(mix.name, mix.vip, "home");
    let pop = Daemon::start(&lab.site().pop, &lab.scratch, config.instance(), config.text()).unwrap();
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &[mix.vip]).unwrap();
    let before = received(&lab);

    // The second fills a packet of 1500 bytes.
    for payload_bytes in [56, if mix.vip.is_ipv4() { 1472 } else { 1452 }] {
        assert_eq!(ping(client, mix.vip, 5, payload_bytes).unwrap(), PingReport { sent: 5, received: 5 });
    }
    let curl = Curl::new(client).limit(LIMIT);
    let small = curl.get(mix.vip, "/").unwrap();
    assert_eq!((small.http_code, small.size_download), (200, SMALL_FILE.len() as u64));
    let file = lab.scratch.write("upload", vec![b'u'; 1_000_000]).unwrap();
    let put = curl.put(&file, mix.vip, "/upload/file").unwrap();
    assert_eq!((put.http_code, put.size_upload), (201, 1_000_000));

    let stats = pop.stats().unwrap();
    stats.assert_law();
    let forwarded = stats.vip_packets(mix.name, "forwarded");
    assert!(forwarded >= 700, "{forwarded} packets carry a megabyte");
    assert_eq!(received(&lab) - before, forwarded, "packets that the device took");
    assert_eq!(KernelCounters::read(&lab.home).unwrap().checksum_errors(), 0);
}

/// Packets that the tunnel device gave to the stack.
fn received(lab: &Lab) -> u64 {
    let link = lab.home.ip("-json -statistics link show tunnel0").unwrap();
    let link: serde_json::Value = serde_json::from_str(&link).unwrap();
    link[0]["stats64"]["rx"]["packets"].as_u64().unwrap()
}
