//! What becomes of VIPs by the state of their pools: what publishing goes by.

use super::Bindings;
use crate::{
    desired::{AllDown, Binding, Failover, Vip},
    publish::policy::Serving,
};

impl Bindings {
    /// Can this VIP be served, as of the start or the last [`Self::update`]? A look-up for each of its pools. Where only the
    /// operator moves flows, the pools that they are on count, and no others.
    pub fn serving(&self, vip: &Vip) -> Serving {
        let can_serve = match vip.failover.failover {
            Failover::Manual if !vip.fallback_pools.is_empty() => self.serves_by_hand(&vip.binding()),
            Failover::Local | Failover::Manual => vip.pools().any(|name| self.can_serve(name)),
        };
        match (can_serve, vip.failover.all_down) {
            (true, _) => Serving::Usable,
            (false, AllDown::FailOpen) => Serving::FailOpen,
            (false, AllDown::Withdraw) => Serving::AllDown,
        }
    }

    fn can_serve(&self, name: &str) -> bool {
        let pool = self.at.get(name).and_then(|at| self.pools.get(*at));
        pool.is_some_and(|pool| pool.can_serve)
    }

    fn serves_by_hand(&self, binding: &Binding) -> bool {
        let list = self.list_at.get(binding).and_then(|at| self.lists.get(*at));
        list.is_some_and(|list| list.taking(&self.pools).iter().any(|at| self.pools[*at].can_serve))
    }
}
