//! A host that probes and a home with the VIPs, each in a network namespace of its own, on one wire.
//!
//! | host `h0` | home `h1` |
//! | --- | --- |
//! | 10.3.0.9/24, 2001:db8:3::9/64: the health addresses | 10.3.0.1/24, 2001:db8:3::1/64 |
//! | no route to a VIP but that of probes | VIPs 192.0.2.1 to 192.0.2.200, 2001:db8:a::1 to ::c8 |

use std::{
    fmt::Write as _,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    process::Command,
    sync::Arc,
    time::Duration,
};

use anycast_xdp::{
    desired::{Check, Health, HealthFacts},
    health::probe::Subject,
    netlink::lead_probes,
};

use crate::namespace::{between, enter, ifindex, run};

/// VIPs of each family.
pub const VIPS: u8 = 200;

pub const FACTS: HealthFacts = HealthFacts {
    source_ipv4: Some(Ipv4Addr::new(10, 3, 0, 9)),
    source_ipv6: Some(Ipv6Addr::new(0x2001, 0xdb8, 3, 0, 0, 0, 0, 9)),
    damping_half_life: Duration::from_secs(10),
};

/// The two namespaces, seen from within the host's.
pub struct Lab {
    host: String,
    home: String,
}

impl Lab {
    /// Builds the topology and runs a test in the host's namespace, on a thread and a runtime of its own.
    pub fn run<F>(test: &str, body: F)
    where
        F: AsyncFnOnce(Self) + Send + 'static,
    {
        let wire = |host: &str, home: &str| {
            let lab = Self { host: host.to_owned(), home: home.to_owned() };
            lab.wire();
            lead_probes(ifindex("h0")).unwrap();
            lab
        };
        between(test, "axhe", wire, body);
    }

    fn wire(&self) {
        let Self { host, home } = self;
        run(&format!("ip link add h0 type veth peer name h1 netns {home}"));
        for (namespace, end, suffix) in [(host, "h0", 9), (home, "h1", 1)] {
            run(&format!("ip -n {namespace} link set lo up"));
            // As the interface that leads to the datapath: nobody is asked for an address, and both ends have the same one.
            run(&format!("ip -n {namespace} link set {end} address 02:00:00:00:00:09 arp off up"));
            run(&format!("ip -n {namespace} addr add 10.3.0.{suffix}/24 dev {end}"));
            run(&format!("ip -n {namespace} addr add 2001:db8:3::{suffix}/64 dev {end} nodad"));
        }
        let mut batch = String::new();
        for vip in 1..=VIPS {
            let _ = writeln!(batch, "addr add {}/32 dev h1", ipv4(vip));
            let _ = writeln!(batch, "addr add {}/128 dev h1 nodad", ipv6(vip));
        }
        let file = std::env::temp_dir().join(format!("{home}.batch"));
        fs::write(&file, batch).unwrap();
        run(&format!("ip -n {home} -batch {}", file.display()));
        fs::remove_file(file).unwrap();
    }

    /// What comes in is worked on by a thread of the kernel for each end, `napi/h0-…` and `napi/h1-…`, and not by whoever sent it. As at
    /// `axp0`, NAPI polls both ends, and checksums are those of the stack.
    pub fn part_ends(&self) {
        for (namespace, end) in [(&self.host, "h0"), (&self.home, "h1")] {
            let script = format!("ethtool -K {end} gro on tx off && echo 1 > /sys/class/net/{end}/threaded");
            let status = Command::new("ip").args(["netns", "exec", namespace, "sh", "-c", &script]).status().unwrap();
            assert!(status.success(), "{script}: {status}");
        }
    }

    /// Runs a command in the home's namespace.
    pub fn at_home(&self, command: &str) {
        run(&format!("nsenter --net=/run/netns/{} {command}", self.home));
    }

    /// Takes a VIP away: what is sent to it goes unanswered.
    pub fn kill(&self, vip: IpAddr) {
        self.at_home(&format!("ip addr del {vip} dev h1"));
    }

    /// Brings it back.
    pub fn revive(&self, vip: IpAddr) {
        self.at_home(&format!("ip addr add {vip} dev h1{}", if vip.is_ipv6() { " nodad" } else { "" }));
    }

    /// A process in the home's namespace.
    pub fn command_at_home(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.home)).arg(program);
        command
    }

    /// Runs something on a thread in the home's namespace, for as long as the process lives.
    pub fn thread_at_home(&self, body: impl FnOnce() + Send + 'static) {
        let home = self.home.clone();
        let (ready, is_ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            enter(&home);
            ready.send(()).unwrap();
            body();
        });
        is_ready.recv().unwrap();
    }
}

pub fn ipv4(vip: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, vip])
}

pub fn ipv6(vip: u8) -> IpAddr {
    IpAddr::from([0x2001, 0xdb8, 0xa, 0, 0, 0, 0, vip.into()])
}

/// A check with an interval of 200 ms and a timeout of 150 ms.
pub fn health(check: Check) -> Arc<Health> {
    let (interval, timeout) = (Duration::from_millis(200), Duration::from_millis(150));
    Arc::new(Health { check, vip: None, interval, timeout, rise: 2, fall: 3, jitter_percent: 10 })
}

/// One probe of it.
pub fn subject(vip: IpAddr, check: Check) -> Subject {
    let source = anycast_xdp::health::source_for(&FACTS, vip).unwrap();
    let mut health = Arc::unwrap_or_clone(health(check));
    health.timeout = Duration::from_secs(2);
    Subject { vip, source, backend_index: 0x0012_3456, health: Arc::new(health) }
}
