//! The kernel's own tunnel devices take what our PoP sends: a backend need not run our program.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{path::Path, time::Duration};

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
    /// What `ip` is told at the home host. It knows its own address alone: PoPs come and go.
    devices: &'static [&'static str],
}

impl Tunnel {
    const fn new(mixes: &'static [&'static str], devices: &'static [&'static str]) -> Self {
        Self { mixes, devices }
    }
}

/// Each encapsulation is a test of its own, in which one daemon serves all of its tunnels, one after the other: to verify its
/// programs takes longer than the traffic where the machine is emulated.
macro_rules! encaps {
    ($($name:ident: $encap:expr, $tunnels:expr;)+) => {
        $(#[test]
        fn $name() {
            let devices: Vec<&str> = $tunnels.iter().flat_map(|tunnel| tunnel.devices).copied().collect();
            assert_told(&devices);
            require_root!();
            for tunnel in &$tunnels {
                require_devices!(tunnel.devices);
            }
            carry_real_traffic($encap, &$tunnels);
        })+
    };
}

const IPIP: [Tunnel; 3] = [
    Tunnel::new(&["v4in4"], &["link add tunnel0 type ipip local 10.4.0.2", "link set tunnel0 up"]),
    Tunnel::new(&["v6in4"], &["link add tunnel1 type sit local 10.4.0.2", "link set tunnel1 up"]),
    Tunnel::new(&["v4in6", "v6in6"], &["link add tunnel0 type ip6tnl mode any local fd00:4::2", "link set tunnel0 up"]),
];

const GRE: [Tunnel; 2] = [
    Tunnel::new(&["v4in4", "v6in4"], &["link add tunnel0 type gre local 10.4.0.2", "link set tunnel0 up"]),
    Tunnel::new(&["v4in6", "v6in6"], &["link add tunnel0 type ip6gre local fd00:4::2", "link set tunnel0 up"]),
];

const GRE_KEYED: [Tunnel; 2] = [
    Tunnel::new(
        &["v4in4", "v6in4"],
        &["link add tunnel0 type gre local 10.4.0.2 key 305419896", "link set tunnel0 up"],
    ),
    Tunnel::new(
        &["v4in6", "v6in6"],
        &["link add tunnel0 type ip6gre local fd00:4::2 key 305419896", "link set tunnel0 up"],
    ),
];

// A FOU port strips UDP and gives the rest to the protocol that it was told, so one port takes one inner family; a GUE
// port reads the inner version and takes both. Over IPv6 either takes the UDP checksum 0 without being told. The
// devices behind them need no `encap`, which is for what they send: answers go to the client directly.
const GUE: [Tunnel; 6] = [
    Tunnel::new(
        &["v4in4", "v6in4"],
        &[
            "fou add port 6080 gue",
            "link add tunnel0 type ipip local 10.4.0.2",
            "link add tunnel1 type sit local 10.4.0.2",
            "link set tunnel0 up",
            "link set tunnel1 up",
        ],
    ),
    Tunnel::new(
        &["v4in6", "v6in6"],
        &["-6 fou add port 6080 gue", "link add tunnel0 type ip6tnl mode any local fd00:4::2", "link set tunnel0 up"],
    ),
    Tunnel::new(
        &["v4in4"],
        &["fou add port 6080 ipproto 4", "link add tunnel0 type ipip local 10.4.0.2", "link set tunnel0 up"],
    ),
    Tunnel::new(
        &["v6in4"],
        &["fou add port 6080 ipproto 41", "link add tunnel1 type sit local 10.4.0.2", "link set tunnel1 up"],
    ),
    Tunnel::new(
        &["v4in6"],
        &[
            "-6 fou add port 6080 ipproto 4",
            "link add tunnel0 type ip6tnl mode any local fd00:4::2",
            "link set tunnel0 up",
        ],
    ),
    Tunnel::new(
        &["v6in6"],
        &[
            "-6 fou add port 6080 ipproto 41",
            "link add tunnel0 type ip6tnl mode any local fd00:4::2",
            "link set tunnel0 up",
        ],
    ),
];

encaps! {
    ipip_sit_and_ip6tnl_devices_take_ip_in_ip: "", IPIP;
    gre_devices_take_both_families: "encap = \"gre\"\n", GRE;
    gre_devices_with_a_key_take_both_families: "encap = \"gre\"\ngre_key = 305419896\n", GRE_KEYED;
    gue_and_fou_ports_take_both_families: "encap = \"gue\"\n", GUE;
}

/// `encap` are lines of the backends' configuration beside their address.
fn carry_real_traffic(encap: &str, tunnels: &[Tunnel]) {
    let lab = Topology::pop_and_home().build().unwrap();
    let mut config = PopConfig::new(&lab, lab.site(), "pop0");
    for mix in MIXES {
        lab.home.add_loopback_address(mix.vip).unwrap();
        let backends = [lab.home_address(mix.outer)];
        config = config.pool_with(mix.name, &backends, encap).vip(mix.name, mix.vip, mix.name);
    }
    let pop = Daemon::start(&lab.site().pop, &lab.scratch, config.instance(), config.text()).unwrap();
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &MIXES.map(|mix| mix.vip)).unwrap();
    let file = lab.scratch.write("upload", vec![b'u'; 1_000_000]).unwrap();

    for (number, tunnel) in tunnels.iter().enumerate() {
        eprintln!("{:?}", tunnel.devices);
        for line in tunnel.devices {
            lab.home.ip(line).unwrap();
        }
        through(tunnel, &lab, &pop, &file, number);
        for line in tunnel.devices.iter().rev().filter_map(|line| removal(line)) {
            lab.home.ip(&line).unwrap();
        }
    }
    assert_eq!(KernelCounters::read(&lab.home).unwrap().checksum_errors(), 0);
}

/// Pings, downloads and uploads, those by names with this number: nginx says 201 for a new file only.
fn through(tunnel: &Tunnel, lab: &Lab, pop: &Daemon, file: &Path, number: usize) {
    let client = &lab.site().client;
    let mixes: Vec<Mix> = MIXES.into_iter().filter(|mix| tunnel.mixes.contains(&mix.name)).collect();
    assert_eq!(mixes.len(), tunnel.mixes.len(), "{:?} are among the mixes", tunnel.mixes);
    let (before, received_before) = (pop.stats().unwrap(), received(lab));
    for mix in &mixes {
        // The second fills a packet of 1500 bytes.
        for payload_bytes in [56, if mix.vip.is_ipv4() { 1472 } else { 1452 }] {
            let report = ping(client, mix.vip, 5, payload_bytes).unwrap();
            assert_eq!(report, PingReport { sent: 5, received: 5 }, "{mix:?}");
        }
        let curl = Curl::new(client).limit(LIMIT);
        let small = curl.get(mix.vip, "/").unwrap();
        assert_eq!((small.http_code, small.size_download), (200, SMALL_FILE.len() as u64), "{mix:?}");
        let put = curl.put(file, mix.vip, &format!("/upload/{}-{number}", mix.name)).unwrap();
        assert_eq!((put.http_code, put.size_upload), (201, 1_000_000), "{mix:?}");
    }

    let stats = pop.stats().unwrap();
    stats.assert_law();
    let mut forwarded = 0;
    for mix in &mixes {
        let packets = stats.vip_packets(mix.name, "forwarded") - before.vip_packets(mix.name, "forwarded");
        assert!(packets >= 700, "{mix:?}: {packets} packets carry a megabyte");
        forwarded += packets;
    }
    assert_eq!(received(lab) - received_before, forwarded, "packets that the devices took");
}

/// What takes away what a line has added.
fn removal(line: &str) -> Option<String> {
    let (family, added) = line.strip_prefix("-6 ").map_or(("", line), |rest| ("-6 ", rest));
    match *added.split(' ').collect::<Vec<_>>() {
        ["link", "add", name, ..] => Some(format!("link del {name}")),
        ["fou", "add", "port", port, ..] => Some(format!("{family}fou del port {port}")),
        _ => None,
    }
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
