//! What is broken while everything runs, and how it is mended.

use super::patient::{Breakage, FIX};

/// On the PoP, while everything runs.
pub const ON_POP: [Breakage<'_>; 8] = [
    Breakage {
        what: "VIP on the PoP's lo",
        breaks: &["address add 192.0.2.44/32 dev lo"],
        mends: &[FIX],
        says: ("error", "vip_is_local", "v4in4", "ip address del 192.0.2.44/32 dev lo"),
    },
    Breakage {
        what: "backbone MTU without room for the outer header",
        breaks: &["link set bb0 mtu 1500"],
        mends: &[FIX, "link set bb0 mtu 1600"],
        says: ("error", "backbone_mtu_small", "bb0", "ip link set bb0 mtu 1540"),
    },
    Breakage {
        what: "route with a small MTU",
        breaks: &["route replace 10.4.0.0/16 via 10.3.0.1 mtu 1400"],
        mends: &[FIX, "route replace 10.4.0.0/16 via 10.3.0.1"],
        says: ("error", "backend_mtu_small", "10.4.0.2", "ip route change 10.4.0.0/16 via 10.3.0.1 dev bb0 mtu 1520"),
    },
    Breakage {
        what: "route by the access interface",
        breaks: &["route add 10.4.0.2/32 via 10.2.0.1"],
        mends: &["route del 10.4.0.2/32"],
        says: ("error", "route_off_backbone", "10.4.0.2", "ip route replace 10.4.0.2/32 via ROUTER dev bb0"),
    },
    Breakage {
        what: "blackhole",
        breaks: &["route add blackhole 10.4.0.2/32"],
        mends: &["route del blackhole 10.4.0.2/32"],
        says: ("error", "route_missing", "10.4.0.2", "ip route replace 10.4.0.2/32 via ROUTER dev bb0"),
    },
    Breakage {
        what: "no IPv6 route",
        breaks: &["-6 route del default", "-6 route del fd00:4::/32"],
        mends: &["-6 route add default via fd00:2::1", "-6 route add fd00:4::/32 via fd00:3::1"],
        says: ("error", "route_missing", "fd00:4::2", "ip route replace fd00:4::2/128 via ROUTER dev bb0"),
    },
    Breakage {
        what: "backbone interface down",
        breaks: &["link set bb0 down"],
        mends: &[
            "link set bb0 up",
            "route add 10.4.0.0/16 via 10.3.0.1",
            "-6 address add fd00:3::2/64 dev bb0 nodad",
            "-6 route add fd00:4::/32 via fd00:3::1",
        ],
        says: ("error", "interface_down", "bb0", "ip link set bb0 up"),
    },
    Breakage {
        what: "forwarding off",
        breaks: &["!sysctl -qw net.ipv4.conf.in0.forwarding=0"],
        mends: &["!sysctl -qw net.ipv4.conf.in0.forwarding=1"],
        says: ("info", "forwarding_off", "in0", "sysctl -w net.ipv4.conf.in0.forwarding=1"),
    },
];

/// On the gateway, while everything runs.
pub const ON_GATEWAY: [Breakage<'_>; 7] = [
    Breakage {
        what: "strict rp_filter, and answers leave as tunnels arrive",
        breaks: &["!sysctl -qw net.ipv4.conf.lb0.rp_filter=1"],
        mends: &[FIX, "!sysctl -qw net.ipv4.conf.lb0.rp_filter=0"],
        says: ("warning", "rp_filter_strict", "lb0", "sysctl -w net.ipv4.conf.lb0.rp_filter=2"),
    },
    Breakage {
        what: "strict rp_filter of all, and answers leave by another interface",
        breaks: &[
            "!sysctl -qw net.ipv4.conf.all.rp_filter=1",
            "link add up0 type veth peer name up1",
            "address add 10.9.0.2/24 dev up0",
            "link set up1 up",
            "link set up0 up",
            "route replace default via 10.9.0.1",
        ],
        mends: &[
            FIX,
            "!sysctl -qw net.ipv4.conf.all.rp_filter=0",
            "!sysctl -qw net.ipv4.conf.lb0.rp_filter=0",
            "link del up0",
            "route replace default via 10.4.0.1 mtu 1500",
        ],
        says: ("error", "rp_filter_strict", "lb0", "sysctl -w net.ipv4.conf.lb0.rp_filter=2"),
    },
    Breakage {
        what: "VIP not on the gateway's lo",
        breaks: &["address del 192.0.2.44/32 dev lo"],
        mends: &[FIX],
        says: ("error", "vip_not_local", "v4in4", "ip address add 192.0.2.44/32 dev lo"),
    },
    Breakage {
        what: "VIP behind a gateway that does not forward",
        breaks: &["address del 192.0.2.44/32 dev lo", "route add 192.0.2.44/32 via 10.4.0.1"],
        mends: &[
            FIX,
            "!sysctl -qw net.ipv4.conf.lb0.forwarding=0",
            "route del 192.0.2.44/32",
            "address add 192.0.2.44/32 dev lo",
        ],
        says: ("error", "forwarding_off", "v4in4", "sysctl -w net.ipv4.conf.lb0.forwarding=1"),
    },
    Breakage {
        what: "no route to clients",
        breaks: &["route del default"],
        mends: &["route add default via 10.4.0.1 mtu 1500"],
        says: ("error", "return_route_missing", "host", "ip -4 route add default"),
    },
    Breakage {
        what: "segments that do not fit a tunnel",
        breaks: &["link set lb0 mtu 1500"],
        mends: &[
            FIX,
            "link set lb0 mtu 1600",
            "route replace default via 10.4.0.1 mtu 1500",
            "-6 route replace default via fd00:4::1 mtu 1500",
        ],
        says: ("warning", "advmss_missing", "host", "advmss 1420"),
    },
    Breakage {
        what: "ARP answers for a VIP",
        breaks: &["address add 192.0.2.1/24 dev lb0"],
        mends: &[FIX, "!sysctl -qw net.ipv4.conf.lb0.arp_ignore=0", "address del 192.0.2.1/24 dev lb0"],
        says: ("warning", "arp_answers_for_vip", "lb0", "sysctl -w net.ipv4.conf.lb0.arp_ignore=1"),
    },
];
