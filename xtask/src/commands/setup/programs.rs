//! The programs that building, testing and the demo call.

use std::path::Path;

use crate::run;

/// A program that must be there.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name, looked for on the `PATH`; or a path.
    pub name: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
    /// What we need it for.
    pub purpose: &'static str,
}

/// All of them.
pub const PROGRAMS: &[Program] = &[
    Program { name: "cc", package: "gcc", purpose: "linking Rust programs" },
    Program { name: "/usr/include/stdio.h", package: "libc6-dev", purpose: "linking Rust programs" },
    Program { name: "ip", package: "iproute2", purpose: "lab: namespaces, links, routes" },
    Program { name: "ethtool", package: "ethtool", purpose: "lab: offloads of veths" },
    Program { name: "sysctl", package: "procps", purpose: "lab: forwarding, reverse-path checks" },
    Program { name: "ping", package: "iputils-ping", purpose: "lab: ICMP through the datapath" },
    Program { name: "curl", package: "curl", purpose: "lab and demo: HTTP clients" },
    Program { name: "nginx", package: "nginx-light", purpose: "lab and demo: the service behind the VIP" },
    Program { name: "tc", package: "iproute2", purpose: "lab: links that lose everything" },
    Program { name: "/usr/lib/frr/bgpd", package: "frr", purpose: "lab and demo: BGP and BFD of hosts and routers" },
    Program { name: "bird", package: "bird2", purpose: "lab and demo: BGP and BFD of hosts and routers" },
    Program { name: "unbound", package: "unbound", purpose: "lab and demo: DNS behind the VIP" },
    Program { name: "iperf3", package: "iperf3", purpose: "lab: TCP and UDP streams" },
    Program { name: "traceroute", package: "traceroute", purpose: "lab: hops to a VIP" },
    Program { name: "mtr", package: "mtr-tiny", purpose: "lab: hops to a VIP" },
    Program { name: "tshark", package: "tshark", purpose: "lab: decodes captures independently of us" },
    Program { name: "promtool", package: "prometheus", purpose: "tests: takes metrics and alerts as Prometheus does" },
];

/// Those that are not there.
pub fn missing() -> Vec<&'static Program> {
    PROGRAMS.iter().filter(|program| !is_here(program.name)).collect()
}

fn is_here(name: &str) -> bool {
    if name.starts_with('/') { Path::new(name).exists() } else { run::exists(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_is_here_and_nonsense_is_not() {
        assert!(is_here("sh"));
        assert!(is_here("/bin/sh"));
        assert!(!is_here("no-such-program-anywhere"));
    }
}
