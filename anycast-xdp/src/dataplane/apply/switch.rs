//! Carrying out a plan.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::offset_of,
};

use anycast_common::map::{PoolDescriptor, PoolRef, VipEntry};
use anyhow::Result;

use super::{
    super::tables::{Dataplane, mapped},
    listeners,
    plan::Plan,
    reach::Reach,
    slots::{Tables, table},
};
use crate::desired::Role;

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
        self.reach.clear_the_rest(dataplane.arrays(), &self.next);
        for (index, entry) in &self.new_backends {
            dataplane.reset_backend_counter(*index)?;
            dataplane.arrays().backends.write(*index, *entry);
        }
        Ok(())
    }

    /// Switches pools and VIPs over, waits until no program sees the old ones, and clears what is left of them.
    ///
    /// # Errors
    ///
    /// A refused system call. What was switched before it stays switched, and is consistent.
    pub fn switch<D: Dataplane>(&mut self, dataplane: &mut D) -> Result<()> {
        self.switch_pools(dataplane)?;
        self.remove_vips(dataplane)?;
        self.switch_vips(dataplane)?;
        if let Role::Gateway(gateway) = &self.config.local.role {
            dataplane.set_gateway(gateway)?;
        }
        dataplane.wait_for_readers()?;
        Reach::of(dataplane)?.clear_the_rest(dataplane.arrays(), &self.next);
        Ok(())
    }

    fn switch_pools<D: Dataplane>(&mut self, dataplane: &mut D) -> Result<()> {
        let Role::Pop(role) = &self.config.local.role else {
            return Ok(());
        };
        let mut tables = Tables::new(dataplane, &self.config.local.limits)?;
        for pool in &self.next.pools {
            tables.switch(pool.index, &table(&role.hash_seed, pool)?)?;
        }
        // Only now: a later pool may have moved the table of an earlier one.
        let cells = &dataplane.arrays().pools;
        for pool in &mut self.next.pools {
            let descriptor = PoolDescriptor::from_cell(cells.get(pool.index));
            (pool.offset, pool.size) = (descriptor.offset, descriptor.size);
        }
        Ok(())
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
        let pools: BTreeMap<_, _> = self.next.pools.iter().map(|pool| (pool.name.as_str(), pool.index)).collect();
        dataplane.reset_vip_counters(&self.new_vips)?;
        for (vip, policy) in self.next.vips.iter().zip(policies) {
            let pool_index = vip.pool.as_deref().and_then(|name| pools.get(name)).copied().unwrap_or(0);
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
