//! A hash map of the kernel with hints in front of it: see [`anycast_common::map::Hint`].

use std::{collections::BTreeMap, net::IpAddr};

use anycast_common::map::{HINT_PLACES, HINT_V4, HINT_V6, HINT_WORD, Hint, MapValue, TunnelKey, hint_word_v6};
use anyhow::{Context as _, Result};
use aya::maps::MapData;

use super::store::{Hash, Store};
use crate::dataplane::{
    array::Array,
    tables::{tunnel_key_of, typed},
};

/// The map, and the hints.
pub(super) struct Hinted<K> {
    hash: Hash<K, u32>,
    hints: Array<u64>,
    hint_of: fn(K, u32) -> Hint,
}

impl<K: MapValue + Ord + Send> Hinted<K> {
    /// Opens both with `open`, which is given the name of each. Nothing is stored: who only reads opens them too.
    pub fn open(
        open: &impl Fn(&str) -> Result<MapData>,
        (map, hints): (&str, &str),
        name: &'static str,
        hint_of: fn(K, u32) -> Hint,
    ) -> Result<Self> {
        let hints =
            Array::map(open(hints)?.fd(), HINT_PLACES).with_context(|| format!("cannot map {hints} into memory"))?;
        Ok(Self { hash: Hash { name, map: typed(open, map)? }, hints, hint_of })
    }
}

impl<K: MapValue + Ord + Send> Store<K, u32> for Hinted<K> {
    fn entries(&self) -> Result<BTreeMap<K, u32>> {
        self.hash.entries()
    }

    fn insert(&mut self, key: K, value: u32) -> Result<()> {
        self.hash.insert(key, value)
    }

    fn remove(&mut self, key: &K) -> Result<()> {
        self.hash.remove(key)
    }

    /// Made from what the map holds and not from what was changed: a daemon before this one may have ended in between.
    fn settle(&mut self) -> Result<()> {
        let hints = self.entries()?.into_iter().map(|(key, value)| (self.hint_of)(key, value));
        store(&mut self.hints, hints);
        Ok(())
    }
}

/// Makes the hints those of these keys.
pub fn store(hints: &mut Array<u64>, of_keys: impl Iterator<Item = Hint>) {
    for (place, cell) in (0..).zip(cells(hints.len(), of_keys)) {
        if hints.get(place) != cell {
            hints.store_cell(place, 0, cell);
        }
    }
}

/// The cell of every place.
fn cells(places: u32, hints: impl Iterator<Item = Hint>) -> Vec<u64> {
    let mut cells = vec![0; places as usize];
    for hint in hints {
        let cell = &mut cells[Hint::place(hint.word, places) as usize];
        *cell = hint.inserted(*cell);
    }
    cells
}

/// Of a VIP.
pub fn of_vip(address: IpAddr, index: u32) -> Hint {
    of_tunnel(tunnel_key_of(address), index)
}

/// Of an address that tunnels end at.
pub(super) fn of_tunnel(key: TunnelKey, index: u32) -> Hint {
    let [_, _, _, family, address @ ..] = key;
    let [a, b, c, d] =
        std::array::from_fn(|word| u32::from_ne_bytes(std::array::from_fn(|byte| address[word * 4 + byte])));
    let (kind, word) = if family == 4 { (HINT_V4, d) } else { (HINT_V6, hint_word_v6([a, b, c, d])) };
    Hint { word, kind, index }
}

/// Of an interface.
pub(super) fn of_link(ifindex: u32, index: u32) -> Hint {
    Hint { word: ifindex, kind: HINT_WORD, index }
}

#[cfg(test)]
mod tests {
    use anycast_common::map::{Hinted, tunnel_key, v4_mapped};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn hints_and_map_together_tell_what_the_map_tells(
            entries in proptest::collection::btree_map(0_u32..2000, 1_u32..65_536, 0..400),
            asked in 0_u32..2000,
        ) {
            let cells = cells(HINT_PLACES, entries.iter().map(|(ifindex, index)| of_link(*ifindex, *index)));
            let told = match Hint::ask(cells[Hint::place(asked, HINT_PLACES) as usize], HINT_WORD, asked) {
                Hinted::Absent => None,
                Hinted::Index(index) => Some(index),
                Hinted::Ask => entries.get(&asked).copied(),
            };
            prop_assert_eq!(told, entries.get(&asked).copied());
        }
    }

    #[test]
    fn address_is_hinted_in_its_family_only() {
        let mapped = v4_mapped([10, 4, 0, 2]);
        let (v4, v6) = (of_tunnel(tunnel_key(4, mapped), 7), of_tunnel(tunnel_key(6, mapped), 8));
        assert_eq!((v4.word.to_ne_bytes(), v4.kind, v4.index), ([10, 4, 0, 2], HINT_V4, 7));
        assert_eq!((v6.kind, v6.index), (HINT_V6, 8));
        assert_eq!(Hint::ask(v4.to_cell(), HINT_V6, v4.word), Hinted::Absent);
    }
}
