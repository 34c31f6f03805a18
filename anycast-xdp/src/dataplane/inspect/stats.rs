//! The counters, summed over all CPUs.

use std::collections::BTreeMap;

use anycast_common::{
    map::{Counter, DROP_OF_RETURN, DriverLossKey, VipDropKey},
    outcome::{Class, Outcome},
};
use anyhow::{Context as _, Result};
use aya::maps::PerCpuValues;

use super::{
    super::{
        generations::{self, Counts},
        interfaces::{self, interface_index},
        inventory::VipRecord,
        losses::TRACEPOINTS,
        tables::Raw,
    },
    Inspector,
};
use crate::view::{BackendStats, Count, InterfaceStats, ReturnStats, Stats, VipStats};

impl Inspector {
    /// The counters.
    ///
    /// # Errors
    ///
    /// A map that cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        let stats = self.stats_of_generation()?;
        // From then on the counters of this one are those of the other one.
        if generations::current(&self.pins).is_some_and(|current| current != self.generation)
            && let Some(inspector) = Self::open(&self.instance)?
        {
            return inspector.stats();
        }
        Ok(stats)
    }

    fn stats_of_generation(&self) -> Result<Stats> {
        let carried = generations::carried(&self.pins, &self.generation, &self.inventory)?;
        let drops = self.vip_drops(&carried)?;
        let vips = self.inventory.vips.iter().map(|vip| self.vip_stats(vip, &drops, &carried));
        let backends = self.inventory.pools.iter().flat_map(|pool| {
            pool.backends.iter().map(|backend| {
                let counters = self.kernel.counters.backends.get(&backend.index, 0);
                let counted = total(&counters.context("cannot read BACKEND_COUNTERS")?);
                let forwarded = Count(counted + of(&carried.backends, backend.index));
                Ok(BackendStats { pool: pool.name.clone(), address: backend.address, forwarded })
            })
        });
        let mut outcomes = BTreeMap::new();
        for outcome in Outcome::ALL {
            let counters = self.kernel.counters.outcomes.get(&(*outcome as u32), 0);
            let counted = total(&counters.context("cannot read OUTCOMES")?);
            let count = counted + of(&carried.outcomes, *outcome as u32);
            if count.packets != 0 {
                outcomes.insert(outcome.label().to_owned(), Count(count));
            }
        }
        let mut probes = BTreeMap::new();
        for outcome in Outcome::ALL {
            let counters = self.kernel.counters.probes.get(&(*outcome as u32), 0);
            let counted = total(&counters.context("cannot read PROBES")?);
            let count = counted + of(&carried.probes, *outcome as u32);
            if count.packets != 0 {
                probes.insert(outcome.label().to_owned(), Count(count));
            }
        }
        let vips: Vec<_> = vips.collect::<Result<_>>()?;
        // Forwarded packets are counted by VIP only; the host's figure is their sum.
        let forwarded: Counter = vips.iter().map(|vip: &VipStats| vip.forwarded.0).sum();
        if forwarded.packets != 0 {
            let outcome = if self.inventory.role == "gateway" { Outcome::Decapsulated } else { Outcome::Forwarded };
            outcomes.insert(outcome.label().to_owned(), Count(forwarded));
        }
        // So are answers on their way back.
        let returned: Counter = vips.iter().map(|vip| vip.returns.returned.0).sum();
        if returned.packets != 0 {
            outcomes.insert(Outcome::Returned.label().to_owned(), Count(returned));
        }
        Ok(Stats {
            instance: self.instance.clone(),
            vips,
            backends: backends.collect::<Result<_>>()?,
            outcomes,
            probes,
            interfaces: self.interfaces(&carried)?,
        })
    }

    fn vip_stats(&self, vip: &VipRecord, drops: &BTreeMap<(u32, u32), Counter>, carried: &Counts) -> Result<VipStats> {
        let VipRecord { index, name, address, .. } = vip;
        let before = carried.vips.get(index).cloned().unwrap_or_default();
        let per_cpu = self.kernel.counters.vips.get(index, 0).context("cannot read VIP_COUNTERS")?;
        let class = |class: Class| {
            let counted: Counter = per_cpu.iter().map(|counters| counters[class as usize].0).sum();
            counted + before.classes[class as usize].counter()
        };
        let returned = self.kernel.counters.returns.get(index, 0).context("cannot read RETURN_COUNTERS")?;
        let returned = total(&returned) + before.returned.counter();
        let (reasons, outcomes) = by_label(*index, drops);
        Ok(VipStats {
            name: name.clone(),
            address: *address,
            received: Count(Class::ALL.into_iter().map(class).sum()),
            forwarded: Count(class(Class::Forwarded)),
            answered: Count(class(Class::Answered)),
            passed: Count(class(Class::Passed)),
            dropped: Count(class(Class::Dropped)),
            reasons,
            returns: ReturnStats { returned: Count(returned), outcomes },
        })
    }

    fn vip_drops(&self, carried: &Counts) -> Result<BTreeMap<(u32, u32), Counter>> {
        let before = carried
            .vips
            .iter()
            .flat_map(|(index, vip)| vip.drops.iter().map(|(number, count)| ((*index, *number), count.counter())));
        let mut drops: BTreeMap<_, Counter> = before.collect();
        for entry in &self.kernel.counters.vip_drops {
            let (Raw(VipDropKey { vip_index, outcome }), counters) = entry.context("cannot read VIP_DROPS")?;
            let drop = drops.entry((vip_index, outcome)).or_default();
            *drop = *drop + total(&counters);
        }
        Ok(drops)
    }

    fn interfaces(&self, carried: &Counts) -> Result<Vec<InterfaceStats>> {
        let mut names: Vec<_> = self.inventory.interfaces.iter().map(|record| record.name.clone()).collect();
        names.sort();
        names
            .into_iter()
            .map(|interface| {
                let index = interface_index(&interface).unwrap_or(0);
                let mut xdp_losses = BTreeMap::new();
                for (_, _, kind, label) in TRACEPOINTS {
                    let key = Raw(DriverLossKey { ifindex: index, kind });
                    let counters = self.kernel.counters.losses.get(&key, 0);
                    let counted = counters.map_or(0, |counters| counters.iter().sum());
                    let before = carried.losses.get(&index).and_then(|kinds| kinds.get(&kind));
                    xdp_losses.insert(label.to_owned(), before.map_or(counted, |before| counted.wrapping_add(*before)));
                }
                let nic = if index == 0 { BTreeMap::new() } else { interfaces::losses(&interface, index)? };
                Ok(InterfaceStats { interface, xdp_losses, nic })
            })
            .collect()
    }
}

/// The rows of `VIP_DROPS` of a VIP, by label: of packets that came in, and of answers on their way back.
fn by_label(
    vip_index: u32,
    drops: &BTreeMap<(u32, u32), Counter>,
) -> (BTreeMap<String, Count>, BTreeMap<String, Count>) {
    let labelled = |numbers: std::ops::RangeInclusive<u32>| {
        let of_vip = drops.range((vip_index, *numbers.start())..=(vip_index, *numbers.end()));
        let rows = of_vip.filter_map(|((_, number), count)| {
            let outcome = Outcome::from_number(number & !DROP_OF_RETURN)?;
            Some((outcome.label().to_owned(), Count(*count)))
        });
        rows.collect()
    };
    (labelled(0..=DROP_OF_RETURN - 1), labelled(DROP_OF_RETURN..=u32::MAX))
}

/// What was counted at an index before.
fn of(carried: &BTreeMap<u32, generations::Count>, index: u32) -> Counter {
    carried.get(&index).map_or(Counter::default(), |count| count.counter())
}

/// The sum over all CPUs.
fn total(per_cpu: &PerCpuValues<Raw<Counter>>) -> Counter {
    per_cpu.iter().map(|counter| counter.0).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_of_answers_are_none_of_the_reasons_of_what_came_in() {
        let number = |outcome: Outcome| outcome as u32;
        let count = |packets| Counter { packets, bytes: packets * 100 };
        let drops = BTreeMap::from([
            ((1, number(Outcome::TooBigAnswered)), count(9)),
            ((2, number(Outcome::NoListener)), count(1)),
            ((2, number(Outcome::NoReturnRoute) | DROP_OF_RETURN), count(2)),
            ((2, number(Outcome::NoListener) | DROP_OF_RETURN), count(3)),
            ((2, u32::MAX), count(4)),
            ((3, number(Outcome::NoListener)), count(9)),
        ]);
        let row = |outcome: Outcome, packets| (outcome.label().to_owned(), Count(count(packets)));
        let (reasons, outcomes) = by_label(2, &drops);
        assert_eq!(reasons, BTreeMap::from([row(Outcome::NoListener, 1)]));
        assert_eq!(outcomes, BTreeMap::from([row(Outcome::NoReturnRoute, 2), row(Outcome::NoListener, 3)]));
    }
}
