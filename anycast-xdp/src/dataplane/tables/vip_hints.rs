//! The hints in front of the VIP keys: see [`anycast_common::map::Hint`].

use std::net::IpAddr;

use anycast_common::map::Hint;
use anyhow::Result;

use super::super::{array::Array, keyed::hinted};

/// `VIP_HINTS`.
#[derive(Debug)]
pub(super) struct VipHints(pub(super) Array<u64>);

impl VipHints {
    /// Inserts a key by `insert`. At a place with several keys the map has to be asked until [`Self::settle`].
    pub(super) fn insert(&mut self, address: IpAddr, index: u32, insert: impl FnOnce() -> Result<()>) -> Result<()> {
        self.change(hinted::of_vip(address, index), insert, Hint::inserted)
    }

    /// Removes a key, which has this index, by `remove`.
    pub(super) fn remove(&mut self, address: IpAddr, index: u32, remove: impl FnOnce() -> Result<()>) -> Result<()> {
        self.change(hinted::of_vip(address, index), remove, Hint::removed)
    }

    /// While the map changes it is asked: a process that ends in between leaves a cell that tells nothing but the truth.
    fn change(
        &mut self,
        hint: Hint,
        change: impl FnOnce() -> Result<()>,
        after: impl FnOnce(Hint, u64) -> u64,
    ) -> Result<()> {
        let place = Hint::place(hint.word, self.0.len());
        let before = self.0.get(place);
        self.0.store_cell(place, 0, Hint::SEVERAL);
        change()?;
        self.0.store_cell(place, 0, after(hint, before));
        Ok(())
    }

    /// Makes every cell that of the keys there are.
    pub(super) fn settle(&mut self, keys: impl Iterator<Item = (IpAddr, u32)>) {
        hinted::store(&mut self.0, keys.map(|(address, index)| hinted::of_vip(address, index)));
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeMap};

    use anycast_common::map::Hinted;
    use anyhow::bail;
    use proptest::prelude::*;

    use super::*;

    /// So few that most have several of the keys.
    const PLACES: u32 = 1 << 4;

    type Keys = BTreeMap<IpAddr, u32>;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Insert,
        Remove,
        Settle,
    }

    /// IPv4 and IPv6 addresses; those of IPv6 in pairs with the same word.
    fn address(number: u8) -> IpAddr {
        match number % 3 {
            0 => IpAddr::from([10, 0, 0, number]),
            1 => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(number / 6) << 8]),
            _ => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, u16::from(number / 6), 0, 0]),
        }
    }

    /// What the program makes of cell and map. An IPv6 address that is not the entry's is asked for.
    fn look_up(cells: &Array<u64>, keys: &Keys, asked: IpAddr) -> Option<u32> {
        let Hint { word, kind, .. } = hinted::of_vip(asked, 0);
        let in_map = keys.get(&asked).copied();
        match Hint::ask(cells.get(Hint::place(word, PLACES)), kind, word) {
            Hinted::Absent => None,
            Hinted::Index(index) if asked.is_ipv4() => Some(index),
            Hinted::Index(_) | Hinted::Ask => in_map,
        }
    }

    fn assert_tells_what_the_map_tells(cells: &Array<u64>, keys: &Keys) {
        for number in 0..=u8::MAX {
            let asked = address(number);
            assert_eq!(look_up(cells, keys, asked), keys.get(&asked).copied(), "{asked} of {keys:?}");
        }
    }

    proptest! {
        #[test]
        fn hints_and_map_tell_what_the_map_tells_after_changes_refused_ones_and_ends_in_between(
            steps in proptest::collection::vec(
                (prop_oneof![Just(Step::Insert), Just(Step::Remove), Just(Step::Settle)], any::<u8>(), 0_u8..4), 0..80),
        ) {
            let mut hints = VipHints(Array::in_memory(PLACES)?);
            let keys = RefCell::new(Keys::new());
            for (at, (step, number, luck)) in (1_u32..).zip(steps) {
                let address = address(number);
                let had = keys.borrow().get(&address).copied();
                // Both are what packets find during a change, too: before the map has changed, and after it.
                let in_map = |change: &dyn Fn(&mut Keys)| {
                    if luck == 0 {
                        bail!("refused");
                    }
                    change(&mut keys.borrow_mut());
                    if luck == 1 {
                        bail!("ended in between");
                    }
                    Ok(())
                };
                let _ = match (step, had) {
                    (Step::Insert, _) => hints.insert(address, at, || in_map(&|keys| { keys.insert(address, at); })),
                    (Step::Remove, Some(had)) => hints.remove(address, had, || in_map(&|keys| { keys.remove(&address); })),
                    (Step::Remove, None) => Ok(()),
                    (Step::Settle, _) => { hints.settle(keys.borrow().clone().into_iter()); Ok(()) }
                };
                assert_tells_what_the_map_tells(&hints.0, &keys.borrow());
            }
        }
    }
}
