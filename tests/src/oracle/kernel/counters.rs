//! Reading counters back.

use anycast_common::{
    map::{Counter, VipDropKey},
    outcome::Class,
};
use anycast_xdp::dataplane::tables::Raw;
use anyhow::{Context as _, Result};
use aya::maps::{MapError, PerCpuValues};

use super::{batch, instance::Instance};
use crate::oracle::{
    model::{CounterKey, Program},
    subject::Counters,
};

/// The sum over all processors.
fn sum(values: &PerCpuValues<Raw<Counter>>) -> Counter {
    values.iter().map(|value| value.0).sum()
}

impl Instance {
    /// One counter, by its place in the model's tables.
    pub(super) fn counter(&self, key: CounterKey) -> Result<Counter> {
        match key {
            CounterKey::Outcome(_, outcome) => self.outcome(outcome),
            CounterKey::Vip(_, vip, class) => Ok(self.vip(self.vips[vip])?[class as usize]),
            CounterKey::VipDrop(_, vip, outcome) => self.vip_drop(VipDropKey { vip_index: self.vips[vip], outcome }),
            CounterKey::Backend(pool, backend) => self.backend(self.backends[pool][backend]),
            CounterKey::Peer(peer) => self.backend(self.peers[peer]),
            CounterKey::Probe(outcome) => self.probe(outcome),
            CounterKey::Returned(_, vip) => self.returned(self.vips[vip]),
            CounterKey::Stray(..) => Ok(Counter::default()),
        }
    }

    /// Every counter that is not zero, those of indexes that belong to nothing as well.
    pub(super) fn counters(&self, program: Program) -> Result<Counters> {
        let mut counters = Counters::new();
        for (outcome, [counter]) in self.not_zero("OUTCOMES")? {
            counters.insert(CounterKey::Outcome(program, outcome), counter);
        }
        for (outcome, [counter]) in self.not_zero("PROBES")? {
            let is_pop = program == Program::Pop;
            let key = if is_pop { CounterKey::Probe(outcome) } else { CounterKey::Stray(program, "PROBES", outcome) };
            counters.insert(key, counter);
        }
        let position_of = |index: u32| self.vips.iter().position(|vip| *vip == index);
        for (index, classes) in self.not_zero::<{ Class::ALL.len() }>("VIP_COUNTERS")? {
            for (class, counter) in (0..).zip(classes) {
                let key = match position_of(index) {
                    Some(position) => CounterKey::Vip(program, position, class),
                    None => CounterKey::Stray(program, "VIP_COUNTERS", index),
                };
                add(&mut counters, key, counter);
            }
        }
        for key in self.loaded.kernel.counters.vip_drops.keys() {
            let key = key?.0;
            let counter = self.vip_drop(key)?;
            let key = match position_of(key.vip_index) {
                Some(position) => CounterKey::VipDrop(program, position, key.outcome),
                None => CounterKey::Stray(program, "VIP_DROPS", key.vip_index),
            };
            add(&mut counters, key, counter);
        }
        for (index, [counter]) in self.not_zero("BACKEND_COUNTERS")? {
            let backend = self
                .backends
                .iter()
                .enumerate()
                .find_map(|(pool, backends)| Some((pool, backends.iter().position(|backend| *backend == index)?)));
            let peer = self.peers.iter().position(|peer| *peer == index && index != 0);
            let key = match (peer, backend) {
                (Some(peer), _) => CounterKey::Peer(peer),
                (None, Some((pool, backend))) => CounterKey::Backend(pool, backend),
                (None, None) => CounterKey::Stray(program, "BACKEND_COUNTERS", index),
            };
            add(&mut counters, key, counter);
        }
        for (index, [counter]) in self.not_zero("RETURN_COUNTERS")? {
            let key = match position_of(index) {
                Some(position) => CounterKey::Returned(program, position),
                None => CounterKey::Stray(program, "RETURN_COUNTERS", index),
            };
            add(&mut counters, key, counter);
        }
        counters.retain(|_, counter| *counter != Counter::default());
        Ok(counters)
    }

    /// Entries that are not zero, with their indexes: all but a few are, and all are read after every packet.
    fn not_zero<const N: usize>(&self, name: &str) -> Result<impl Iterator<Item = (u32, [Counter; N])>> {
        let entries = (0..).zip(self.all::<N>(name)?);
        Ok(entries.filter(|(_, counters)| *counters != [Counter::default(); N]))
    }

    fn all<const N: usize>(&self, name: &str) -> Result<Vec<[Counter; N]>> {
        batch::per_cpu_array(&self.loaded.ebpf, name)
    }

    fn outcome(&self, outcome: u32) -> Result<Counter> {
        let values = self.loaded.kernel.counters.outcomes.get(&outcome, 0).context("OUTCOMES")?;
        Ok(sum(&values))
    }

    fn probe(&self, outcome: u32) -> Result<Counter> {
        let values = self.loaded.kernel.counters.probes.get(&outcome, 0).context("PROBES")?;
        Ok(sum(&values))
    }

    fn vip(&self, index: u32) -> Result<[Counter; Class::ALL.len()]> {
        let values = self.loaded.kernel.counters.vips.get(&index, 0).context("VIP_COUNTERS")?;
        Ok(std::array::from_fn(|class| values.iter().map(|classes| classes[class].0).sum()))
    }

    fn vip_drop(&self, key: VipDropKey) -> Result<Counter> {
        match self.loaded.kernel.counters.vip_drops.get(&Raw(key), 0) {
            Ok(values) => Ok(sum(&values)),
            Err(MapError::KeyNotFound) => Ok(Counter::default()),
            Err(error) => Err(error).context("VIP_DROPS"),
        }
    }

    fn returned(&self, index: u32) -> Result<Counter> {
        let [counter] = self.all("RETURN_COUNTERS")?[index as usize];
        Ok(counter)
    }

    fn backend(&self, index: u32) -> Result<Counter> {
        let values = self.loaded.kernel.counters.backends.get(&index, 0).context("BACKEND_COUNTERS")?;
        Ok(sum(&values))
    }
}

fn add(counters: &mut Counters, key: CounterKey, counter: Counter) {
    let total = counters.entry(key).or_default();
    *total = *total + counter;
}
