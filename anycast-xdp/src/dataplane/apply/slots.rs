//! Places for Maglev tables in `SLOTS`.
//!
//! A table is written where none lies, then the pool's cell leads to it, and the place of the old one is free after a
//! grace period. Where no gap is long enough, tables move together: the same table at another place is no change for
//! packets. One that would overlap its own new place moves by way of the spare slots at the end.

use anycast_common::{
    maglev::{self, Candidate},
    map::{PoolDescriptor, backend_of},
};
use anyhow::{Context as _, Result};

use super::super::{
    inventory::PoolRecord,
    ranges::free_run,
    tables::{Arrays, Dataplane, capacity::first_spare_slot, mapped},
};
use crate::desired::Limits;

/// Puts tables into `SLOTS` and leads pools to them.
pub struct Tables<'a, D> {
    dataplane: &'a mut D,
    /// Runs (offset, size) that a program may be reading.
    busy: Vec<(u32, u32)>,
    /// Where the spare slots begin.
    spare: u32,
}

impl<'a, D: Dataplane> Tables<'a, D> {
    /// Among the tables that pools lead to now.
    ///
    /// # Errors
    ///
    /// A grace period cannot be waited for.
    pub fn new(dataplane: &'a mut D, limits: &Limits) -> Result<Self> {
        let spare = first_spare_slot(limits);
        let busy = lying(dataplane.arrays()).map(|(_, table)| (table.offset, table.size)).collect();
        let mut tables = Self { dataplane, busy, spare };
        tables.clear_spare_slots()?;
        Ok(tables)
    }

    /// Makes a pool lead to this table (backend indexes), unless it does.
    ///
    /// # Errors
    ///
    /// No room, which validation excludes, or a grace period cannot be waited for.
    pub fn switch(&mut self, pool_index: u32, table: &[u32]) -> Result<()> {
        if !leads_to(self.dataplane.arrays(), pool_index, table) {
            let offset = self.room(table.len() as u32)?;
            self.lead(pool_index, offset, table);
        }
        Ok(())
    }

    /// Writes a table to a free place and leads the pool there.
    fn lead(&mut self, pool_index: u32, offset: u32, table: &[u32]) {
        let arrays = self.dataplane.arrays();
        for (pair, slots) in table.chunks(2).enumerate() {
            let cell = slots[0] as u64 | (slots.get(1).copied().unwrap_or(0) as u64) << 32;
            arrays.slots.write(offset / 2 + pair as u32, cell);
        }
        let descriptor = PoolDescriptor { offset, size: table.len() as u32 };
        arrays.pools.store_cell(pool_index, 0, descriptor.to_cell());
        self.busy.push((offset, descriptor.size));
    }

    /// A place for a table of this size.
    fn room(&mut self, size: u32) -> Result<u32> {
        if let Ok(offset) = free_run(&self.busy, size, self.spare) {
            return Ok(offset);
        }
        self.free_old_places()?;
        if let Ok(offset) = free_run(&self.busy, size, self.spare) {
            return Ok(offset);
        }
        self.close_gaps(size)
    }

    /// Waits until no program reads the tables that no pool leads to any more.
    fn free_old_places(&mut self) -> Result<()> {
        self.dataplane.wait_for_readers()?;
        self.busy = lying(self.dataplane.arrays()).map(|(_, table)| (table.offset, table.size)).collect();
        Ok(())
    }

    /// Moves tables to the front until there is a gap of `size`.
    fn close_gaps(&mut self, size: u32) -> Result<u32> {
        let mut tables: Vec<_> = lying(self.dataplane.arrays()).collect();
        tables.sort_unstable_by_key(|(_, table)| table.offset);
        let mut end = 2;
        for (pool_index, table) in tables {
            if end < table.offset {
                if end + table.size > table.offset {
                    self.move_to(pool_index, self.spare)?;
                }
                self.move_to(pool_index, end)?;
                if let Ok(offset) = free_run(&self.busy, size, self.spare) {
                    return Ok(offset);
                }
            }
            end = (end + table.size).next_multiple_of(2);
        }
        free_run(&self.busy, size, self.spare).context("Maglev slots (limits.slots)")
    }

    /// An earlier process may have died while a table was on its way through the spare slots. The place that it came
    /// from is still free.
    fn clear_spare_slots(&mut self) -> Result<()> {
        let stranded = lying(self.dataplane.arrays()).find(|(_, table)| table.offset >= self.spare);
        if let Some((pool_index, table)) = stranded {
            let offset = free_run(&self.busy, table.size, self.spare).context("Maglev slots (limits.slots)")?;
            self.move_to(pool_index, offset)?;
        }
        Ok(())
    }

    /// Moves a pool's table to a free place; its old place is free on return.
    fn move_to(&mut self, pool_index: u32, offset: u32) -> Result<()> {
        let arrays = self.dataplane.arrays();
        let PoolDescriptor { offset: from, size } = PoolDescriptor::from_cell(arrays.pools.get(pool_index));
        let table: Vec<_> = (from..from + size).map(|slot| backend_of(arrays.slots.get(slot / 2), slot)).collect();
        self.lead(pool_index, offset, &table);
        self.free_old_places()
    }
}

/// The pools that have a table.
fn lying(arrays: &Arrays) -> impl Iterator<Item = (u32, PoolDescriptor)> {
    let pools = arrays.pools.used().map(|index| (index, PoolDescriptor::from_cell(arrays.pools.get(index))));
    pools.filter(|(_, table)| table.size > 0)
}

/// Does a pool lead to this table (backend indexes)?
pub fn leads_to(arrays: &Arrays, pool_index: u32, table: &[u32]) -> bool {
    let PoolDescriptor { offset, size } = PoolDescriptor::from_cell(arrays.pools.get(pool_index));
    let end = offset.saturating_add(size);
    size as usize == table.len()
        && end.div_ceil(2) <= arrays.slots.len()
        && (offset..end).zip(table).all(|(slot, index)| backend_of(arrays.slots.get(slot / 2), slot) == *index)
}

/// The Maglev table of a pool, as backend indexes.
///
/// # Errors
///
/// A backend that is in the pool twice, which validation excludes.
pub fn table(seed: &[u8; 16], pool: &PoolRecord) -> Result<Vec<u32>> {
    let backends = pool.backends.iter();
    let candidates: Vec<_> =
        backends.map(|one| Candidate { address: mapped(one.address), weight: one.weight }).collect();
    let positions = maglev::build(seed, &candidates)?;
    let index = |position: u32| pool.backends.get(position as usize).map_or(0, |backend| backend.index);
    Ok(positions.into_iter().map(index).collect())
}
