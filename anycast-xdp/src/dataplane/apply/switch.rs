//! Carrying out a plan.

use std::mem::offset_of;

use anycast_common::{
    listeners::{Interner, compile},
    maglev::{self, Candidate},
    map::{
        BackendEntry, HASH_ADDRESSES, HASH_FLOW, PoolDescriptor, PoolRef, PortTable, VipEntry, VipPolicy,
    },
    outer,
};
use anyhow::{Context as _, Result, bail};

use super::{
    super::{
        inventory::PoolRecord,
        ranges::free_run,
        tables::{Arrays, Dataplane, mapped},
    },
    plan::Plan,
};
use crate::desired::{Listener, Role};

impl Plan<'_> {
    /// Writes the new backends, which nothing refers to yet. After it, [`super::super::ways`] can resolve them.
    ///
    /// # Errors
    ///
    /// A tunnel without a source, which validation excludes.
    pub fn install_backends<D: Dataplane>(&self, dataplane: &mut D) -> Result<()> {
        let backends = self.next.pools.iter().flat_map(|pool| &pool.backends);
        for backend in backends.filter(|backend| self.new_backends.contains(&backend.index)) {
            let source = backend.source.with_context(|| format!("no tunnel source for {}", backend.address))?;
            let template = outer::template(source, backend.address)?;
            dataplane.reset_backend_counter(backend.index)?;
            dataplane.arrays().backends.write(
                backend.index,
                BackendEntry {
                    outer: template.outer,
                    checksum_base: template.checksum_base,
                    outer_bytes: template.outer_bytes,
                    family: template.family,
                    ..BackendEntry::default()
                },
            );
        }
        Ok(())
    }

    /// Switches pools and VIPs over, waits until no program sees the old ones, and clears what is left of them.
    ///
    /// # Errors
    ///
    /// A table without room, or a refused system call. What was switched before it stays switched, and is consistent.
    pub fn switch<D: Dataplane>(&mut self, dataplane: &mut D) -> Result<()> {
        self.switch_pools(dataplane.arrays())?;
        self.switch_vips(dataplane)?;
        if let Role::Gateway(gateway) = &self.config.local.role {
            dataplane.set_gateway(&gateway.tunnel_addresses, &gateway.allowed_sources)?;
        }
        dataplane.wait_for_readers()?;
        self.clear_the_rest(dataplane.arrays());
        Ok(())
    }

    fn switch_pools(&mut self, arrays: &mut Arrays) -> Result<()> {
        let Role::Pop(role) = &self.config.local.role else {
            return Ok(());
        };
        for pool in &mut self.next.pools {
            let table = table(&role.hash_seed, pool)?;
            let descriptor = PoolDescriptor::from_cell(arrays.pools.get(pool.index));
            let descriptor = if descriptor.size as usize == table.len() && holds(arrays, descriptor.offset, &table) {
                descriptor
            } else {
                let runs: Vec<_> = arrays
                    .pools
                    .used()
                    .map(|index| PoolDescriptor::from_cell(arrays.pools.get(index)))
                    .map(|used| (used.offset, used.size))
                    .collect();
                let size = table.len() as u32;
                let offset = free_run(&runs, size, arrays.slots.len().saturating_mul(2)).context("slots (limits.slots)")?;
                for (pair, slots) in table.chunks(2).enumerate() {
                    let cell = slots[0] as u64 | (slots.get(1).copied().unwrap_or(0) as u64) << 32;
                    arrays.slots.write(offset / 2 + pair as u32, cell);
                }
                let descriptor = PoolDescriptor { offset, size };
                arrays.pools.store_cell(pool.index, 0, descriptor.to_cell());
                descriptor
            };
            (pool.offset, pool.size) = (descriptor.offset, descriptor.size);
        }
        Ok(())
    }

    fn switch_vips<D: Dataplane>(&self, dataplane: &mut D) -> Result<()> {
        let policies = self.policies(dataplane.arrays())?;
        for (vip, policy) in self.next.vips.iter().zip(policies) {
            let pool = vip.pool.as_ref().and_then(|name| self.next.pool(name));
            let pool = PoolRef { pool_index: pool.map_or(0, |pool| pool.index) }.to_cell();
            if self.new_vips.contains(&vip.index) {
                dataplane.reset_vip_counters(vip.index)?;
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
        for (address, _) in dataplane.vip_keys()? {
            if self.next.vip(address).is_none() {
                dataplane.remove_vip(address)?;
            }
        }
        Ok(())
    }

    /// The policy cell of each VIP, with its listener set written.
    fn policies(&self, arrays: &mut Arrays) -> Result<Vec<u64>> {
        let mut interner = interner(arrays);
        let (sets, tables, pages) = (interner.sets().len(), interner.tables().len(), interner.pages().len());
        let mut policies = Vec::new();
        for vip in &self.config.services.vips {
            let listeners: Vec<_> = vip.listeners.iter().map(common_listener).collect();
            let listener_set = interner.intern(&compile(&listeners)?)?;
            let hash_mode = if listener_set == 0 { HASH_ADDRESSES } else { HASH_FLOW };
            policies.push(VipPolicy { listener_set, hash_mode }.to_cell());
        }
        let room = [arrays.listener_sets.len(), arrays.port_tables.len(), arrays.port_pages.len()];
        let wanted = [interner.sets().len(), interner.tables().len(), interner.pages().len()];
        if wanted.iter().zip(room).any(|(wanted, room)| *wanted > room as usize) {
            bail!(
                "listener tables have no room (limits.listener_sets): {wanted:?} sets, tables and pages wanted, {room:?} there; \
                 sets of earlier configurations are kept until `anycast-xdp detach`"
            );
        }
        for (index, page) in interner.pages().iter().enumerate().skip(pages) {
            arrays.port_pages.write(index as u32, *page);
        }
        for (index, table) in interner.tables().iter().enumerate().skip(tables) {
            arrays.port_tables.write(index as u32, *table);
        }
        for (index, set) in interner.sets().iter().enumerate().skip(sets) {
            arrays.listener_sets.write(index as u32, *set);
        }
        Ok(policies)
    }

    /// Zeroes entries that are in no inventory any more. No program can be reading them.
    fn clear_the_rest(&self, arrays: &mut Arrays) {
        let kept = |index: &u32| self.next.vips.iter().any(|vip| vip.index == *index);
        for index in arrays.vips.used().filter(|index| !kept(index)).collect::<Vec<_>>() {
            arrays.vips.write(index, VipEntry::default());
        }
        let kept = |index: &u32| self.next.pools.iter().any(|pool| pool.index == *index);
        for index in arrays.pools.used().filter(|index| !kept(index)).collect::<Vec<_>>() {
            arrays.pools.write(index, 0);
        }
        let kept: std::collections::BTreeSet<_> =
            self.next.pools.iter().flat_map(|pool| &pool.backends).map(|backend| backend.index).collect();
        for index in arrays.backends.used().filter(|index| !kept.contains(index)).collect::<Vec<_>>() {
            arrays.backends.write(index, BackendEntry::default());
        }
    }
}

/// The Maglev table of a pool, as backend indexes.
fn table(seed: &[u8; 16], pool: &PoolRecord) -> Result<Vec<u32>> {
    let candidates: Vec<_> = pool
        .backends
        .iter()
        .map(|backend| Candidate { address: mapped(backend.address), weight: backend.weight })
        .collect();
    let positions = maglev::build(seed, &candidates)?;
    let index = |position: u32| pool.backends.get(position as usize).map_or(0, |backend| backend.index);
    Ok(positions.into_iter().map(index).collect())
}

/// Do the slots at `offset` hold this table?
fn holds(arrays: &Arrays, offset: u32, table: &[u32]) -> bool {
    (offset..).zip(table).all(|(slot, index)| anycast_common::map::backend_of(arrays.slots.get(slot / 2), slot) == *index)
}

/// An interner that goes on where the maps end.
fn interner(arrays: &Arrays) -> Interner {
    let end = |used: Option<u32>| used.map_or(0, |last| last + 1);
    let sets = (0..end(arrays.listener_sets.used().last())).map(|index| arrays.listener_sets.get(index)).collect();
    let tables: Vec<PortTable> =
        (0..end(arrays.port_tables.used().last())).map(|index| arrays.port_tables.get(index)).collect();
    let pages = (0..end(arrays.port_pages.used().last())).map(|index| arrays.port_pages.get(index)).collect();
    Interner::from_arrays(sets, tables, pages)
}

fn common_listener(listener: &Listener) -> anycast_common::listeners::Listener {
    anycast_common::listeners::Listener { protocol: listener.protocol, ports: listener.ports }
}
