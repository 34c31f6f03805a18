//! Places for Maglev tables in `SLOTS`.
//!
//! A table is written where none lies, then the pool's cell leads to it, and the place of the old one is free after a
//! grace period. Where no gap is long enough, tables move together: the same table at another place is no change for
//! packets. One that would overlap its own new place moves by way of the spare slots at the end.

use std::collections::BTreeMap;

use anycast_common::{
    maglev::{self, Candidate},
    map::{IN_TRANSITION, PoolDescriptor, slot_of},
};
use anyhow::{Context as _, Result};

use super::super::{
    inventory::PoolRecord,
    ranges::free_run,
    tables::{Arrays, Dataplane, capacity::first_spare_slot, mapped},
};
use crate::desired::{Limits, State};

/// A cell that leads to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// In `POOLS`: where flows go.
    New(u32),
    /// In `OLD_POOLS`: where those that were there before stay, while the other is in transition.
    Old(u32),
}

impl Cell {
    /// What it holds.
    pub fn get(self, arrays: &Arrays) -> PoolDescriptor {
        PoolDescriptor::from_cell(match self {
            Self::New(index) => arrays.pools.get(index),
            Self::Old(index) => arrays.old_pools.get(index),
        })
    }

    /// Stores to it, unless it holds this already.
    pub fn store(self, arrays: &mut Arrays, descriptor: PoolDescriptor) {
        if self.get(arrays) == descriptor {
            return;
        }
        match self {
            Self::New(index) => arrays.pools.store_cell(index, 0, descriptor.to_cell()),
            Self::Old(index) => arrays.old_pools.store_cell(index, 0, descriptor.to_cell()),
        }
    }
}

/// Puts tables into `SLOTS` and leads cells to them.
pub struct Tables<'a, D> {
    dataplane: &'a mut D,
    /// Runs (offset, size) that a program may be reading.
    busy: Vec<(u32, u32)>,
    /// Where the spare slots begin.
    spare: u32,
}

impl<'a, D: Dataplane> Tables<'a, D> {
    /// Among the tables that cells lead to now.
    ///
    /// # Errors
    ///
    /// A grace period cannot be waited for.
    pub fn new(dataplane: &'a mut D, limits: &Limits) -> Result<Self> {
        let spare = first_spare_slot(limits);
        let busy = lying(dataplane.arrays()).into_iter().collect();
        let mut tables = Self { dataplane, busy, spare };
        tables.clear_spare_slots()?;
        Ok(tables)
    }

    /// The arrays, to look at.
    pub fn arrays(&mut self) -> &mut Arrays {
        self.dataplane.arrays()
    }

    /// Makes a cell lead to this table (backend indexes and marks), unless it does.
    ///
    /// # Errors
    ///
    /// No room, which validation excludes, or a grace period cannot be waited for.
    pub fn switch(&mut self, cell: Cell, table: &[u32], flags: u8) -> Result<()> {
        let found = cell.get(self.dataplane.arrays());
        if read(self.dataplane.arrays(), found) == table {
            cell.store(self.dataplane.arrays(), PoolDescriptor { flags, ..found });
            return Ok(());
        }
        let offset = self.room(table.len() as u32)?;
        self.write(offset, table);
        cell.store(self.dataplane.arrays(), PoolDescriptor { offset, size: table.len() as u32, flags });
        Ok(())
    }

    /// Ends every transition: all flows go where new ones go. `false`: there was none.
    ///
    /// # Errors
    ///
    /// No room for a table without marks, or a grace period cannot be waited for.
    pub fn end_transitions(&mut self) -> Result<bool> {
        for (offset, size) in lying(self.dataplane.arrays()) {
            let table = read(self.dataplane.arrays(), PoolDescriptor { offset, size, flags: 0 });
            let plain: Vec<_> = table.iter().map(|slot| slot & !IN_TRANSITION).collect();
            let plain_offset = if plain == table { offset } else { self.room(size)? };
            if plain_offset != offset {
                self.write(plain_offset, &plain);
            }
            let arrays = self.dataplane.arrays();
            for cell in cells(arrays) {
                let found = cell.get(arrays);
                if found.offset == offset && matches!(cell, Cell::New(_)) {
                    cell.store(arrays, PoolDescriptor { offset: plain_offset, size, flags: 0 });
                }
            }
        }
        self.dataplane.wait_for_readers()?;
        let old: Vec<_> = self.dataplane.arrays().old_pools.used().collect();
        for index in &old {
            self.dataplane.arrays().old_pools.write(*index, 0);
        }
        self.dataplane.forget_flows(&|_, _| true)?;
        Ok(!old.is_empty())
    }

    /// Writes a table to a free place.
    fn write(&mut self, offset: u32, table: &[u32]) {
        let arrays = self.dataplane.arrays();
        for (pair, slots) in table.chunks(2).enumerate() {
            let cell = slots[0] as u64 | (slots.get(1).copied().unwrap_or(0) as u64) << 32;
            arrays.slots.write(offset / 2 + pair as u32, cell);
        }
        self.busy.push((offset, table.len() as u32));
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

    /// Waits until no program reads the tables that no cell leads to any more.
    fn free_old_places(&mut self) -> Result<()> {
        self.dataplane.wait_for_readers()?;
        self.busy = lying(self.dataplane.arrays()).into_iter().collect();
        Ok(())
    }

    /// Moves tables to the front until there is a gap of `size`.
    fn close_gaps(&mut self, size: u32) -> Result<u32> {
        let mut end = 2;
        for (offset, table_size) in lying(self.dataplane.arrays()) {
            if end < offset {
                let mut from = offset;
                if end + table_size > offset {
                    self.move_to(from, table_size, self.spare)?;
                    from = self.spare;
                }
                self.move_to(from, table_size, end)?;
                if let Ok(offset) = free_run(&self.busy, size, self.spare) {
                    return Ok(offset);
                }
            }
            end = (end + table_size).next_multiple_of(2);
        }
        free_run(&self.busy, size, self.spare).context("Maglev slots (limits.slots)")
    }

    /// An earlier process may have died while a table was on its way through the spare slots. The place that it came
    /// from is still free, unless some cells lead to it still.
    fn clear_spare_slots(&mut self) -> Result<()> {
        let stranded = lying(self.dataplane.arrays()).into_iter().find(|(offset, _)| *offset >= self.spare);
        if let Some((from, size)) = stranded {
            let offset = free_run(&self.busy, size, self.spare).context("Maglev slots (limits.slots)")?;
            self.move_to(from, size, offset)?;
        }
        Ok(())
    }

    /// Moves a table, with all cells that lead to it, to a free place; its old place is free on return.
    fn move_to(&mut self, from: u32, size: u32, offset: u32) -> Result<()> {
        let arrays = self.dataplane.arrays();
        let table = read(arrays, PoolDescriptor { offset: from, size, flags: 0 });
        self.write(offset, &table);
        let arrays = self.dataplane.arrays();
        for cell in cells(arrays) {
            let found = cell.get(arrays);
            if found.offset == from {
                cell.store(arrays, PoolDescriptor { offset, ..found });
            }
        }
        self.free_old_places()
    }
}

/// The cells that lead to a table.
fn cells(arrays: &Arrays) -> Vec<Cell> {
    let (new, old) = (arrays.pools.used().map(Cell::New), arrays.old_pools.used().map(Cell::Old));
    new.chain(old).filter(|cell| cell.get(arrays).size > 0).collect()
}

/// The tables that cells lead to: offset and size.
pub fn lying(arrays: &Arrays) -> BTreeMap<u32, u32> {
    cells(arrays).into_iter().map(|cell| cell.get(arrays)).map(|table| (table.offset, table.size)).collect()
}

/// A table as it lies: backend indexes and marks. Empty where it would lie beyond the end.
pub fn read(arrays: &Arrays, descriptor: PoolDescriptor) -> Vec<u32> {
    let PoolDescriptor { offset, size, .. } = descriptor;
    let end = offset.saturating_add(size);
    if end.div_ceil(2) > arrays.slots.len() {
        return Vec::new();
    }
    (offset..end).map(|slot| slot_of(arrays.slots.get(slot / 2), slot)).collect()
}

/// Does a pool show new flows this table (backend indexes)?
pub fn leads_to(arrays: &Arrays, pool_index: u32, table: &[u32]) -> bool {
    let found = read(arrays, Cell::New(pool_index).get(arrays));
    found.len() == table.len() && found.iter().zip(table).all(|(slot, index)| slot & !IN_TRANSITION == *index)
}

/// The Maglev table of a pool, as backend indexes: for new flows.
///
/// # Errors
///
/// A backend that is in the pool twice, which validation excludes.
pub fn table(seed: &[u8; 16], pool: &PoolRecord) -> Result<Vec<u32>> {
    let backends = pool.backends.iter();
    let candidates: Vec<_> =
        backends.map(|one| Candidate { address: mapped(one.address), weight: one.weight }).collect();
    let mut positions = maglev::build(seed, &candidates)?;
    let heeds_health = !pool.is_all_down();
    let backends = pool.backends.iter();
    let takes_nothing: Vec<_> =
        backends.map(|backend| backend.state != State::Up || heeds_health && backend.is_down).collect();
    if takes_nothing.contains(&true) {
        positions = maglev::refill(seed, &candidates, &positions, &takes_nothing)?;
    }
    let index = |position: u32| pool.backends.get(position as usize).map_or(0, |backend| backend.index);
    Ok(positions.into_iter().map(index).collect())
}
