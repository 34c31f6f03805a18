//! An empty generation takes the indexes of the one before it.

use std::collections::BTreeMap;

use super::{
    super::super::generations::Names, instance::Instance, room::full, services::TIGHT, states::start_and_watch,
};
use crate::{dataplane::tables::Dataplane as _, desired::Limits};

#[test]
fn indexes_are_kept_in_tables_of_other_limits() {
    let mut old = Instance::new(&TIGHT);
    // Other indexes than a first start gives.
    start_and_watch(&mut old, &full(["d", "e", "f"], 0, 1, 80));
    start_and_watch(&mut old, &full(["a", "e", "f"], 1, 1, 80));
    let names = Names::of(&old.inventory).expect("names");

    let limits = Limits { vips: 64, backends: 64, pools: 64, ..TIGHT };
    let mut config = full(["a", "b", "f"], 1, 1, 80);
    config.local.limits = limits;
    let mut new = Instance::new(&limits);
    new.inventory = names.inventory();
    super::super::seed(&mut new.memory, &names.vips(), &new.inventory, &config).expect("seed");
    // Nothing to watch: VIPs that are seeded are bound to nothing, and no packets run.
    new.start(&config);

    let keys = old.memory.vip_keys().expect("keys");
    assert_eq!(new.memory.vip_keys().expect("keys"), keys, "VIPs");
    for pool in ["a", "f"] {
        let indexes = |instance: &Instance| -> BTreeMap<_, _> {
            let backends = instance.inventory.pool(pool).expect("the pool").backends.iter();
            backends.map(|backend| (backend.address, backend.index)).collect()
        };
        assert_eq!(indexes(&new), indexes(&old), "{pool}");
        assert_eq!(new.memory.reset_backends.len(), 4, "those of the new pool");
    }
}
