//! A process that dies between any two stores, and the one after it.

use proptest::{prelude::*, sample::Index, strategy::ValueTree as _};

use super::{
    instance::{Instance, Run},
    lookup::reachable,
    services::{ROOMY, TIGHT, any_config},
    states::start_and_watch,
};
use crate::{
    dataplane::{
        inventory::{BackendRecord, Inventory, PoolRecord},
        tables::{Dataplane as _, journal::Event},
    },
    desired::{Config, Limits},
};

/// The limits of services, with room for the ways of three daemons.
const WAYS_ROOMY: Limits = Limits { groups: ROOMY.groups, next_hops: ROOMY.next_hops, links: ROOMY.links, ..TIGHT };

/// An instance with `first`, whose change to `second` stopped somewhere.
fn stopped(limits: &Limits, first: &Config, second: &Config, at: Index, after_words: usize) -> Instance {
    let mut instance = Instance::new(limits);
    instance.start(first);
    let inventory = instance.inventory.clone();
    let run = instance.start(second);
    stop(run, &inventory, limits, at, after_words)
}

/// What a start leaves that stopped somewhere.
pub fn stop(mut run: Run, inventory: &Inventory, limits: &Limits, at: Index, after_words: usize) -> Instance {
    let at = at.index(run.events.len() + 1);
    let mut memory = run.before.copy(limits);
    let mut lingering = reachable(&mut memory);
    for event in &run.events[..at] {
        memory.replay(event, |_| ());
        match event {
            Event::Write { .. } | Event::Device(..) => {}
            Event::Grace => lingering = reachable(&mut memory),
            Event::Store { .. } | Event::Insert(..) | Event::Remove(_) | Event::Key(_) | Event::Paths(_) => {
                lingering.extend(reachable(&mut memory));
            }
        }
    }
    // Of an entry that is written as a whole, only the first words.
    if let Some(Event::Write { table, index, bytes }) = run.events.get(at) {
        let bytes = bytes[..bytes.len().min(after_words * 8)].to_vec();
        memory.replay(&Event::Write { table: *table, index: *index, bytes }, |_| ());
    }
    Instance { memory, inventory: run.inventory_at(at, inventory), lingering }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn start_after_a_crash_completes_or_takes_back_the_change(
        first in any_config(WAYS_ROOMY), second in any_config(WAYS_ROOMY), at: Index, words in 0usize..9, back: bool,
    ) {
        let mut instance = stopped(&WAYS_ROOMY, &first, &second, at, words);
        start_and_watch(&mut instance, if back { &first } else { &second });
    }

    #[test]
    fn start_after_a_crash_may_ask_for_something_else(
        configs in proptest::collection::vec(any_config(ROOMY), 3), at: Index, words in 0usize..9,
    ) {
        let mut instance = stopped(&ROOMY, &configs[0], &configs[1], at, words);
        start_and_watch(&mut instance, &configs[2]);
    }

    #[test]
    fn crash_after_a_crash_is_no_worse(configs in proptest::collection::vec(any_config(ROOMY), 2), at: [Index; 3]) {
        let mut instance = stopped(&ROOMY, &configs[0], &configs[1], at[0], 1);
        for at in &at[1..] {
            // What one did before it died is what the next one finds.
            let inventory = instance.inventory.clone();
            let run = instance.start(&configs[1]);
            instance = stop(run, &inventory, &ROOMY, *at, 1);
        }
        start_and_watch(&mut instance, &configs[1]);
    }
}

/// Services with one VIP on one pool.
fn small() -> Config {
    let runner = &mut proptest::test_runner::TestRunner::deterministic();
    let mut configs = (0..).map(|_| any_config(TIGHT).new_tree(runner).expect("a value").current());
    configs.find(|config| !config.services.vips.is_empty()).expect("endless")
}

#[test]
fn backend_that_was_listed_but_never_written_is_written() {
    let config = small();
    let mut instance = Instance::new(&TIGHT);
    start_and_watch(&mut instance, &config);
    // An inventory that was written before the tables, of a process that died between.
    let mut early = Instance::new(&TIGHT);
    early.inventory = instance.inventory;
    start_and_watch(&mut early, &config);
}

#[test]
fn backend_index_whose_entry_is_of_another_tunnel_is_not_believed() {
    let config = small();
    let mut instance = Instance::new(&TIGHT);
    start_and_watch(&mut instance, &config);
    for backend in instance.inventory.pools.iter_mut().flat_map(|pool| &mut pool.backends) {
        backend.index = 1;
    }
    start_and_watch(&mut instance, &config);
}

#[test]
fn inventory_with_indexes_beyond_the_tables_is_not_believed() {
    let config = small();
    let mut instance = Instance::new(&TIGHT);
    start_and_watch(&mut instance, &config);
    let pools: Vec<PoolRecord> = instance.inventory.pools.clone();
    for pool in &mut instance.inventory.pools {
        pool.index = 1_000_000;
        pool.backends.iter_mut().for_each(|backend: &mut BackendRecord| backend.index = u32::MAX);
    }
    assert!(!instance.inventory.fits(instance.memory.arrays()));
    assert!(Inventory { pools, ..Inventory::default() }.fits(instance.memory.arrays()));
    start_and_watch(&mut instance, &config);
}

#[test]
fn vip_key_that_leads_to_an_entry_of_another_vip_gets_one_of_its_own() {
    let config = small();
    let mut instance = Instance::new(&TIGHT);
    start_and_watch(&mut instance, &config);
    let address = config.services.vips[0].address;
    for wrong in [3, 1_000_000] {
        instance.memory.vips.insert(address, wrong);
        instance.inventory.vips.clear();
        let mut plain = instance.memory.copy(&TIGHT);
        if wrong < 1000 {
            assert_eq!(super::lookup::entry(&mut plain, address), None);
        }
        instance.start(&config);
        super::states::assert_end(&mut instance.memory, &config);
    }
}
