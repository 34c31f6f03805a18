//! Which pools take the flows of each binding, and why.

use std::collections::BTreeMap;

use anycast_common::{
    dial::WHOLE_PERCENT,
    map::{IN_TRANSITION, PoolDescriptor},
};

use super::{
    super::{
        apply::slots::{Cell, read},
        bindings::{Seen, is_up, is_usable},
        inventory::PoolRecord,
    },
    Inspector,
};
use crate::{
    desired::{Binding, Failback, State},
    view::{BindingStatus, PoolShare},
};

impl Inspector {
    pub(super) fn bindings(&self) -> Vec<BindingStatus> {
        let mut vips = BTreeMap::<Binding, u32>::new();
        for vip in &self.inventory.vips {
            *vips.entry(vip.binding()).or_default() += 1;
        }
        let bound =
            self.inventory.bound().filter_map(|(binding, index)| Some((vips.get(&binding).copied()?, binding, index)));
        bound.map(|(vips, binding, index)| self.binding(index, vips, binding)).collect()
    }

    /// What `reason` of the binding at this index says.
    pub(super) fn why(&self, index: u32) -> Option<String> {
        let (binding, _) = self.inventory.bound().find(|(_, other)| *other == index)?;
        Some(self.binding(index, 0, binding).reason)
    }

    fn binding(&self, index: u32, vips: u32, binding: Binding) -> BindingStatus {
        let arrays = self.kernel.read();
        let pools: Vec<_> = binding.pools.iter().filter_map(|name| self.inventory.pool(name)).collect();
        let own = Cell::New(index).get(arrays);
        let shares = self.shares(own, &pools);
        let taking: Vec<_> = (0..pools.len()).filter(|at| shares[*at] > 0).collect();
        // Those up to the last one that takes flows say why, whatever is behind it is not needed.
        let told = pools.iter().enumerate().filter(|(at, _)| taking.last().is_none_or(|last| at <= last));
        let is_last = |at| taking.last() == Some(&at);
        let reasons = told.filter_map(|(at, pool)| {
            let why = self.why_not(pool, taking.contains(&at), is_last(at), &binding)?;
            Some(format!("{} {why}", pool.name))
        });
        let reason = reasons.collect::<Vec<_>>().join(", ");
        let share = |at: &usize| PoolShare {
            pool: pools[*at].name.clone(),
            percent: (f64::from(shares[*at]) * 1000.0 / f64::from(own.size.max(1))).round() / 10.0,
        };
        BindingStatus {
            vips,
            failover: binding.policy.failover.to_string(),
            failback: binding.policy.failback.to_string(),
            active: taking.first().map(|at| pools[*at].name.clone()),
            shares: taking.iter().map(share).collect(),
            reason,
            in_transition: Seen::of(arrays, index).is_in_transition(),
            pools: binding.pools,
        }
    }

    /// How many slots of a table lead to each pool: all of them, of a table that is a pool's own.
    fn shares(&self, own: PoolDescriptor, pools: &[&PoolRecord]) -> Vec<u32> {
        let arrays = self.kernel.read();
        let lies_at = |pool: &PoolRecord| Cell::New(pool.index).get(arrays).offset;
        if let Some(shared) = pools.iter().position(|pool| own.size > 0 && lies_at(pool) == own.offset) {
            return (0..pools.len()).map(|at| if at == shared { own.size } else { 0 }).collect();
        }
        let backends =
            pools.iter().zip(0..).flat_map(|(pool, at)| pool.backends.iter().map(move |one| (one.index, at)));
        let pool_of: BTreeMap<u32, usize> = backends.collect();
        let mut shares = vec![0; pools.len()];
        for slot in read(arrays, own) {
            if let Some(at) = pool_of.get(&(slot & !IN_TRANSITION)) {
                shares[*at] += 1;
            }
        }
        shares
    }

    /// Why a pool takes no new flows, or not all that it could; or what is wrong with it although it takes some.
    fn why_not(&self, pool: &PoolRecord, takes: bool, is_last: bool, binding: &Binding) -> Option<String> {
        let arrays = self.kernel.read();
        let dial = pool.dial_percent;
        match pool.state {
            State::Drain => Some("drains".to_owned()),
            State::Down => Some("is down".to_owned()),
            State::Up if !is_up(pool) => Some("has no backend that is up".to_owned()),
            State::Up if !is_usable(arrays, pool) => Some(unusable(pool)),
            State::Up if !takes && dial == 0 => Some("has a dial of 0 %".to_owned()),
            State::Up if !takes && binding.policy.failback == Failback::Manual => {
                Some(format!("is usable again, `anycast-xdp pool failback {}` takes flows back", pool.name))
            }
            State::Up if !takes => Some("is usable again, flows go back to it soon".to_owned()),
            State::Up if dial < WHOLE_PERCENT && !is_last => Some(format!("has a dial of {dial} %")),
            State::Up => None,
        }
    }
}

/// Why flows that are sent to a pool do not arrive: by its probes, or by its routes.
fn unusable(pool: &PoolRecord) -> String {
    let down: Vec<_> =
        pool.takers().filter(|backend| backend.is_down).map(|backend| backend.address.to_string()).collect();
    match (down.as_slice(), pool.is_all_down()) {
        ([], _) => "has no backend with a way".to_owned(),
        ([first], true) => format!("is down by health: {first}"),
        ([first, others @ ..], true) => format!("is down by health: {first} and {} more", others.len()),
        (down, false) => format!("has no backend with a way, and {} down by health", down.len()),
    }
}
