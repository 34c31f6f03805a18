//! A gateway learns the MTU of the ways to PoPs from what backbone routers tell, as PoPs do of the ways to it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{convert::identity, net::IpAddr, time::Duration};

use anycast_tests::{
    lab::{
        Lab, Topology,
        client::Curl,
        daemon::{Daemon, GatewayConfig, PopConfig},
        deployment::{Deployment, MIXES},
        returns::{GRE, GRE_KEYED, GUE},
        server::{LARGE_FILE_BYTES, Nginx},
        topology::FAMILIES,
        wait::wait_for,
    },
    require_root,
};
use serde_json::Value;

/// Of the router's link toward the PoP.
const NARROW_MTU_BYTES: u16 = 1450;
const PATIENCE: Duration = Duration::from_secs(2);

#[test]
fn gateway_learns_from_a_router_what_fits_in_ipip() {
    require_root!();
    is_learnt(&Deployment::returning(Topology::pop_and_home(), "", small, identity).unwrap());
}

#[test]
fn gateway_learns_from_a_router_what_fits_in_gre() {
    require_root!();
    is_learnt(&Deployment::returning(Topology::pop_and_home(), GRE, small, identity).unwrap());
}

#[test]
fn gateway_learns_from_a_router_what_fits_in_gre_with_a_key() {
    require_root!();
    let keys = |config: GatewayConfig| config.gateway_lines("gre_keys = [305419896]\n");
    is_learnt(&Deployment::returning(Topology::pop_and_home(), GRE_KEYED, small, keys).unwrap());
}

#[test]
fn gateway_learns_from_a_router_what_fits_in_gue() {
    require_root!();
    is_learnt(&Deployment::returning(Topology::pop_and_home(), GUE, small, identity).unwrap());
}

/// What is told of one address of a PoP host is true of all of them.
#[test]
fn gateway_learns_of_a_pop_host_with_many_sources() {
    require_root!();
    let (deployment, sources) = Deployment::returning_to_many_sources(small).unwrap();
    learns(&deployment, sources.map(|prefix| prefix.network()));
}

fn small(config: PopConfig) -> PopConfig {
    config.allow_small_mtu()
}

fn is_learnt(deployment: &Deployment) {
    let site = deployment.lab.site();
    learns(deployment, FAMILIES.map(|family| site.tunnel_source(family)));
}

/// The first long answer in a tunnel of each family teaches it; no client waits for more than that.
fn learns(deployment: &Deployment, hosts: [IpAddr; 2]) {
    let Deployment { gateway, lab, .. } = deployment;
    lab.cut_direct_way().unwrap();
    narrow_way_to_pop(lab);
    for host in hosts {
        assert_ne!(mtu(gateway, host), learnt(), "{host}");
    }
    let client = &lab.site().client;
    let _nginx = Nginx::start(&lab.home, lab.scratch.path(), &Deployment::vips()).unwrap();
    for mix in MIXES {
        let curl = Curl::new(client).limit(Duration::from_secs(20));
        let large = curl.get(mix.vip, "/large").unwrap();
        assert_eq!((large.http_code, large.size_download), (200, LARGE_FILE_BYTES as u64), "{mix:?}");
    }
    for host in hosts {
        wait_for("a learnt MTU", PATIENCE, || (mtu(gateway, host) == learnt()).then_some(())).unwrap();
    }
    let told = gateway.log().matches("path MTU learnt").count();
    assert_eq!(told, 2, "one a family: {}", gateway.log());
}

/// The router has less room toward the PoP, on both ends of the link: its MTU is all that it can tell.
fn narrow_way_to_pop(lab: &Lab) {
    lab.routers[0].ip(&format!("link set rt_pop0 mtu {NARROW_MTU_BYTES}")).unwrap();
}

/// MTU in force toward a PoP host, and who says it.
fn mtu(gateway: &Daemon, host: IpAddr) -> (u64, String) {
    let status: Value = gateway.status().unwrap();
    let host = host.to_string();
    let rows = status["backends"].as_array().unwrap();
    let row = rows.iter().find(|row| row["address"] == host.as_str()).unwrap();
    (row["mtu_bytes"].as_u64().unwrap(), row["mtu_source"].as_str().unwrap().to_owned())
}

fn learnt() -> (u64, String) {
    (NARROW_MTU_BYTES.into(), "learnt".to_owned())
}
