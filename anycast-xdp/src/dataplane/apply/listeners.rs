//! Places for listener sets and what they are made of.

use std::collections::{BTreeMap, BTreeSet};

use anycast_common::{
    listeners::Interner,
    map::{
        ECHO_ANSWER, ECHO_DROP, ECHO_FORWARD, HASH_ADDRESSES, HASH_FLOW, HASH_SOURCE, ListenerSet, MapValue, PortTable,
        RETURN_DIRECT, RETURN_POP, RETURN_POP_OR_DROP, VipPolicy,
    },
};
use anyhow::{Context as _, Result};

use super::{
    super::{
        array::Array,
        ranges::{Full, Indexes},
        tables::Arrays,
    },
    reach::Reach,
};
use crate::desired::{HashOn, IcmpEcho, Returns, Vip};

/// The policy cell of each VIP. Sets that packets can find already are shared; new ones are written where nothing is.
///
/// # Errors
///
/// No room, which validation excludes.
pub fn policies(arrays: &mut Arrays, reach: &Reach, vips: &[Vip]) -> Result<Vec<u64>> {
    let mut interner = Interner::new();
    let own_sets: Vec<u32> =
        vips.iter().map(|vip| Ok(interner.intern(&vip.compiled_listeners()?)?)).collect::<Result<_>>()?;

    let pages = place(&mut arrays.port_pages, &reach.port_pages, interner.pages(), |page| page.bits)?;
    let tables = interner.tables().iter().map(|table| PortTable {
        // Pages are as many as a u16 counts.
        pages: table.pages.map(|page| pages[usize::from(page)] as u16),
    });
    let tables: Vec<_> = tables.collect();
    let tables = place(&mut arrays.port_tables, &reach.port_tables, &tables, |table| table.pages)?;
    let sets = interner
        .sets()
        .iter()
        .map(|set| ListenerSet { port_tables: set.port_tables.map(|table| tables[table as usize]), ..*set });
    let sets: Vec<_> = sets.collect();
    let sets = place(&mut arrays.listener_sets, &reach.listener_sets, &sets, |set| (set.protocols, set.port_tables))?;

    let words = own_sets.into_iter().zip(vips);
    Ok(words.map(|(own, vip)| policy(sets[own as usize], vip).to_cell()).collect())
}

/// The policy of a VIP whose listeners are this set.
pub fn policy(listener_set: u32, vip: &Vip) -> VipPolicy {
    VipPolicy {
        listener_set,
        echo: match vip.icmp_echo {
            IcmpEcho::Forward => ECHO_FORWARD,
            IcmpEcho::Answer => ECHO_ANSWER,
            IcmpEcho::Drop => ECHO_DROP,
        },
        returns: match vip.returns {
            Returns::Direct => RETURN_DIRECT,
            Returns::Pop => RETURN_POP,
            Returns::PopOrDrop => RETURN_POP_OR_DROP,
        },
        hash_mode: match vip.hash {
            HashOn::Flow => HASH_FLOW,
            HashOn::Source => HASH_SOURCE,
            HashOn::Addresses => HASH_ADDRESSES,
        },
    }
}

/// An index for each value, of which the first is the reserved one: where it stands already among the `reachable`, or a
/// fresh one where it is written now.
fn place<T: MapValue, K: Ord>(
    array: &mut Array<T>,
    reachable: &BTreeSet<u32>,
    values: &[T],
    key: impl Fn(&T) -> K,
) -> Result<Vec<u32>> {
    let mut known: BTreeMap<K, u32> = reachable.iter().map(|index| (key(&array.get(*index)), *index)).collect();
    let mut free = Indexes::new(array.len(), reachable.iter().copied());
    let placed = values.iter().skip(1).map(|value| {
        if let Some(index) = known.get(&key(value)) {
            return Ok(*index);
        }
        let index = free.take()?;
        array.write(index, *value);
        known.insert(key(value), index);
        Ok(index)
    });
    std::iter::once(Ok(0)).chain(placed).collect::<Result<_, Full>>().context("listeners (limits.listener_sets)")
}
