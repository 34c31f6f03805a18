//! VIPs that change one by one, without a look at all the others: nothing that they lead to changes.

use std::{collections::BTreeSet, mem::offset_of, net::IpAddr};

use anycast_common::map::{PoolRef, VipEntry, VipPolicy};
use anyhow::{Context as _, Result};

use super::{
    super::{
        inventory::{Inventory, VipRecord},
        tables::{Arrays, Dataplane, mapped},
    },
    listeners,
    number::vip_record,
};
use crate::desired::Vip;

/// What becomes of a VIP.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// What it was; none: it is new.
    pub before: Option<&'a Vip>,
    /// What it is; none: it goes.
    pub after: Option<&'a Vip>,
}

/// A change and the words that it stores.
enum Step {
    Nothing,
    Remove { address: IpAddr, index: u32 },
    Store { index: u32, pool: u64, policy: u64, record: VipRecord },
    Add { index: u32, pool: u64, policy: u64, record: VipRecord },
}

/// Changes VIPs under the programs that run, and in the inventory. `false`: nothing was changed, because more than the VIPs would have to be:
/// another address, listeners or a list of pools that no VIP has, pools that were left in a transition.
///
/// # Errors
///
/// A refused system call. Each VIP is as it was or as it is wanted.
pub fn change_vips<D: Dataplane>(dataplane: &mut D, inventory: &mut Inventory, changes: &[Change<'_>]) -> Result<bool> {
    let mut taken = BTreeSet::new();
    let mut steps = Vec::new();
    for change in changes {
        match step(dataplane.arrays(), inventory, change, &mut taken) {
            Some(step) => steps.push(step),
            None => return Ok(false),
        }
    }
    let mut removed = Vec::new();
    for step in steps {
        match step {
            Step::Nothing => {}
            Step::Remove { address, index } => {
                dataplane.remove_vip(address)?;
                inventory.vips.retain(|vip| vip.index != index);
                removed.push(index);
            }
            Step::Store { index, pool, policy, record } => {
                let vips = &mut dataplane.arrays().vips;
                vips.store_cell(index, offset_of!(VipEntry, policy), policy);
                vips.store_cell(index, offset_of!(VipEntry, pool), pool);
                let known = inventory.vips.iter_mut().find(|vip| vip.index == index);
                *known.context("a VIP that the inventory has lost")? = record;
            }
            Step::Add { index, pool, policy, record } => {
                dataplane.reset_vip_counters(&BTreeSet::from([index]))?;
                let address = record.address;
                dataplane.arrays().vips.write(index, VipEntry { address: mapped(address), pool, policy });
                dataplane.insert_vip(address, index)?;
                let at = inventory.vips.partition_point(|vip| vip.name < record.name);
                inventory.vips.insert(at, record);
            }
        }
    }
    if !removed.is_empty() {
        dataplane.wait_for_readers()?;
        for index in removed {
            dataplane.arrays().vips.write(index, VipEntry::default());
        }
    }
    Ok(true)
}

/// `None`: it is more than a VIP.
fn step(arrays: &Arrays, inventory: &Inventory, change: &Change<'_>, taken: &mut BTreeSet<u32>) -> Option<Step> {
    let known = |vip: &Vip| inventory.vips.iter().find(|known| known.address == vip.address).map(|known| known.index);
    match (change.before, change.after) {
        (None, None) => Some(Step::Nothing),
        (Some(before), None) => Some(Step::Remove { address: before.address, index: known(before)? }),
        (None, Some(after)) => {
            let index = (1..arrays.vips.len())
                .find(|index| arrays.vips.get(*index) == VipEntry::default() && !taken.contains(index))?;
            taken.insert(index);
            let (pool, policy, record) = words(arrays, inventory, after, index)?;
            Some(Step::Add { index, pool, policy, record })
        }
        (Some(before), Some(after)) if before.address == after.address => {
            let index = known(before)?;
            let (pool, policy, record) = words(arrays, inventory, after, index)?;
            Some(Step::Store { index, pool, policy, record })
        }
        (Some(_), Some(_)) => None,
    }
}

/// The cells of a VIP whose pools and listeners are in the tables already.
fn words(arrays: &Arrays, inventory: &Inventory, vip: &Vip, index: u32) -> Option<(u64, u64, VipRecord)> {
    let record = vip_record(vip, index);
    // Of a VIP without listeners the hash decides how its packets are read, and one that is bound to no pool has none.
    let is_alike = |known: &&VipRecord| {
        let reads_alike = !record.listeners.is_empty() || (record.hash.is_some() && known.hash == record.hash);
        reads_alike && known.listeners == record.listeners
    };
    let alike = inventory.vips.iter().find(is_alike)?;
    let listener_set = VipPolicy::from_cell(arrays.vips.get(alike.index).policy).listener_set;
    let binding = vip.binding();
    let pool_index = match binding.pools.as_slice() {
        [] => 0,
        [pool] => inventory.pool(pool)?.index,
        _ => inventory.bindings.iter().find(|known| known.binding() == binding)?.index,
    };
    if is_left_in_transition(arrays, inventory, pool_index) {
        return None;
    }
    let pool = PoolRef { pool_index }.to_cell();
    Some((pool, listeners::policy(listener_set, vip).to_cell(), record))
}

/// Did the last VIP leave it before its transition ended? Backends that only its old table leads to may be gone since.
fn is_left_in_transition(arrays: &Arrays, inventory: &Inventory, pool_index: u32) -> bool {
    let leads_to_it = |vip: &VipRecord| PoolRef::from_cell(arrays.vips.get(vip.index).pool).pool_index == pool_index;
    pool_index != 0 && arrays.old_pools.get(pool_index) != 0 && !inventory.vips.iter().any(leads_to_it)
}
