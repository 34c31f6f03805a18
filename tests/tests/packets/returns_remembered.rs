//! A gateway remembers by which way a client's packets came, and clamps the MSS of its SYN to what goes back by it.

use anycast_common::outcome::Outcome;
use anycast_tests::{
    oracle::{
        place,
        tables::{Path, Seen, Tunnel},
    },
    packet::{Packet, tcp_flags},
};

use crate::fixture::{
    Row, gateway,
    world::{DEFAULT_GUE_PORT, GATEWAY_V4, GATEWAY_V6, GUE_PORT, KEYS, address, returned_vip as vip},
};

/// A client whose way is not known, IPv4 and IPv6.
const CLIENT: [&str; 2] = ["198.51.100.7", "2001:db8:c::7"];

/// A way that packets come.
#[derive(Clone, Copy)]
pub struct Came {
    /// What they come in.
    pub tunnel: Tunnel,
    /// Outer source.
    pub source: &'static str,
    /// Position of its prefix.
    pub peer: usize,
}

impl Came {
    pub fn is_v6(&self) -> bool {
        self.source.contains(':')
    }

    fn outer_bytes(&self) -> usize {
        let behind_ip = match self.tunnel {
            Tunnel::Ipip => 0,
            Tunnel::Gre => 4,
            Tunnel::Keyed(_) | Tunnel::Gue => 8,
        };
        if self.is_v6() { 40 + behind_ip } else { 20 + behind_ip }
    }

    /// A packet that comes this way.
    pub fn around(&self, inner: &[u8], gue_port: u16) -> Packet {
        let gateway = if self.is_v6() { GATEWAY_V6 } else { GATEWAY_V4 };
        let outer = Packet::from_to(self.source, gateway).as_outer();
        let ether_type = if inner[0] >> 4 == 6 { [0x86, 0xdd] } else { [0x08, 0x00] };
        match self.tunnel {
            Tunnel::Ipip => outer.encapsulating(inner),
            Tunnel::Gre => outer.protocol(47).payload([&[0, 0], &ether_type[..], inner].concat()),
            Tunnel::Keyed(key) => {
                outer.protocol(47).payload([&[0x20, 0], &ether_type[..], &key.to_be_bytes(), inner].concat())
            }
            Tunnel::Gue => outer.udp_without_checksum(50_000, gue_port).payload(inner),
        }
    }

    /// What is remembered of a packet of this client.
    pub fn path(&self, client: &str, vip: usize) -> Path {
        Path {
            client: address(client),
            vip,
            source: address(self.source),
            peer: self.peer,
            tunnel_address: usize::from(self.is_v6()),
            tunnel: self.tunnel,
            seen: Seen::Now,
        }
    }
}

pub fn rows() -> Vec<Row> {
    let mut rows: Vec<_> = [Tunnel::Ipip, Tunnel::Keyed(KEYS[0]), Tunnel::Keyed(KEYS[1]), Tunnel::Gue]
        .into_iter()
        .flat_map(|tunnel| of_tunnel(tunnel, GUE_PORT, "keys"))
        .collect();
    rows.extend([0, 1].into_iter().flat_map(replaced));
    rows.extend([0, 1].into_iter().flat_map(not_remembered));
    rows.extend([0, 1].into_iter().flat_map(clamped));
    rows
}

/// From each PoP host in this tunnel, to each VIP.
pub fn of_tunnel(tunnel: Tunnel, gue_port: u16, what: &str) -> Vec<Row> {
    let sources = [("10.3.0.2", 0), ("fd00:3::2", 1), ("10.3.8.200", 2), ("fd00:3:8::1234", 3)];
    let of = |(source, peer)| {
        let came = Came { tunnel, source, peer };
        [vip::POP, vip::POP_OR_DROP].into_iter().enumerate().flat_map(move |(pair, vips)| {
            [0, 1].map(|family| {
                let inner = Packet::from_to(CLIENT[family], vips[family]).udp(4321, 53).payload_len(9).build_ip();
                let name = format!("gateway with {what}: {} in {tunnel:x?} from {source} is remembered", vips[family]);
                gateway(name, came.around(&inner, gue_port))
                    .decapsulated(vips[family], inner)
                    .remembering(came.path(CLIENT[family], pair * 2 + family))
            })
        })
    };
    sources.into_iter().flat_map(of).collect()
}

/// Clients whose way is known, with whatever comes next.
fn replaced(family: usize) -> Vec<Row> {
    let client = |number: u32| format!("{}{number}", ["198.51.100.", "2001:db8:c::"][family]);
    let vip = vip::POP[family];
    let kind = ["IPv4", "IPv6"][family];
    let row = |what: &str, number: u32, came: Came| {
        let inner = Packet::from_to(&client(number), vip).udp(4321, 53).payload_len(9).build_ip();
        gateway(format!("a known {kind} client {what}"), came.around(&inner, GUE_PORT))
            .decapsulated(vip, inner)
            .remembering(came.path(&client(number), family))
    };
    let ipip = |source, peer| Came { tunnel: Tunnel::Ipip, source, peer };
    vec![
        row("that comes the same way again is seen now", 10, ipip("10.3.0.2", 0)),
        row("that comes from another address of its PoP host goes back there", 10, ipip("10.3.0.3", 0)),
        row("that comes from another PoP goes back to that", 10, ipip("10.3.8.1", 2)),
        row("that comes from a PoP of the other family goes back to that", 10, ipip("fd00:3::2", 1)),
        row("that comes in another tunnel gets that", 10, Came { tunnel: Tunnel::Gue, ..ipip("10.3.0.2", 0) }),
        row(
            "that comes with another key gets that",
            14,
            Came { tunnel: Tunnel::Keyed(KEYS[1]), ..ipip("10.3.0.2", 0) },
        ),
        row("whose way is too old has a way again", 18, ipip("10.3.0.1", 0)),
    ]
}

fn not_remembered(family: usize) -> Vec<Row> {
    let came = Came { tunnel: Tunnel::Ipip, source: "10.3.0.2", peer: 0 };
    let kind = ["IPv4", "IPv6"][family];
    let direct = vip::DIRECT[family];
    let known = ["198.51.100.10", "2001:db8:c::10"][family];
    let to = |vip: &str| Packet::from_to(known, vip).udp(1, 2).build_ip();
    let stranger = Came { source: "10.3.7.1", ..came };
    let marked = to(vip::POP[family]);
    vec![
        gateway(
            format!("{kind}: of a VIP with direct answers nothing is remembered"),
            came.around(&to(direct), GUE_PORT),
        )
        .decapsulated(direct, to(direct)),
        gateway(
            format!("{kind}: of a source that is not allowed nothing is remembered"),
            stranger.around(&to(vip::POP[family]), GUE_PORT),
        )
        .refused(Outcome::SourceNotAllowed),
        gateway(
            format!("{kind}: what cannot carry a mark is dropped and remembered"),
            came.around(&marked, GUE_PORT).dscp_ecn(3),
        )
        .counted_as(marked.len())
        .dropped(vip::POP[family], Outcome::EcnNotCapable)
        .remembering(came.path(known, family)),
    ]
}

/// Options of TCP with this MSS.
type Options = fn(u16) -> Vec<u8>;

/// Options of TCP with an MSS: at the front, behind one byte of padding, behind others, and none.
const FRONT: Options = |mss| [&[2, 4], &mss.to_be_bytes()[..], &[4, 2, 1, 3, 3, 7]].concat();
const ODD: Options = |mss| [&[1, 2, 4], &mss.to_be_bytes()[..], &[4, 2]].concat();
const BEHIND: Options =
    |mss| [&[3, 3, 7, 1, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 2, 4], &mss.to_be_bytes()[..]].concat();
const BEHIND_ODD: Options = |mss| [&[3, 3, 7, 2, 4], &mss.to_be_bytes()[..]].concat();
const BEHIND_END: Options = |mss| [&[0, 0, 0, 0, 2, 4], &mss.to_be_bytes()[..]].concat();
const BROKEN: Options = |mss| [&[5, 1, 2, 4], &mss.to_be_bytes()[..]].concat();
const BEYOND: Options = |mss| [&[5, 41, 2, 4], &mss.to_be_bytes()[..]].concat();
const NONE: Options = |_| vec![4, 2, 1, 1];

/// Options with an MSS, flags, what is asked for, and whether it is clamped where it is too much.
pub const SYNS: [(&str, Options, u8, bool); 11] = [
    ("a SYN", FRONT, tcp_flags::SYN, true),
    ("a SYN-ACK", FRONT, tcp_flags::SYN | tcp_flags::ACK, true),
    ("a SYN with its MSS at an odd place", ODD, tcp_flags::SYN, true),
    ("a SYN with its MSS behind other options", BEHIND, tcp_flags::SYN, true),
    ("a SYN-ACK with its MSS at an odd place behind another option", BEHIND_ODD, tcp_flags::SYN | 0x10, true),
    ("a SYN with its MSS behind the end of options", BEHIND_END, tcp_flags::SYN, false),
    ("a SYN with a broken option", BROKEN, tcp_flags::SYN, false),
    ("a SYN with an option that ends beyond the header", BEYOND, tcp_flags::SYN, false),
    ("a SYN without MSS", NONE, tcp_flags::SYN, false),
    ("an ACK", FRONT, tcp_flags::ACK, false),
    ("a RST", FRONT, tcp_flags::RST, false),
];

fn clamped(family: usize) -> Vec<Row> {
    let vip = vip::POP[family];
    let kind = ["IPv4", "IPv6"][family];
    let mut rows = Vec::new();
    for came in [
        Came { tunnel: Tunnel::Ipip, source: "10.3.0.2", peer: 0 },
        Came { tunnel: Tunnel::Gue, source: "fd00:3::3", peer: 1 },
        Came { tunnel: Tunnel::Keyed(KEYS[0]), source: "10.3.0.2", peer: 0 },
    ] {
        let most = place::MTU_BYTES - came.outer_bytes() as u16 - [40, 60][family];
        for (what, options, flags, is_clamped) in SYNS {
            for asked in [most - 1, most, most + 1, 8960, u16::MAX] {
                let syn = |mss| {
                    let syn = Packet::from_to(CLIENT[family], vip).tcp_with(4321, 80, flags);
                    syn.tcp_options(&options(mss)).payload_len(3).build_ip()
                };
                let gets = if is_clamped { asked.min(most) } else { asked };
                let name = format!("{kind} in {:x?} from {}: {what}, {asked} for {most}", came.tunnel, came.source);
                rows.push(
                    gateway(name, came.around(&syn(asked), GUE_PORT))
                        .decapsulated(vip, syn(gets))
                        .remembering(came.path(CLIENT[family], family)),
                );
            }
        }
    }
    let syn = |mss: u16| Packet::from_to(CLIENT[family], vip).tcp_syn(1, 80).tcp_options(&FRONT(mss)).build_ip();
    // Behind the end of the header, lengths are not counted on into the ports.
    let wraps = || {
        let syn =
            Packet::from_to(CLIENT[family], vip).tcp_syn(0x0204, 9000).tcp_options(&[&[5, 44][..], &[1; 38]].concat());
        syn.build_ip()
    };
    let ipip = Came { tunnel: Tunnel::Ipip, source: "10.3.0.2", peer: 0 };
    rows.push(
        gateway(format!("{kind}: a SYN with an option of 44 bytes stays"), ipip.around(&wraps(), GUE_PORT))
            .decapsulated(vip, wraps())
            .remembering(ipip.path(CLIENT[family], family)),
    );
    let unknown = Came { tunnel: Tunnel::Ipip, source: "10.3.8.1", peer: 2 };
    rows.push(
        gateway(format!("{kind}: a SYN by a PoP to which no way is known stays"), unknown.around(&syn(9000), GUE_PORT))
            .decapsulated(vip, syn(9000))
            .remembering(unknown.path(CLIENT[family], family)),
    );
    let direct = vip::DIRECT[family];
    let to_direct = Packet::from_to(CLIENT[family], direct).tcp_syn(1, 80).tcp_options(&FRONT(9000)).build_ip();
    let came = Came { tunnel: Tunnel::Ipip, source: "10.3.0.2", peer: 0 };
    rows.push(
        gateway(format!("{kind}: a SYN to a VIP with direct answers stays"), came.around(&to_direct, GUE_PORT))
            .decapsulated(direct, to_direct),
    );
    assert_ne!(GUE_PORT, DEFAULT_GUE_PORT);
    rows
}
