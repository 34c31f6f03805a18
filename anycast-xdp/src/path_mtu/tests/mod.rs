//! Messages in, belief out; and what becomes of it in time.

mod forge;
mod hostile;
mod memory;

use std::net::IpAddr;

use forge::{BACKBONE, Forged, HOME_V4, HOME_V6, Path, ROUTE_MTU_BYTES};

use super::{Doubt, Told};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A router's true message, of either family.
fn both() -> [(Forged, IpAddr, u16); 2] {
    [(Forged::ipv4(1450), address(HOME_V4), 576), (Forged::ipv6(1450), address(HOME_V6), 1280)]
}

#[test]
fn true_message_is_believed() {
    for (message, backend, _) in both() {
        assert_eq!(message.judge(), Ok(Told { backend, mtu_bytes: 1450 }));
        // Routers quote all of it, or its first bytes.
        let whole = Forged { quoted_payload: vec![7; 1001], ..message };
        assert_eq!(whole.judge(), Ok(Told { backend, mtu_bytes: 1450 }));
    }
}

#[test]
fn message_about_any_address_of_a_pop_host_is_of_the_host() {
    let hosts = |v4, v6| Path::to_hosts(&[v4, v6, "10.4.0.0/16"]);
    for (message, host, _) in both() {
        let (first, last, beyond) = match host {
            IpAddr::V4(_) => ("10.4.0.2", "10.4.0.3", "10.4.0.4"),
            IpAddr::V6(_) => ("fd00:4::2", "fd00:4::3", "fd00:4::4"),
        };
        let path = hosts("10.4.0.2/31", "fd00:4::2/127");
        for destination in [first, last] {
            let quoting = Forged { destination: address(destination), ..message.clone() };
            assert_eq!(quoting.judge_on(&path), Ok(Told { backend: host, mtu_bytes: 1450 }));
        }
        // Of the host that the wider prefix is, no route is known; of IPv6 there is none.
        let foreign = Forged { destination: address(beyond), ..message.clone() };
        assert_eq!(foreign.judge_on(&path), Err(Doubt::Quote));
        // Without prefixes an address is itself.
        let quoting = Forged { destination: address(last), ..message };
        assert_eq!(quoting.judge(), Err(Doubt::Quote));
    }
}

#[test]
fn message_from_another_interface_is_not_believed() {
    for (message, ..) in both() {
        assert_eq!(Forged { ifindex: BACKBONE + 1, ..message }.judge(), Err(Doubt::Interface));
    }
}

#[test]
fn message_by_a_vlan_device_on_the_backbone_is_believed() {
    for (message, backend, _) in both() {
        let by_vlan = Forged { ifindex: BACKBONE + 2, ..message };
        assert_eq!(by_vlan.judge_on(&Path::over_vlan(BACKBONE + 2)), Ok(Told { backend, mtu_bytes: 1450 }));
        assert_eq!(by_vlan.judge(), Err(Doubt::Interface));
    }
}

#[test]
fn wrong_checksum_is_not_believed() {
    for (message, ..) in both() {
        assert_eq!(Forged { is_intact: false, ..message }.judge(), Err(Doubt::Checksum));
    }
}

#[test]
fn other_types_and_codes_are_not_believed() {
    for (kind, code) in [(3, 0), (3, 3), (11, 0), (8, 0), (5, 4)] {
        assert_eq!(Forged { kind, code, ..Forged::ipv4(1450) }.judge(), Err(Doubt::Kind), "{kind}/{code}");
    }
    assert_eq!(Forged { kind: 1, ..Forged::ipv6(1450) }.judge(), Err(Doubt::Kind));
    // Receivers ignore the code of an ICMPv6 one.
    assert!(Forged { code: 9, ..Forged::ipv6(1450) }.judge().is_ok());
}

#[test]
fn quote_of_a_packet_that_was_never_sent_is_not_believed() {
    for (message, ..) in both() {
        let elsewhere = if message.source.is_ipv4() { "10.4.0.9" } else { "fd00:4::9" };
        let foreign = if message.source.is_ipv4() { "10.3.0.9" } else { "fd00:3::9" };
        for forged in [
            Forged { destination: address(elsewhere), ..message.clone() },
            Forged { source: address(foreign), ..message.clone() },
            Forged { protocol: 6, ..message.clone() },
            Forged { quoted_bytes: ROUTE_MTU_BYTES + 1, ..message.clone() },
            // To an address of this host that the quoted packet does not come from.
            Forged { receiver: address(foreign), ..message.clone() },
        ] {
            assert_eq!(forged.judge(), Err(Doubt::Quote), "{forged:?}");
        }
    }
}

#[test]
fn every_encap_of_ours_is_believed_and_other_udp_is_not() {
    for message in [Forged::ipv4(1450), Forged::ipv6(1450)] {
        let udp = |port: [u8; 2]| Forged {
            protocol: 17,
            quoted_payload: [&[0xc0, 0], &port[..], &[0; 4]].concat(),
            ..message.clone()
        };
        let (gre, gue) = (Forged { protocol: 47, ..message.clone() }, udp(6080_u16.to_be_bytes()));
        for believed in [gre, gue] {
            assert_eq!(believed.judge().map(|told| told.mtu_bytes), Ok(1450), "{believed:?}");
        }
        for forged in [udp([0, 53]), Forged { protocol: 17, quoted_payload: vec![0xc0, 0], ..message.clone() }] {
            assert_eq!(forged.judge(), Err(Doubt::Quote), "{forged:?}");
        }
    }
}

#[test]
fn quote_that_is_shaped_unlike_ours_is_not_believed() {
    // May be fragmented, is a fragment, has options, is of another version.
    for (at, octet) in [(6, 0), (6, 0x60), (7, 1), (0, 0x46), (0, 0x65)] {
        let forged = Forged { quote_edit: Some((at, octet)), ..Forged::ipv4(1450) };
        assert_eq!(forged.judge(), Err(Doubt::Kind), "{at} {octet:x}");
    }
    assert_eq!(Forged { quote_edit: Some((0, 0x45)), ..Forged::ipv6(1450) }.judge(), Err(Doubt::Kind));
}

#[test]
fn only_less_than_the_packet_and_the_route_is_believed() {
    for (message, ..) in both() {
        let told = |mtu_bytes, quoted_bytes| Forged { mtu_bytes, quoted_bytes, ..message.clone() }.judge();
        assert!(told(1599, 1600).is_ok());
        assert_eq!(told(1600, 1600), Err(Doubt::NotBelow));
        assert_eq!(told(9000, 1600), Err(Doubt::NotBelow));
        assert_eq!(told(1500, 1500), Err(Doubt::NotBelow));
        assert!(told(1499, 1500).is_ok());
    }
    assert_eq!(Forged::ipv6(65_536 + 1450).judge(), Err(Doubt::NotBelow));
}

#[test]
fn less_than_every_path_takes_is_not_believed() {
    for (message, _, least) in both() {
        let told = |mtu_bytes| Forged { mtu_bytes, ..message.clone() }.judge();
        assert!(told(least.into()).is_ok());
        assert_eq!(told(u32::from(least) - 1), Err(Doubt::BelowMinimum));
        assert_eq!(told(68), Err(Doubt::BelowMinimum));
    }
    assert_eq!(Forged::ipv6(0).judge(), Err(Doubt::BelowMinimum));
}

#[test]
fn router_that_tells_no_mtu_means_the_next_plateau() {
    for (quoted_bytes, mtu_bytes) in [(1600, 1492), (1492, 1006), (1007, 1006)] {
        let told = Forged { quoted_bytes, ..Forged::ipv4(0) }.judge();
        assert_eq!(told, Ok(Told { backend: address(HOME_V4), mtu_bytes }));
    }
    assert_eq!(Forged { quoted_bytes: 1006, ..Forged::ipv4(0) }.judge(), Err(Doubt::BelowMinimum));
    assert_eq!(Forged { quoted_bytes: 68, ..Forged::ipv4(0) }.judge(), Err(Doubt::Kind));
}
