//! On a gateway: answers that leave it.

use std::net::IpAddr;

use anycast_common::map::{
    ENCAP_GRE, ReturnKey, ReturnPath, ReturnValue, SOURCE_FAMILY_BITS, TunnelKey, return_check, tunnel_key,
};
use anycast_tests::{
    lab::{
        Topology,
        deployment::{Deployment, MIXES},
        topology::Family,
    },
    require_root,
};
use anycast_xdp::{
    dataplane::{inventory::Inventory, pins::Pins, tables::Raw},
    path_mtu::monotonic_now,
};
use aya::maps::{
    Array, HashMap, Map, MapData,
    lpm_trie::{Key, LpmTrie},
};
use serde_json::Value;

use crate::{explain, ip};

#[test]
fn answer_of_a_gateway_is_explained_where_it_leaves_with_the_pop_of_its_client() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let vip = MIXES[0].vip;
    let client = deployment.lab.site().client_address(Family::V4);
    let (from, to) = (format!("{vip}:443"), format!("{client}:4321"));
    let answer = ["tcp", from.as_str(), to.as_str()];
    let interface = deployment.lab.home_interfaces().remove(0);
    let told = explain(&deployment.gateway, &answer);
    assert_eq!(
        (&told["program"], &told["interface"]),
        (&"gateway_return".into(), &interface.as_str().into()),
        "{told}"
    );
    assert_eq!((&told["vip"]["name"], &told["pop"]), (&MIXES[0].name.into(), &Value::Null), "{told}");
    assert!(told["action"].as_str().unwrap().starts_with("TC_ACT_"), "{told}");
    assert_eq!(told["notes"], Value::Array(Vec::new()), "{told}");
    assert_eq!(told["egress"], interface, "{told}");

    // The other direction, and what is asked for, is explained as it was.
    let came_in = [answer.as_slice(), &["--from", "backbone"]].concat();
    assert_eq!(explain(&deployment.gateway, &came_in)["program"], "gateway");
    assert_eq!(explain(&deployment.gateway, &["tcp", &to, &from])["program"], "gateway");
    let sent = ["udp", "10.4.0.2:1", "203.0.113.9:2", "--egress"];
    let told = explain(&deployment.gateway, &sent);
    assert_eq!((&told["program"], &told["outcome"]), (&"gateway_return".into(), &"not_vip".into()), "{told}");
    assert_eq!(told["help"], Value::Null, "{told}");
    let error = deployment.pop().run_cli(&[&["explain"], sent.as_slice()].concat()).unwrap_err();
    assert!(format!("{error:#}").contains("no program at an egress: only gateways have"), "{error:#}");

    // A client whose packets came by a PoP, in the pinned tables of a daemon that does not run.
    deployment.gateway.kill().unwrap();
    remember(deployment.gateway.instance(), vip, client);
    let told = explain(&deployment.gateway, &answer);
    let pop = &told["pop"];
    assert_eq!((&pop["prefix"], &pop["address"]), (&"10.77.5.0/24".into(), &"10.77.5.9".into()), "{told}");
    assert_eq!((&pop["gateway"], &pop["encap"]), (&"10.4.0.77".into(), &"gre".into()), "{told}");
    assert_eq!(pop["mtu_bytes"], Value::Null, "{told}");
    assert!(pop["seen_secs"].as_u64().unwrap() <= 3, "{told}");
}

/// Writes down that a client's last packet to a VIP came from 10.77.5.9, in GRE to 10.4.0.77.
fn remember(instance: &str, vip: IpAddr, client: IpAddr) {
    const PEER: u32 = 9;
    const TUNNEL: u8 = 200;
    let pins = Pins::of(instance);
    let map = |name: &str| Map::from_map_data(MapData::from_pin(pins.maps().join(name)).unwrap()).unwrap();
    let mapped = |text: &str| {
        let IpAddr::V4(address) = ip(text) else { panic!("{text}") };
        address.to_ipv6_mapped().octets()
    };
    let inventory = Inventory::read(&pins.state()).unwrap().unwrap();
    let vip_index = inventory.vip(vip).unwrap().index;
    let mut sources = LpmTrie::<_, TunnelKey, u32>::try_from(map("SOURCES")).unwrap();
    let prefix = Key::new(SOURCE_FAMILY_BITS + 96 + 24, tunnel_key(4, mapped("10.77.5.0")));
    sources.insert(&prefix, PEER, 0).unwrap();
    let mut tunnels = Array::<_, [u8; 16]>::try_from(map("TUNNEL_ADDRESSES")).unwrap();
    tunnels.set(TUNNEL.into(), mapped("10.4.0.77"), 0).unwrap();

    let client = mapped(&client.to_string());
    let now = monotonic_now().unwrap().as_nanos() as u64;
    let path = ReturnPath {
        peer_index: PEER,
        source_end: u16::from_ne_bytes([5, 9]),
        encap: ENCAP_GRE,
        tunnel_index: TUNNEL,
        key_index: 0,
        seen: ReturnPath::seen_at(now),
    };
    let half = |at: usize| u64::from_ne_bytes(client[at..at + 8].try_into().unwrap());
    let value = ReturnValue { check: return_check([half(0), half(8)], vip_index), path: path.to_cell() };
    let key = ReturnKey { client, vip_index, reserved: 0 };
    let mut paths = HashMap::<_, Raw<ReturnKey>, Raw<ReturnValue>>::try_from(map("RETURN_PATHS")).unwrap();
    paths.insert(Raw(key), Raw(value), 0).unwrap();
}
