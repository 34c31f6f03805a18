//! Carrying out a plan.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::offset_of,
    time::Instant,
};

use anycast_common::map::{PoolRef, VipEntry};
use anyhow::Result;

use super::{
    super::{
        array::Array,
        bindings::{Bindings, Origins},
        returners,
        tables::{Dataplane, mapped},
    },
    gateway::{self, Taken},
    listeners,
    plan::Plan,
    reach::Reach,
    slots::Cell,
};

impl Plan<'_> {
    /// Clears what an earlier process left half done, and writes the new backends, which nothing refers to yet. After
    /// it, [`super::super::ways`] can resolve them.
    ///
    /// # Errors
    ///
    /// A refused system call. What packets find is unchanged.
    pub fn install_backends<D: Dataplane>(&self, dataplane: &mut D) -> Result<()> {
        // An earlier process may have switched something over just before it died.
        dataplane.wait_for_readers()?;
        // A path may name an index that is about to be another host's.
        let fresh: BTreeSet<_> = self.new_backends.iter().map(|(index, _)| *index).collect();
        let own = self.next.backend_indexes().difference(&fresh).copied().collect();
        gateway::forget_the_rest(dataplane, &self.reach, &own)?;
        self.reach.clear_the_rest(dataplane.arrays(), &self.next);
        dataplane.forget_flows(&|_, backend_index| fresh.contains(&backend_index))?;
        let arrays = dataplane.arrays();
        for index in self.next.pool_indexes().filter(|index| !self.origins.contains_key(index)) {
            // What a process left here that died before anything led to it.
            clear(&mut arrays.pools, index);
            clear(&mut arrays.old_pools, index);
        }
        for (index, entry) in &self.new_backends {
            dataplane.reset_backend_counter(*index)?;
            dataplane.arrays().backends.write(*index, *entry);
        }
        Ok(())
    }

    /// Switches pools and VIPs over, waits until no program sees the old ones, and clears what is left of them. What goes
    /// on from there is for [`Bindings`] to end. `before` are those of this process; new ones in one that starts.
    ///
    /// # Errors
    ///
    /// A refused system call. What was switched before it stays switched, and is consistent.
    pub fn switch<D: Dataplane>(&mut self, dataplane: &mut D, before: &Bindings) -> Result<Bindings> {
        let taken = Taken::of(self.config, &self.next);
        returners::add(dataplane, self.config, &self.next, &self.reach, &self.origins)?;
        taken.add(dataplane, &self.reach, &self.next)?;
        let (indexes, found, idle_pools) = (&self.origins, &self.reach.pools, &self.idle_pools);
        let from = Origins { indexes, found, idle_pools, before };
        let bindings = Bindings::start(dataplane, self.config, &self.next, &from, Instant::now())?;
        for pool in &mut self.next.pools {
            let descriptor = Cell::New(pool.index).get(dataplane.arrays());
            (pool.offset, pool.size) = (descriptor.offset, descriptor.size);
        }
        self.remove_vips(dataplane)?;
        self.switch_vips(dataplane)?;
        dataplane.settle_vips()?;
        taken.remove_others(dataplane)?;
        dataplane.wait_for_readers()?;
        bindings.sweep(dataplane)?;
        let reach = Reach::of(dataplane)?;
        gateway::forget_the_rest(dataplane, &reach, &self.next.backend_indexes())?;
        reach.clear_the_rest(dataplane.arrays(), &self.next);
        returners::remove_others(dataplane, &self.next)?;
        Ok(bindings)
    }

    /// Those that go make room for those that come.
    fn remove_vips<D: Dataplane>(&self, dataplane: &mut D) -> Result<()> {
        let wanted: BTreeSet<_> = self.next.vips.iter().map(|vip| vip.address).collect();
        for address in dataplane.vip_keys()?.into_keys().filter(|address| !wanted.contains(address)) {
            dataplane.remove_vip(address)?;
        }
        if self.reuses_vips {
            dataplane.wait_for_readers()?;
        }
        Ok(())
    }

    fn switch_vips<D: Dataplane>(&self, dataplane: &mut D) -> Result<()> {
        let policies = listeners::policies(dataplane.arrays(), &self.reach, &self.config.services.vips)?;
        let bound: BTreeMap<_, _> = self.next.bound().collect();
        dataplane.reset_vip_counters(&self.new_vips)?;
        if !self.new_vips.is_empty() {
            dataplane.forget_paths(&|key, _| self.new_vips.contains(&key.vip_index))?;
        }
        for ((vip, wanted), policy) in self.next.vips.iter().zip(&self.config.services.vips).zip(policies) {
            let pool_index = bound.get(&wanted.binding()).copied().unwrap_or(0);
            let pool = PoolRef { pool_index }.to_cell();
            if self.new_vips.contains(&vip.index) {
                dataplane.arrays().vips.write(vip.index, VipEntry { address: mapped(vip.address), pool, policy });
                dataplane.insert_vip(vip.address, vip.index)?;
                continue;
            }
            let vips = &mut dataplane.arrays().vips;
            let entry = vips.get(vip.index);
            if entry.policy != policy {
                vips.store_cell(vip.index, offset_of!(VipEntry, policy), policy);
            }
            if entry.pool != pool {
                vips.store_cell(vip.index, offset_of!(VipEntry, pool), pool);
            }
        }
        Ok(())
    }
}

/// Zeroes a cell that is not.
fn clear(cells: &mut Array<u64>, index: u32) {
    if cells.get(index) != 0 {
        cells.write(index, 0);
    }
}
