//! What a gateway takes, and by which indexes clients' paths name it.

mod configs;
pub mod maps;
pub mod whole;

use anycast_common::map::TunnelPolicy;
use proptest::{prelude::*, sample::Index};

pub use self::configs::gateway;
use self::{
    configs::{LIMITS, address, any_gateway},
    maps::{gre_key, peer, tunnel},
    whole::{Remembered, remember_clients, start_and_watch},
};
use super::{crashes::stop, instance::Instance};
use crate::{
    dataplane::{
        inventory::Inventory,
        tables::{Dataplane as _, journal::Event},
    },
    desired::{Returns, Services},
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_state_of_every_change_names_whole_ways(configs in proptest::collection::vec(any_gateway(), 2..6)) {
        let mut instance = Instance::new(&LIMITS);
        let mut remembered = Remembered::new();
        for config in &configs {
            start_and_watch(&mut instance, config, &remembered);
            remember_clients(&mut instance.memory, &mut remembered);
        }
    }

    #[test]
    fn start_after_a_crash_names_whole_ways(configs in proptest::collection::vec(any_gateway(), 3), at: [Index; 2], words in 0usize..9) {
        let mut instance = Instance::new(&LIMITS);
        let mut remembered = Remembered::new();
        start_and_watch(&mut instance, &configs[0], &remembered);
        for (config, at) in configs[1..].iter().zip(at) {
            remember_clients(&mut instance.memory, &mut remembered);
            let inventory = instance.inventory.clone();
            let run = start_and_watch(&mut instance, config, &remembered);
            instance = stop(run, &inventory, &LIMITS, at, words);
        }
        remember_clients(&mut instance.memory, &mut remembered);
        start_and_watch(&mut instance, &configs[2], &remembered);
    }

    /// Without anything that changes, a restart stores nothing but ways.
    #[test]
    fn restart_moves_no_index(config in any_gateway()) {
        let mut instance = Instance::new(&LIMITS);
        start_and_watch(&mut instance, &config, &Remembered::new());
        let before = instance.inventory.clone();
        let run = start_and_watch(&mut instance, &config, &Remembered::new());
        prop_assert_eq!(&instance.inventory, &before);
        let keys = run.events.iter().filter(|event| matches!(event, Event::Key(_)));
        prop_assert_eq!(keys.count(), 0);
    }
}

#[test]
fn direct_answers_need_no_hosts_and_sources_are_allowed_all_the_same() {
    let mut instance = Instance::new(&LIMITS);
    let config = gateway(Returns::Direct, &["10.9.0.1"], &["10.1.0.0/24", "10.2.0.1/32"], &[]);
    start_and_watch(&mut instance, &config, &Remembered::new());
    let memory = &mut instance.memory;
    assert_eq!((peer(memory, "10.1.0.0/24"), peer(memory, "10.2.0.1/32")), (Some(0), Some(0)));
    assert_eq!((peer(memory, "10.7.0.0/24"), tunnel(memory, "10.9.0.1")), (None, Some(1)));
    assert!(instance.inventory.pools.is_empty());
    assert_eq!(memory.arrays().backends.used().count(), 0);
    let policy = TunnelPolicy::from_cell(memory.arrays().gateway.get(1));
    assert!((100_000..=1_250_000).contains(&policy.tick_8ns), "not from 100 to 1250 ticks a second: {policy:?}");
    let wanted = TunnelPolicy { gue_port: 6080, ..TunnelPolicy::default() };
    assert_eq!(TunnelPolicy { tick_8ns: 0, ..policy }, wanted);
}

#[test]
fn host_has_a_header_from_the_first_address_of_its_family_to_its_network() {
    let mut instance = Instance::new(&LIMITS);
    let config = gateway(Returns::Pop, &["fd09::1", "10.9.0.2", "10.9.0.1"], &["10.1.0.0/30", "fd01::/112"], &[7]);
    start_and_watch(&mut instance, &config, &Remembered::new());
    let memory = &mut instance.memory;
    let index = peer(memory, "10.1.0.0/30").expect("allowed");
    let entry = memory.arrays().backends.get(index);
    assert_eq!((&entry.outer[12..16], &entry.outer[16..20]), (&[10, 9, 0, 2][..], &[10, 1, 0, 0][..]));
    assert_eq!((entry.family, entry.source_mask), (4, [0, 3]));
    let index = peer(memory, "fd01::/112").expect("allowed");
    let entry = memory.arrays().backends.get(index);
    assert_eq!((entry.family, entry.source_mask), (6, [0xff, 0xff]));
    let pops = instance.inventory.pool("pops").expect("the pool");
    assert_eq!(pops.backends.iter().map(|backend| backend.mtu_bytes).collect::<Vec<_>>(), [Some(1400); 2]);
}

#[test]
fn source_that_tells_no_host_is_allowed_and_is_none() {
    let mut instance = Instance::new(&LIMITS);
    let sources = ["10.0.0.0/8", "0.0.0.0/0", "fd01::/112", "10.1.0.0/30"];
    start_and_watch(&mut instance, &gateway(Returns::Pop, &["10.9.0.1"], &sources, &[]), &Remembered::new());
    let memory = &mut instance.memory;
    let found = sources.map(|source| peer(memory, source).expect("allowed"));
    assert_eq!((&found[..3], found[3] != 0), (&[0, 0, 0][..], true));
}

#[test]
fn what_stays_keeps_its_index_and_what_goes_is_forgotten_first() {
    let mut instance = Instance::new(&LIMITS);
    let mut remembered = Remembered::new();
    let first = gateway(Returns::Pop, &["10.9.0.1", "10.9.0.2"], &["10.1.0.0/24", "10.2.0.1/32"], &[1, 7]);
    start_and_watch(&mut instance, &first, &remembered);
    remember_clients(&mut instance.memory, &mut remembered);
    assert_eq!(instance.memory.paths.len(), 4);
    let memory = &mut instance.memory;
    let kept = (peer(memory, "10.2.0.1/32"), tunnel(memory, "10.9.0.1"), gre_key(memory, 7));
    // Another order, and others in the place of the first ones.
    let second = gateway(Returns::Pop, &["10.9.0.3", "10.9.0.1"], &["10.3.0.0/16", "10.2.0.1/32"], &[9, 7]);
    start_and_watch(&mut instance, &second, &remembered);
    let memory = &mut instance.memory;
    assert_eq!((peer(memory, "10.2.0.1/32"), tunnel(memory, "10.9.0.1"), gre_key(memory, 7)), kept);
    assert_eq!(memory.paths.len(), 1, "by the host and to the address that stay");
    assert_eq!(memory.arrays().tunnel_addresses.used().count(), 2);
    assert_eq!(memory.arrays().backends.used().count(), 2);
}

#[test]
fn all_tunnel_addresses_and_keys_can_change_at_once() {
    let mut instance = Instance::new(&LIMITS);
    for net in [1, 2] {
        let addresses: Vec<_> = (1..=255).map(|host| format!("10.9.{net}.{host}")).collect();
        let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
        let keys: Vec<_> = (0..16).map(|key| net * 100 + key).collect();
        start_and_watch(&mut instance, &gateway(Returns::Pop, &addresses, &["10.1.0.0/30"], &keys), &Remembered::new());
        assert_eq!(instance.memory.keyed().tunnels.entries().expect("memory").len(), 255);
        assert_eq!(instance.memory.keyed().gre_keys.entries().expect("memory").len(), 16);
    }
}

#[test]
fn paths_of_a_vip_index_that_is_used_anew_are_forgotten() {
    let mut instance = Instance::new(&LIMITS);
    let mut remembered = Remembered::new();
    let mut config = gateway(Returns::Pop, &["10.9.0.1"], &["10.1.0.0/24"], &[]);
    start_and_watch(&mut instance, &config, &remembered);
    remember_clients(&mut instance.memory, &mut remembered);
    assert_eq!(instance.memory.paths.len(), 1);
    start_and_watch(&mut instance, &config, &remembered);
    assert_eq!(instance.memory.paths.len(), 1, "nothing changed");
    config.services.vips[0].address = address("192.0.2.9");
    start_and_watch(&mut instance, &config, &remembered);
    start_and_watch(&mut instance, &gateway(Returns::Pop, &["10.9.0.1"], &["10.1.0.0/24"], &[]), &remembered);
    assert_eq!(instance.memory.paths.len(), 0);
}

#[test]
fn pop_that_was_a_gateway_takes_no_tunnels_of_that_kind() {
    let mut instance = Instance::new(&LIMITS);
    let config = gateway(Returns::Pop, &["10.9.0.1"], &["10.1.0.0/24"], &[7]);
    start_and_watch(&mut instance, &config, &Remembered::new());
    let pop = super::services::config(LIMITS, 1, Services::default());
    start_and_watch(&mut instance, &pop, &Remembered::new());
    let keyed = instance.memory.keyed();
    assert!(keyed.tunnels.entries().expect("memory").is_empty() && keyed.sources.entries().expect("memory").is_empty());
    assert!(keyed.gre_keys.entries().expect("memory").is_empty());
    assert_eq!(instance.memory.arrays().backends.used().count(), 0);
    assert_eq!(instance.inventory.pools, Inventory::default().pools);
}
