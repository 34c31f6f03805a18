//! The ways of backends around a change: those of the plan before it, and of what packets find after it.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Result;
use tokio::time::{Instant, timeout_at};

use super::{
    Running,
    facts::{access_of, addresses, configured_mtus, is_resolved},
};
use crate::{
    dataplane::{apply::Plan, inventory::Inventory, loader::Loaded, returners},
    desired::Config,
};

/// How long a start waits for neighbours of backends before it goes on without them.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);

impl Running {
    /// Gives every backend of the plan its way.
    pub(super) async fn lead_backends(&mut self, loaded: &mut Loaded, config: &Config, plan: &Plan<'_>) -> Result<()> {
        // Answers leave until all of them go directly.
        let returns = config.services.has_returning() || returners::any_comes_back(loaded.kernel.read());
        self.follower.set_access(access_of(config, returns)).await?;
        self.ways.mtus.configured = configured_mtus(&plan.during);
        self.resolve(plan).await?;
        self.store_ways(loaded)
    }

    /// What a change ends with, its inventory written: only what it asked for is known and followed.
    pub(super) async fn settle(&mut self, loaded: &mut Loaded, config: &Config, inventory: Inventory) -> Result<()> {
        self.save_at = None;
        self.follower.set_access(access_of(config, config.services.has_returning())).await?;
        self.ways.mtus.configured = configured_mtus(&inventory);
        self.inventory = inventory;
        self.follow_backends(loaded).await
    }

    /// Waits until every next hop of the new backends is resolved, for a while.
    async fn resolve(&mut self, plan: &Plan<'_>) -> Result<()> {
        let deadline = Instant::now() + RESOLVE_TIMEOUT;
        let wanted: BTreeSet<_> = plan.next.backends().map(|(address, _)| address).collect();
        while !wanted.iter().all(|address| is_resolved(self.follower.view(), *address)) {
            let Ok(changed) = timeout_at(deadline, self.follower.changed()).await else {
                let missing = wanted.iter().filter(|address| !is_resolved(self.follower.view(), **address));
                let missing: Vec<_> = missing.map(ToString::to_string).collect();
                tracing::warn!(backends = missing.join(" "), "not every next hop is resolved yet");
                break;
            };
            changed?;
        }
        Ok(())
    }

    /// Follows the ways of the backends that packets find now, and of no others.
    pub(super) async fn follow_backends(&mut self, loaded: &mut Loaded) -> Result<()> {
        self.backends = self.bindings.backends(&mut loaded.kernel)?;
        self.follower.set_destinations(addresses(&self.backends)).await?;
        self.store_ways(loaded)
    }
}
