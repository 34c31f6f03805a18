//! One PoP and one gateway, small enough to know by heart.

use std::net::{IpAddr, Ipv4Addr};

use anycast_common::{encap::Encap, outcome::Outcome};

use crate::oracle::{
    model::{self, Input, Program, Verdict},
    tables::{
        Answers, Backend, Echo, GatewayReturns, GatewayTables, Hash, Link, Listener, NextHop, PICKS, Pool, PopReturns,
        PopTables, Route, Tables, Vip,
    },
};

pub const ACCESS_IFINDEX: u32 = 7;
pub const BACKBONE_IFINDEX: u32 = 8;

/// Destination and source of frames that come in.
pub const ETHERNET_IN: &str = "02aaaaaaaaaa 02bbbbbbbbbb";
/// Neighbour and egress interface of frames that go out.
pub const ETHERNET_OUT: &str = "020000000099 020000000088";

pub fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Bytes from hexadecimal digits, white space wherever it helps.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let text = |pair: &[u8]| String::from_utf8(pair.to_vec()).expect("ASCII");
    digits.chunks(2).map(|pair| u8::from_str_radix(&text(pair), 16).expect("hexadecimal")).collect()
}

/// VIPs 192.0.2.1 and 2001:db8::1 on a pool whose one backend is 10.0.0.2, by way of an untagged backbone link.
pub fn tables() -> Tables {
    let vip = |text| Vip {
        address: address(text),
        listeners: Vec::new(),
        hash: Hash::Addresses,
        pool: Some(0),
        echo: Echo::Forward,
        stale: false,
    };
    let route = Route { mtu_bytes: 1500, picks: [Some(0); PICKS] };
    let backend = Backend { address: address("10.0.0.2"), weight: 1, route: Some(route), encap: Encap::Ipip };
    let link = Link { ifindex: BACKBONE_IFINDEX, mac: [2, 0, 0, 0, 0, 0x88], vlan_tci: None, in_device_map: true };
    let pop = PopTables {
        answers: Answers::default(),
        seed: [0; 16],
        source_ipv4: Some(Ipv4Addr::new(10, 0, 0, 1).into()),
        source_ipv6: Some("fd00::1/128".parse().expect("a prefix")),
        vips: vec![vip("192.0.2.1"), vip("2001:db8::1")],
        pools: vec![Pool { backends: vec![backend], slots: vec![Some(0)], is_odd: false, transition: None }],
        next_hops: vec![NextHop { mac: Some([2, 0, 0, 0, 0, 0x99]), link: 0 }],
        links: vec![link],
        returns: PopReturns::default(),
        health: Vec::new(),
    };
    let gateway = GatewayTables {
        tunnel_addresses: vec![address("10.0.0.2"), address("fd00::2")],
        allowed_sources: vec!["10.0.0.0/30".parse().expect("a prefix"), "fd00::/64".parse().expect("a prefix")],
        vips: vec![address("192.0.2.1"), address("2001:db8::1")],
        gre_keys: Vec::new(),
        gue_port: 6080,
        returns: GatewayReturns::default(),
    };
    Tables { pop, gateway }
}

/// [`tables`], with the backend at fd00::2.
pub fn tables_with_ipv6_backend() -> Tables {
    let mut tables = tables();
    tables.pop.pools[0].backends[0].address = address("fd00::2");
    tables
}

/// [`tables`], with listeners on both VIPs.
pub fn tables_with_listeners(listeners: &[(u8, Option<(u16, u16)>)]) -> Tables {
    let mut tables = tables();
    for vip in &mut tables.pop.vips {
        vip.hash = Hash::Flow;
        vip.listeners = listeners.iter().map(|&(protocol, ports)| Listener { protocol, ports }).collect();
    }
    tables
}

/// What the model says of a frame in hexadecimal that comes in by the access interface.
pub fn to_pop(tables: &Tables, frame: &str) -> Verdict {
    run(tables, Program::Pop, frame)
}

/// What the model says of a frame in hexadecimal that the gateway gets.
pub fn to_gateway(tables: &Tables, frame: &str) -> Verdict {
    run(tables, Program::Gateway, frame)
}

fn run(tables: &Tables, program: Program, frame: &str) -> Verdict {
    model::run(tables, &Input::new(program, ACCESS_IFINDEX, hex(frame)))
}

/// Fails unless the packet was dropped for this reason, its bytes unchanged.
pub fn assert_dropped(verdict: &Verdict, frame: &str, reason: Outcome) {
    assert_eq!(verdict.outcome, Some(reason));
    assert_eq!(verdict.action, model::Action::Drop);
    assert_eq!(verdict.frame, Some(hex(frame)));
}
