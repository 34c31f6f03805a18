//! The host checks, against made-up hosts.

use std::path::Path;

use super::{CLIENTS, ClientLink, HostFacts, LinkFacts, Remark, Severity, check};
use crate::{
    config::parse,
    desired::{Config, Returns},
};

const POP: &str = include_str!("../../../../docs/examples/pop.toml");
const GATEWAY: &str = include_str!("../../../../docs/examples/gateway.toml");

fn config(text: &str) -> Config {
    parse(text, Path::new("test.toml")).unwrap()
}

/// A host that the examples fit: access at 1500, backbone at `backbone_mtu_bytes`.
fn host(backbone_mtu_bytes: u32, addresses: &[&str]) -> HostFacts {
    let link = |mtu_bytes| LinkFacts {
        mtu_bytes,
        ethernet: true,
        up: true,
        forwards_ipv4: Some(true),
        forwards_ipv6: Some(true),
    };
    HostFacts {
        links: [("in0".to_owned(), link(1500)), ("bb0".to_owned(), link(backbone_mtu_bytes))].into(),
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        ..HostFacts::default()
    }
}

fn pop_host(backbone_mtu_bytes: u32) -> HostFacts {
    host(backbone_mtu_bytes, &["10.3.0.2", "fd00:3::2"])
}

/// Severity and field of each remark.
fn found(remarks: &[Remark]) -> Vec<(Severity, &str)> {
    remarks.iter().map(|remark| (remark.severity, remark.field.as_str())).collect()
}

#[test]
fn host_that_fits_has_no_remarks() {
    assert_eq!(check(&config(POP), &pop_host(1540)), []);
    assert_eq!(
        check(&config(GATEWAY), &host(1500, &["10.4.0.2", "fd00:4::2", "192.0.2.10", "192.0.2.80", "2001:db8::80"])),
        []
    );
}

#[test]
fn backbone_one_byte_short_of_the_outer_header_is_refused() {
    let remarks = check(&config(POP), &pop_host(1539));
    assert_eq!(found(&remarks), [(Severity::Error, "interface")]);
    assert!(remarks[0].problem.contains("1540"), "{}", remarks[0].problem);
}

#[test]
fn overhead_is_that_of_the_families_in_use() {
    let ipv4_only = POP.replace("address = \"fd00:4::2\"", "address = \"10.4.0.3\"");
    assert_eq!(check(&config(&ipv4_only), &pop_host(1520)), []);
    assert_eq!(found(&check(&config(&ipv4_only), &pop_host(1519))), [(Severity::Error, "interface")]);
}

#[test]
fn small_mtu_that_is_allowed_is_a_warning() {
    let allowed = POP.replace("allow_small_mtu = false", "allow_small_mtu = true");
    assert_eq!(found(&check(&config(&allowed), &pop_host(1500))), [(Severity::Warning, "tunnel.allow_small_mtu")]);
}

#[test]
fn configured_mtu_one_byte_short_of_the_outer_header_is_refused_unless_allowed() {
    let with = |text: &str, mtu_bytes: u16| {
        config(&text.replace("address = \"10.4.0.2\"", &format!("address = \"10.4.0.2\"\nmtu_bytes = {mtu_bytes}")))
    };
    assert_eq!(check(&with(POP, 1520), &pop_host(1600)), []);
    let remarks = check(&with(POP, 1519), &pop_host(1600));
    assert_eq!(found(&remarks), [(Severity::Error, "pool[0].backend[0].mtu_bytes")]);
    assert!(remarks[0].problem.contains("1520"), "{}", remarks[0].problem);
    let allowed = POP.replace("allow_small_mtu = false", "allow_small_mtu = true");
    let remarks = check(&with(&allowed, 1519), &pop_host(1600));
    assert_eq!(found(&remarks), [(Severity::Warning, "pool[0].backend[0].mtu_bytes")]);
}

#[test]
fn less_than_ipv6_needs_is_refused_even_if_small_mtu_is_allowed() {
    let allowed = POP.replace("allow_small_mtu = false", "allow_small_mtu = true");
    let remarks = check(&config(&allowed), &pop_host(1319));
    assert_eq!(found(&remarks), [(Severity::Warning, "tunnel.allow_small_mtu"), (Severity::Error, "vip[2].address")]);
    assert_eq!(found(&check(&config(&allowed), &pop_host(1320))), [(Severity::Warning, "tunnel.allow_small_mtu")]);
}

#[test]
fn absent_interface_is_refused_and_the_others_named() {
    let mut host = pop_host(1600);
    host.links.remove("in0");
    let remarks = check(&config(POP), &host);
    assert_eq!(found(&remarks), [(Severity::Error, "interface[0].name")]);
    assert!(remarks[0].help.contains("bb0"), "{}", remarks[0].help);
}

#[test]
fn interface_without_ethernet_is_refused_and_one_that_is_down_warned_of() {
    let mut host = pop_host(1600);
    host.links.get_mut("in0").unwrap().ethernet = false;
    host.links.get_mut("bb0").unwrap().up = false;
    assert_eq!(
        found(&check(&config(POP), &host)),
        [(Severity::Error, "interface[0].name"), (Severity::Warning, "interface[1].name")]
    );
}

#[test]
fn tunnel_source_of_another_host_is_refused() {
    let remarks = check(&config(POP), &host(1600, &["10.3.0.2"]));
    assert_eq!(found(&remarks), [(Severity::Error, "tunnel.source_ipv6")]);
}

#[test]
fn prefix_of_tunnel_sources_is_warned_of_where_it_is_not_local() {
    let text = POP.replace("source_ipv4 = \"10.3.0.2\"", "source_ipv4 = \"10.3.64.0/24\"");
    let mut host = pop_host(1600);
    let remarks = check(&config(&text), &host);
    assert_eq!(found(&remarks), [(Severity::Warning, "tunnel.source_ipv4")]);
    assert_eq!(remarks[0].help, "route it to this host: ip route add local 10.3.64.0/24 dev lo");
    host.local_prefixes.insert("10.3.64.0/23".parse().unwrap());
    assert_eq!(check(&config(&text), &host), []);
}

#[test]
fn overhead_is_that_of_the_encaps_in_use() {
    let gue = POP.replace("weight = 50", "weight = 50\nencap = \"gue\"");
    assert_eq!(check(&config(&gue), &pop_host(1548)), []);
    assert_eq!(found(&check(&config(&gue), &pop_host(1547))), [(Severity::Error, "interface")]);
}

#[test]
fn vip_that_is_an_address_of_the_pop_is_refused() {
    let remarks = check(&config(POP), &host(1600, &["10.3.0.2", "fd00:3::2", "192.0.2.80"]));
    assert_eq!(found(&remarks), [(Severity::Error, "vip[1].address")]);
}

#[test]
fn gateway_without_its_addresses_is_warned() {
    let remarks = check(&config(GATEWAY), &host(1500, &["10.4.0.2", "192.0.2.10"]));
    assert_eq!(
        found(&remarks),
        [
            (Severity::Warning, "gateway.tunnel_addresses[1]"),
            (Severity::Warning, "vip[1].address"),
            (Severity::Warning, "vip[2].address"),
        ]
    );
}

/// The example with answers that go through PoPs.
fn returning(text: &str) -> Config {
    let mut config = config(text);
    config.services.vips.iter_mut().for_each(|vip| vip.returns = Returns::Pop);
    config
}

#[test]
fn pop_that_does_not_forward_is_refused_for_the_families_whose_answers_it_forwards() {
    let mut host = pop_host(1600);
    let link = host.links.get_mut("bb0").unwrap();
    (link.forwards_ipv4, link.forwards_ipv6) = (Some(false), Some(false));
    assert_eq!(check(&config(POP), &host), []);
    let mut config = returning(POP);
    let remarks = check(&config, &host);
    assert_eq!(found(&remarks), [(Severity::Error, "vip[0].return"), (Severity::Error, "vip[2].return")]);
    assert_eq!(remarks[0].help, "sysctl -w net.ipv4.conf.bb0.forwarding=1, and the same in /etc/sysctl.d");
    assert_eq!(remarks[1].help, "sysctl -w net.ipv6.conf.bb0.forwarding=1, and the same in /etc/sysctl.d");
    config.services.vips[0].returns = Returns::Direct;
    config.services.vips[2].returns = Returns::Direct;
    assert_eq!(found(&check(&config, &host)), [(Severity::Error, "vip[1].return")]);
}

#[test]
fn pop_that_forwards_or_does_not_tell_and_an_access_interface_that_does_not_forward_are_accepted() {
    let mut host = pop_host(1600);
    host.links.get_mut("in0").unwrap().forwards_ipv4 = Some(false);
    assert_eq!(check(&returning(POP), &host), []);
    host.links.get_mut("bb0").unwrap().forwards_ipv6 = None;
    assert_eq!(check(&returning(POP), &host), []);
}

#[test]
fn gateway_whose_answers_leave_unseen_is_warned() {
    let mut host = host(1500, &["10.4.0.2", "fd00:4::2", "192.0.2.10", "192.0.2.80", "2001:db8::80"]);
    let link =
        |name: &str, vlan_of: Option<&str>| ClientLink { name: name.to_owned(), vlan_of: vlan_of.map(str::to_owned) };
    host.client_links = [
        (CLIENTS[0], [link("bb0", None), link("eth9", None)].into()),
        (CLIENTS[1], [link("bb0.7", Some("bb0"))].into()),
    ]
    .into();
    let remarks = check(&returning(GATEWAY), &host);
    assert_eq!(found(&remarks), [(Severity::Warning, "vip[0].return")]);
    assert_eq!(remarks[0].help, "add an [[interface]] with name = \"eth9\" and roles = [\"egress\"]");
    assert_eq!(check(&config(GATEWAY), &host), []);
}

#[test]
fn facts_of_this_host_have_its_loopback() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let facts = runtime.block_on(HostFacts::read()).unwrap();
    let loopback = facts.links["lo"];
    assert!(!loopback.ethernet);
    // A fresh network namespace has `lo` down and without address.
    assert_eq!(loopback.up, facts.addresses.contains(&"127.0.0.1".parse().unwrap()));
}
