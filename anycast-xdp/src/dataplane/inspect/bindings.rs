//! Which pool takes the flows of each binding, and why.

use std::collections::BTreeMap;

use super::{
    super::{
        apply::slots::Cell,
        bindings::{Seen, is_usable},
        inventory::PoolRecord,
    },
    Inspector,
};
use crate::{desired::State, view::BindingStatus};

impl Inspector {
    pub(super) fn bindings(&self) -> Vec<BindingStatus> {
        let mut vips = BTreeMap::<Vec<&str>, u32>::new();
        for vip in &self.inventory.vips {
            let pools = vip.pool.iter().chain(&vip.fallback_pools).map(String::as_str).collect::<Vec<_>>();
            *vips.entry(pools).or_default() += 1;
        }
        let alone = self.inventory.pools.iter().map(|pool| (pool.index, vec![pool.name.as_str()]));
        let lists = self.inventory.bindings.iter();
        let lists = lists.map(|binding| (binding.index, binding.pools.iter().map(String::as_str).collect::<Vec<_>>()));
        let bound = alone.chain(lists).filter_map(|(index, pools)| Some((index, vips.get(&pools).copied()?, pools)));
        bound.map(|(index, vips, pools)| self.binding(index, vips, &pools)).collect()
    }

    fn binding(&self, index: u32, vips: u32, names: &[&str]) -> BindingStatus {
        let arrays = self.kernel.read();
        let own = Cell::New(index).get(arrays);
        let pools: Vec<_> = names.iter().filter_map(|name| self.inventory.pool(name)).collect();
        let active = pools.iter().position(|pool| Cell::New(pool.index).get(arrays).offset == own.offset);
        // Those before it say why, and it itself if it is not usable either.
        let told = pools.iter().enumerate().filter(|(at, _)| active.is_none_or(|active| *at <= active));
        let reasons =
            told.filter_map(|(at, pool)| Some(format!("{} {}", pool.name, self.why_not(pool, active == Some(at))?)));
        BindingStatus {
            pools: names.iter().map(|name| (*name).to_owned()).collect(),
            vips,
            active: active.map(|active| pools[active].name.clone()),
            reason: reasons.collect::<Vec<_>>().join(", "),
            in_transition: Seen::of(arrays, index).is_in_transition(),
        }
    }

    /// Why a pool takes no new flows.
    fn why_not(&self, pool: &PoolRecord, is_active: bool) -> Option<&'static str> {
        let is_up = pool.backends.iter().any(|backend| backend.state == State::Up && backend.weight > 0);
        match pool.state {
            State::Drain => Some("drains"),
            State::Down => Some("is down"),
            State::Up if !is_up => Some("has no backend that is up"),
            State::Up if !is_usable(self.kernel.read(), pool) => Some("has no backend with a way"),
            State::Up if is_active => None,
            State::Up => Some("is usable again, flows go back to it soon"),
        }
    }
}
