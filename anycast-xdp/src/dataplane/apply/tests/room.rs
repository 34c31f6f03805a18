//! What a file is checked for suffices, whatever the tables held before.

use std::collections::BTreeSet;

use super::{
    instance::Instance,
    services::{TIGHT, backend_addresses, config, vip_addresses},
    states::start_and_watch,
};
use crate::{
    dataplane::tables::Dataplane as _,
    desired::{
        Backend, Config, Encap, FailoverPolicy, HashOn, IcmpEcho, Limits, Listener, Pool, Returns, Services, State, Vip,
    },
};

/// Pools of these names with four backends each, and a VIP on each of the first three.
pub fn full(names: [&str; 3], vips: usize, weight: u16, port: u16) -> Config {
    let backends: Vec<_> = backend_addresses()
        .into_iter()
        .zip([weight, 1, 1, 1])
        .map(|(address, weight)| Backend { address, weight, encap: Encap::Ipip, mtu_bytes: None, state: State::Up })
        .collect();
    let pools = names.map(|name| Pool {
        name: name.to_owned(),
        home_region: "guangzhou".to_owned(),
        state: State::Up,
        backends: backends.clone(),
        health: None,
        dial_percent: 100,
    });
    let vips = vip_addresses().into_iter().skip(vips).zip(names).zip(port..).map(|((address, pool), port)| Vip {
        name: format!("vip-{address}"),
        address,
        listeners: vec![Listener { protocol: 6, ports: Some((port, port)) }],
        hash: HashOn::Flow,
        pool: Some(pool.to_owned()),
        icmp_echo: IcmpEcho::default(),
        returns: Returns::default(),
        fallback_pools: Vec::new(),
        failover: FailoverPolicy::default(),
        publish: None,
    });
    config(TIGHT, 1, Services { vips: vips.collect(), pools: pools.to_vec(), ..Services::default() })
}

#[test]
fn all_pools_are_weighted_anew_at_full_slots() {
    let mut instance = Instance::new(&TIGHT);
    for weight in 1..8 {
        start_and_watch(&mut instance, &full(["a", "b", "c"], 0, weight, 80));
    }
}

#[test]
fn everything_is_replaced_at_full_tables() {
    let mut instance = Instance::new(&TIGHT);
    for round in 0..4 {
        let names = if round % 2 == 0 { ["a", "b", "c"] } else { ["d", "e", "f"] };
        start_and_watch(&mut instance, &full(names, 3 * (round % 2), 1, 1000 * round as u16));
    }
}

#[test]
fn listener_sets_of_earlier_configurations_do_not_fill_the_tables() {
    let mut instance = Instance::new(&TIGHT);
    for port in 0..40 {
        start_and_watch(&mut instance, &full(["a", "b", "c"], 0, 1, 300 * port));
        assert_eq!(instance.memory.arrays().listener_sets.used().count(), 3);
    }
}

#[test]
fn one_more_than_the_limit_is_refused_and_changes_nothing() {
    let limits = Limits { vips: 2, ..TIGHT };
    let mut instance = Instance::new(&limits);
    let config = full(["a", "b", "c"], 0, 1, 80);
    let error = super::super::plan(&mut instance.memory, &instance.inventory, &config, &BTreeSet::new());
    let error = format!("{:#}", error.expect_err("three VIPs"));
    assert!(error.contains("limits.vips"), "{error}");
    assert_eq!(instance.memory.arrays().backends.used().count(), 0);
}
