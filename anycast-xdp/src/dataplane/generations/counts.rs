//! Counters of a generation, in numbers that outlive its maps.

use std::collections::BTreeMap;

use anycast_common::{
    map::{Counter, DROP_OF_RETURN},
    outcome::{Class, Outcome},
};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{Base, Generation, manifest::Manifest, names::Names, raw::RawMap};

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count(u64, u64);

impl Count {
    /// As the maps have it.
    pub const fn counter(self) -> Counter {
        Counter { packets: self.0, bytes: self.1 }
    }

    fn add(&mut self, other: Self) {
        (self.0, self.1) = (self.0.wrapping_add(other.0), self.1.wrapping_add(other.1));
    }

    /// The pair at a position of a value; what is not there is 0.
    fn at(sums: &[u64], position: usize) -> Self {
        let word = |at: usize| sums.get(at).copied().unwrap_or(0);
        Self(word(position * 2), word(position * 2 + 1))
    }
}

/// Counters, by the indexes of one generation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// By index of the VIP.
    pub vips: BTreeMap<u32, VipCounts>,
    /// By index of the backend.
    pub backends: BTreeMap<u32, Count>,
    /// By number of the outcome.
    pub outcomes: BTreeMap<u32, Count>,
    /// Of probes and their answers, by number of the outcome.
    pub probes: BTreeMap<u32, Count>,
    /// By interface index and kind.
    pub losses: BTreeMap<u32, BTreeMap<u32, u64>>,
}

/// Counters of one VIP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VipCounts {
    /// In the order of [`Class::ALL`].
    pub classes: [Count; 4],
    /// Answers on their way back.
    pub returned: Count,
    /// By number of the outcome, with [`DROP_OF_RETURN`] of an answer.
    pub drops: BTreeMap<u32, Count>,
}

impl Counts {
    /// Was nothing counted?
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// Adds the counters of the same indexes.
    pub fn add(&mut self, other: Self) {
        for (index, counts) in other.vips {
            let vip = self.vips.entry(index).or_default();
            vip.classes.iter_mut().zip(counts.classes).for_each(|(sum, count)| sum.add(count));
            vip.returned.add(counts.returned);
            counts.drops.into_iter().for_each(|(number, count)| vip.drops.entry(number).or_default().add(count));
        }
        for (index, count) in other.backends {
            self.backends.entry(index).or_default().add(count);
        }
        for (number, count) in other.outcomes {
            self.outcomes.entry(number).or_default().add(count);
        }
        for (number, count) in other.probes {
            self.probes.entry(number).or_default().add(count);
        }
        for (ifindex, kinds) in other.losses {
            let own = self.losses.entry(ifindex).or_default();
            for (kind, count) in kinds {
                let sum = own.entry(kind).or_default();
                *sum = sum.wrapping_add(count);
            }
        }
    }

    /// What a generation counted and what it has taken over, by the indexes of another one that calls them `to`.
    ///
    /// # Errors
    ///
    /// A map that cannot be read.
    pub fn of(generation: &Generation, to: &Names) -> Result<Self> {
        let (names, manifest) = (Names::read(&generation.state), Manifest::read(&generation.state));
        let mut counts = Self::live(generation, &names, &manifest)
            .with_context(|| format!("cannot read the counters of {}", generation.name()))?;
        counts.add(Base::read(&generation.state).counts);
        Ok(counts.renumbered(&names, &manifest, to))
    }

    /// What its programs counted.
    fn live(generation: &Generation, names: &Names, manifest: &Manifest) -> Result<Self> {
        let open = |name: &str| RawMap::open(&generation.maps, name);
        let mut counts = Self::default();
        let positions = Class::ALL.map(|class| manifest.classes.iter().position(|label| label == class.label()));
        let by_class = |sums: &[u64]| positions.map(|at| at.map_or(Count::default(), |at| Count::at(sums, at)));
        let indexes: Vec<_> = names.vips().into_keys().collect();
        read(open("VIP_COUNTERS")?, &indexes, |index, sums| {
            counts.vips.entry(index).or_default().classes = by_class(&sums);
        })?;
        read(open("RETURN_COUNTERS")?, &indexes, |index, sums| {
            counts.vips.entry(index).or_default().returned = Count::at(&sums, 0);
        })?;
        let backends: Vec<_> = names.backends().into_keys().collect();
        read(open("BACKEND_COUNTERS")?, &backends, |index, sums| {
            counts.backends.insert(index, Count::at(&sums, 0));
        })?;
        let outcomes: Vec<_> = (0..manifest.outcomes.len() as u32).collect();
        read(open("OUTCOMES")?, &outcomes, |number, sums| {
            counts.outcomes.insert(number, Count::at(&sums, 0));
        })?;
        read(open("PROBES")?, &outcomes, |number, sums| {
            counts.probes.insert(number, Count::at(&sums, 0));
        })?;
        each_pair(open("VIP_DROPS")?, |vip, number, sums| {
            counts.vips.entry(vip).or_default().drops.insert(number, Count::at(sums, 0));
        })?;
        each_pair(open("DRIVER_LOSSES")?, |ifindex, kind, sums| {
            let lost = sums.first().copied().unwrap_or(0);
            if lost != 0 {
                counts.losses.entry(ifindex).or_default().insert(kind, lost);
            }
        })?;
        Ok(counts)
    }

    /// The same by other indexes. What has no name there is gone, and is left out.
    fn renumbered(self, from: &Names, manifest: &Manifest, to: &Names) -> Self {
        let outcome = |number: u32| {
            let label = manifest.outcomes.get((number & !DROP_OF_RETURN) as usize)?;
            let found = Outcome::ALL.iter().find(|outcome| outcome.label() == label)?;
            Some(*found as u32 | number & DROP_OF_RETURN)
        };
        let by_outcome = |counts: BTreeMap<u32, Count>| -> BTreeMap<u32, Count> {
            counts.into_iter().filter_map(|(number, count)| Some((outcome(number)?, count))).collect()
        };
        let (vips, backends) = (from.vips(), from.backends());
        let to_vips: BTreeMap<_, _> = to.vips().into_iter().map(|(index, name)| (name, index)).collect();
        let to_backends: BTreeMap<_, _> = to.backends().into_iter().map(|(index, name)| (name, index)).collect();
        let mut counts = Self {
            outcomes: by_outcome(self.outcomes),
            probes: by_outcome(self.probes),
            losses: self.losses,
            ..Self::default()
        };
        for (index, vip) in self.vips {
            if let Some(index) = vips.get(&index).and_then(|name| to_vips.get(name)) {
                counts.vips.insert(*index, VipCounts { drops: by_outcome(vip.drops), ..vip });
            }
        }
        for (index, count) in self.backends {
            if let Some(index) = backends.get(&index).and_then(|name| to_backends.get(name)) {
                counts.backends.insert(*index, count);
            }
        }
        counts.without_zeroes()
    }

    fn without_zeroes(mut self) -> Self {
        let is_some = |_: &u32, count: &mut Count| *count != Count::default();
        self.outcomes.retain(is_some);
        self.probes.retain(is_some);
        self.backends.retain(is_some);
        self.vips.retain(|_, vip| *vip != VipCounts::default());
        self
    }
}

/// Reads an array of counters at these indexes. A map that is not there counts nothing.
fn read(map: Option<RawMap>, indexes: &[u32], mut found: impl FnMut(u32, Vec<u64>)) -> Result<()> {
    let Some(map) = map else { return Ok(()) };
    for index in indexes {
        if let Some(sums) = map.sums(&index.to_ne_bytes())? {
            found(*index, sums);
        }
    }
    Ok(())
}

/// Reads a table of counters by two numbers.
fn each_pair(map: Option<RawMap>, mut found: impl FnMut(u32, u32, &[u64])) -> Result<()> {
    let Some(map) = map else { return Ok(()) };
    for key in map.keys()? {
        let (numbers, _) = key.as_chunks::<4>();
        if let ([first, second, ..], Some(sums)) = (numbers, map.sums(&key)?) {
            found(u32::from_ne_bytes(*first), u32::from_ne_bytes(*second), &sums);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Names {
        serde_json::from_str(text).expect("names")
    }

    #[test]
    fn counters_follow_their_names_to_other_indexes_and_outcomes_their_labels() {
        let from = names(
            r#"{"vips": [{"index": 1, "address": "192.0.2.1"}, {"index": 2, "address": "192.0.2.2"}],
                "pools": [{"index": 1, "name": "a", "backends": [{"index": 5, "address": "10.0.0.1", "source": null}]}]}"#,
        );
        let to = names(
            r#"{"vips": [{"index": 7, "address": "192.0.2.2"}],
                "pools": [{"index": 3, "name": "a", "backends": [{"index": 9, "address": "10.0.0.1", "source": null}]}]}"#,
        );
        let labels = ["unset", "too_big", "of_another_build"].map(str::to_owned);
        let manifest = Manifest { outcomes: labels.to_vec(), ..Manifest::default() };
        let vip = |packets| VipCounts {
            classes: [Count(packets, 1), Count::default(), Count::default(), Count::default()],
            drops: BTreeMap::from([(1, Count(4, 4)), (2, Count(5, 5)), (1 | DROP_OF_RETURN, Count(6, 6))]),
            ..VipCounts::default()
        };
        let counts = Counts {
            vips: BTreeMap::from([(1, vip(10)), (2, vip(20))]),
            backends: BTreeMap::from([(5, Count(3, 30))]),
            outcomes: BTreeMap::from([(1, Count(8, 80)), (2, Count(1, 1))]),
            probes: BTreeMap::from([(1, Count(7, 70)), (2, Count(1, 1))]),
            losses: BTreeMap::from([(4, BTreeMap::from([(1, 2)]))]),
        };
        let too_big = Outcome::TooBig as u32;
        let moved = counts.renumbered(&from, &manifest, &to);
        assert_eq!(moved.vips.keys().collect::<Vec<_>>(), [&7]);
        assert_eq!(moved.vips[&7].classes[0], Count(20, 1));
        let drops = BTreeMap::from([(too_big, Count(4, 4)), (too_big | DROP_OF_RETURN, Count(6, 6))]);
        assert_eq!(moved.vips[&7].drops, drops);
        assert_eq!(moved.backends, BTreeMap::from([(9, Count(3, 30))]));
        assert_eq!(moved.outcomes, BTreeMap::from([(too_big, Count(8, 80))]));
        assert_eq!(moved.probes, BTreeMap::from([(too_big, Count(7, 70))]));

        let mut twice = moved.clone();
        twice.add(moved);
        assert_eq!(twice.vips[&7].classes[0], Count(40, 2));
        assert_eq!(twice.losses[&4][&1], 4);
        let text = serde_json::to_string(&twice).expect("JSON");
        assert_eq!(serde_json::from_str::<Counts>(&text).expect("counts"), twice);
    }
}
