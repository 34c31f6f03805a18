//! Who may answer.

use std::{collections::BTreeSet, net::IpAddr};

use anycast_common::map::{PoolRef, RETURN_DIRECT, ReturnTunnel, ReturnerKey, VipEntry, VipPolicy};

use super::{
    instance::Instance,
    lookup,
    services::{TIGHT, config},
    states::start_and_watch,
};
use crate::{
    dataplane::{
        returners::tunnel,
        tables::{Dataplane as _, Memory, tunnel_key_of},
    },
    desired::{Backend, Config, Encap, FailoverPolicy, HashOn, IcmpEcho, Pool, Returns, Services, State, Vip},
};

fn key(pool_index: u32, gateway: IpAddr) -> ReturnerKey {
    ReturnerKey { pool_index, gateway: tunnel_key_of(gateway) }
}

/// May a gateway answer for a VIP whose packets are sent to it, if answers come back at all?
pub fn may_answer(memory: &mut Memory, vip: &VipEntry, gateway: IpAddr) -> bool {
    let is_direct = VipPolicy::from_cell(vip.policy).returns == RETURN_DIRECT;
    let key = key(PoolRef::from_cell(vip.pool).pool_index, gateway);
    is_direct || memory.keyed().returners.entries().expect("memory").contains_key(&key)
}

/// Every backend of every VIP whose answers come back may answer in its tunnel, and nobody does for others.
pub fn assert_end(memory: &mut Memory, config: &Config) {
    let returners = memory.keyed().returners.entries().expect("memory");
    let mut indexes = BTreeSet::new();
    for vip in config.services.returning() {
        let entry = lookup::entry(memory, vip.address).expect("an entry");
        let pool_index = PoolRef::from_cell(entry.pool).pool_index;
        indexes.insert(pool_index);
        let pools = vip.pools().map(|name| config.services.pools.iter().find(|pool| pool.name == name));
        for backend in pools.flatten().flat_map(|pool| &pool.backends) {
            let wanted = cell(backend.encap);
            assert_eq!(returners.get(&key(pool_index, backend.address)), Some(&wanted), "{}", backend.address);
        }
    }
    assert_eq!(returners.keys().map(|key| key.pool_index).collect::<BTreeSet<_>>(), indexes);
}

fn cell(encap: Encap) -> u64 {
    let key = if let Encap::Gre { key: Some(key) } = encap { key } else { 0 };
    ReturnTunnel { encap: encap.number(), gre_key: u32::from_ne_bytes(key.to_be_bytes()) }.to_cell()
}

fn pool(name: &str, backends: &[([u8; 4], Encap)]) -> Pool {
    Pool {
        name: name.to_owned(),
        home_region: "guangzhou".to_owned(),
        state: State::Up,
        backends: backends
            .iter()
            .map(|(address, encap)| Backend {
                address: IpAddr::from(*address),
                weight: 1,
                encap: *encap,
                mtu_bytes: None,
                state: State::Up,
            })
            .collect(),
        health: None,
        dial_percent: 100,
    }
}

fn vip(returns: Returns, pool: &str, fallback: Option<&str>) -> Vip {
    Vip {
        name: "web".to_owned(),
        address: IpAddr::from([192, 0, 2, 1]),
        listeners: Vec::new(),
        hash: HashOn::Flow,
        pool: Some(pool.to_owned()),
        fallback_pools: fallback.map(str::to_owned).into_iter().collect(),
        icmp_echo: IcmpEcho::default(),
        returns,
        failover: FailoverPolicy::default(),
        publish: None,
    }
}

fn services(returns: Returns, pools: Vec<Pool>) -> Config {
    let fallback = (pools.len() > 1).then_some("b");
    config(TIGHT, 1, Services { vips: vec![vip(returns, "a", fallback)], pools, ..Services::default() })
}

fn gateways(memory: &mut Memory) -> BTreeSet<([u8; 4], u64)> {
    let entries = memory.keyed().returners.entries().expect("memory");
    entries.into_iter().map(|(key, cell)| (std::array::from_fn(|at| key.gateway[16 + at]), cell)).collect()
}

const A1: [u8; 4] = [10, 0, 1, 1];
const A2: [u8; 4] = [10, 0, 2, 1];
const B1: [u8; 4] = [10, 0, 3, 1];
const GRE: Encap = Encap::Gre { key: Some(0x0102_0304) };

#[test]
fn binding_has_the_gateways_of_all_its_pools_and_direct_answers_have_none() {
    let mut instance = Instance::new(&TIGHT);
    let pools = || vec![pool("a", &[(A1, GRE), (A2, Encap::Ipip)]), pool("b", &[(B1, Encap::Gue { port: 6080 })])];
    start_and_watch(&mut instance, &services(Returns::Direct, pools()));
    assert_eq!(gateways(&mut instance.memory), BTreeSet::new());
    assert_eq!(instance.memory.arrays().gateway.get(1), 0);
    start_and_watch(&mut instance, &services(Returns::Pop, pools()));
    let all = [(A1, GRE), (A2, Encap::Ipip), (B1, Encap::Gue { port: 6080 })].map(|(at, encap)| (at, cell(encap)));
    assert_eq!(gateways(&mut instance.memory), BTreeSet::from(all));
    // The port that answers in GUE come to.
    assert_eq!(instance.memory.arrays().gateway.get(1), 6080);
    start_and_watch(&mut instance, &services(Returns::Direct, pools()));
    assert_eq!(gateways(&mut instance.memory), BTreeSet::new());
    assert_eq!(instance.memory.arrays().gateway.get(1), 0);
}

#[test]
fn gre_key_is_as_on_the_wire() {
    let mut instance = Instance::new(&TIGHT);
    start_and_watch(&mut instance, &services(Returns::Pop, vec![pool("a", &[(A1, GRE)])]));
    let (_, cell) = gateways(&mut instance.memory).pop_first().expect("one");
    assert_eq!(ReturnTunnel::from_cell(cell).gre_key.to_ne_bytes(), [1, 2, 3, 4]);
}

#[test]
fn gateway_that_left_its_pool_answers_until_the_transition_ends() {
    let mut instance = Instance::new(&TIGHT);
    start_and_watch(&mut instance, &services(Returns::Pop, vec![pool("a", &[(A1, GRE), (A2, Encap::Ipip)])]));
    let mut run = start_and_watch(&mut instance, &services(Returns::Pop, vec![pool("a", &[(A2, Encap::Ipip)])]));
    let both = BTreeSet::from([(A1, cell(GRE)), (A2, cell(Encap::Ipip))]);
    assert_eq!(gateways(&mut run.between), both);
    assert_eq!(gateways(&mut instance.memory), BTreeSet::from([(A2, cell(Encap::Ipip))]));
}

#[test]
fn gateway_that_changes_its_tunnel_takes_its_flows_along_at_once() {
    let mut instance = Instance::new(&TIGHT);
    start_and_watch(&mut instance, &services(Returns::Pop, vec![pool("a", &[(A1, GRE)])]));
    let mut run = start_and_watch(&mut instance, &services(Returns::Pop, vec![pool("a", &[(A1, Encap::Ipip)])]));
    assert_eq!(gateways(&mut run.between), BTreeSet::from([(A1, cell(Encap::Ipip))]));
    let arrays = run.between.arrays();
    assert_eq!(arrays.old_pools.used().count(), 0);
    let used: Vec<_> = arrays.backends.used().filter_map(|index| tunnel(&arrays.backends.get(index))).collect();
    assert_eq!(used.into_iter().map(|(_, tunnel)| tunnel).collect::<Vec<_>>(), [cell(Encap::Ipip)]);
}

/// Tables of pools change before policies do.
#[test]
fn gateways_that_come_as_all_answers_begin_to_go_directly_answer_until_then() {
    let mut instance = Instance::new(&TIGHT);
    start_and_watch(&mut instance, &services(Returns::PopOrDrop, vec![pool("a", &[(A1, GRE)])]));
    let come = [(A2, Encap::Ipip), (B1, Encap::Gue { port: 6080 })];
    start_and_watch(&mut instance, &services(Returns::Direct, vec![pool("a", &come)]));
    assert_eq!(gateways(&mut instance.memory), BTreeSet::new());
}

#[test]
fn gateway_that_changes_its_tunnel_as_answers_begin_to_go_directly_takes_its_flows_along_at_once() {
    let mut instance = Instance::new(&TIGHT);
    start_and_watch(&mut instance, &services(Returns::Pop, vec![pool("a", &[(A1, GRE)])]));
    let direct = |encap| services(Returns::Direct, vec![pool("a", &[(A1, encap)])]);
    let mut run = start_and_watch(&mut instance, &direct(Encap::Ipip));
    assert_eq!(run.between.arrays().old_pools.used().count(), 0);
    // Where answers go directly, no tunnel that they come in is to be told from another.
    let mut run = start_and_watch(&mut instance, &direct(GRE));
    assert_eq!(run.between.arrays().old_pools.used().count(), 1);
}
