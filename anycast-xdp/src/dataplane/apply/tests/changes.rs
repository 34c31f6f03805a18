//! From any services to any other.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    instance::Instance,
    services::{TIGHT, any_config, any_dialled_config},
    states::start_and_watch,
};
use crate::{
    dataplane::inventory::{BackendRecord, Inventory},
    desired::Config,
};

/// What has counters: its identity and its index.
fn indexes(inventory: &Inventory) -> BTreeMap<String, u32> {
    let vips = inventory.vips.iter().map(|vip| (format!("vip {}", vip.address), vip.index));
    let backends = inventory.pools.iter().flat_map(|pool| {
        pool.backends.iter().map(|backend| {
            let BackendRecord { address, source, encap, .. } = backend;
            (format!("backend {} {address} from {source:?} in {encap}", pool.name), backend.index)
        })
    });
    vips.chain(backends).collect()
}

/// Some in a row, all with dials and rules of their own, or none.
fn any_configs() -> impl Strategy<Value = Vec<Config>> {
    let plain = proptest::collection::vec(any_config(TIGHT), 2..5);
    prop_oneof![plain, proptest::collection::vec(any_dialled_config(), 2..5)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The limits are met exactly, so old and new must take turns where there is no room for both.
    #[test]
    fn every_state_of_every_change_is_the_old_or_the_new(configs in any_configs()) {
        let mut instance = Instance::new(&configs[0].local.limits);
        for config in &configs {
            let old = indexes(&instance.inventory);
            instance.memory.reset_vips.clear();
            instance.memory.reset_backends.clear();
            start_and_watch(&mut instance, config);
            let new = indexes(&instance.inventory);
            let backends: BTreeSet<_> = new.iter().filter(|(name, _)| name.starts_with("backend")).map(|(_, index)| *index).collect();
            prop_assert_eq!(backends.len(), config.services.pools.iter().map(|pool| pool.backends.len()).sum::<usize>());
            for (name, index) in &new {
                prop_assert!(old.get(name).is_none_or(|old| old == index), "{} was {:?}, is {}", name, old.get(name), index);
                let is_new = !old.contains_key(name);
                if name.starts_with("vip") {
                    prop_assert_eq!(instance.memory.reset_vips.contains(index), is_new, "{}", name);
                } else if name.starts_with("backend") {
                    prop_assert_eq!(instance.memory.reset_backends.contains(index), is_new, "{}", name);
                }
            }
        }
    }

    #[test]
    fn start_with_the_same_services_stores_no_cell_but_of_ways(config in prop_oneof![any_config(TIGHT), any_dialled_config()]) {
        use crate::dataplane::tables::journal::{Event, Table};

        let mut instance = Instance::new(&config.local.limits);
        start_and_watch(&mut instance, &config);
        let before = instance.inventory.clone();
        let again = start_and_watch(&mut instance, &config);
        prop_assert_eq!(&instance.inventory, &before);
        for event in &again.events {
            let is_way = match event {
                Event::Write { table, .. } => matches!(table, Table::Groups | Table::NextHops | Table::Links),
                // The route cell of a backend.
                Event::Store { table, offset, .. } => (*table, *offset) == (Table::Backends, 0),
                Event::Device(..) | Event::Grace | Event::Paths(_) => true,
                Event::Insert(..) | Event::Remove(_) | Event::Key(_) => false,
            };
            prop_assert!(is_way, "{:?}", event);
        }
    }

    /// Twice, because what has no name is cleared only when nothing leads to it any more.
    #[test]
    fn lost_inventory_is_rebuilt_with_no_packet_lost(first in any_config(TIGHT), second in any_config(TIGHT)) {
        let mut instance = Instance::new(&TIGHT);
        start_and_watch(&mut instance, &first);
        let vips: Vec<_> = instance.inventory.vips.iter().map(|vip| (vip.address, vip.index)).collect();
        for config in [&first, &second] {
            instance.inventory = Inventory::default();
            start_and_watch(&mut instance, config);
            if config == &first {
                let found: Vec<_> = instance.inventory.vips.iter().map(|vip| (vip.address, vip.index)).collect();
                prop_assert_eq!(&found, &vips);
            }
        }
    }
}
