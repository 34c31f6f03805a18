//! What changes outside, and what the maps become by it: ways, MTUs of paths, health, and the bindings that go by all of them.

use anyhow::Result;

use super::Running;
use crate::{
    dataplane::{inventory::DownSet, loader::Loaded},
    desired::Binding,
};

/// What has changed outside.
#[derive(Clone, Copy, Debug)]
pub(in crate::daemon) enum Event {
    /// The kernel's routes, neighbours or links.
    Ways,
    /// What routers tell of the MTUs of paths.
    Mtus,
}

impl Running {
    /// Waits until something outside has changed. Cancel-safe.
    pub(in crate::daemon) async fn event(&mut self) -> Result<Event> {
        tokio::select! {
            changed = self.follower.changed() => changed.map(|()| Event::Ways),
            () = self.path_mtu.ready() => Ok(Event::Mtus),
        }
    }

    /// Brings the maps to what has changed outside.
    pub(in crate::daemon) async fn follow(&mut self, loaded: &mut Loaded, event: Event) -> Result<()> {
        match event {
            Event::Ways => self.update_ways(loaded).await,
            Event::Mtus => self.update_mtus(loaded).await,
        }
    }

    /// When [`Self::update_bindings`] has something to do although nothing else changed.
    pub(in crate::daemon) fn next_change(&self, loaded: &mut Loaded) -> Option<std::time::Instant> {
        self.bindings.next_change(&mut loaded.kernel)
    }

    /// Takes another down set. Flows of backends that come into it move at once.
    ///
    /// # Errors
    ///
    /// A refused system call.
    pub(in crate::daemon) async fn set_down(&mut self, loaded: &mut Loaded, down: DownSet) -> Result<()> {
        if self.bindings.set_down(down) {
            self.update_bindings(loaded).await?;
            self.bindings.note_down(&mut self.inventory);
            self.save_soon();
        }
        Ok(())
    }

    /// Takes flows back to a pool in the bindings that would go back to it. The bindings that move; none: there is no such pool.
    ///
    /// # Errors
    ///
    /// A refused system call, or no room.
    pub(in crate::daemon) async fn fail_back(
        &mut self,
        loaded: &mut Loaded,
        pool: &str,
    ) -> Result<Option<Vec<Binding>>> {
        let moved = self.bindings.fail_back(pool);
        self.update_bindings(loaded).await?;
        Ok(moved)
    }

    async fn update_ways(&mut self, loaded: &mut Loaded) -> Result<()> {
        self.store_ways(loaded)?;
        self.update_bindings(loaded).await
    }

    /// Follows what pools, ways and time have changed for bindings.
    ///
    /// # Errors
    ///
    /// A refused system call, or no room.
    pub(in crate::daemon) async fn update_bindings(&mut self, loaded: &mut Loaded) -> Result<()> {
        if self.bindings.update(&mut loaded.kernel, std::time::Instant::now())? {
            self.follow_backends(loaded).await?;
        }
        if self.bindings.note_choices(&mut self.inventory) {
            self.save_soon();
        }
        Ok(())
    }

    /// Stores anew what routers told of MTUs, if they did.
    async fn update_mtus(&mut self, loaded: &mut Loaded) -> Result<()> {
        if self.path_mtu.update(self.follower.view()) { self.update_ways(loaded).await } else { Ok(()) }
    }

    /// Stores the ways of the backends that are followed.
    pub(super) fn store_ways(&mut self, loaded: &mut Loaded) -> Result<()> {
        self.path_mtu.update(self.follower.view());
        self.ways.mtus.learnt = self.path_mtu.mtus();
        let stores = self.ways.update(&mut loaded.kernel, self.follower.view(), &self.backends)?;
        tracing::debug!(cells = stores.cells, entries = stores.entries, "ways updated");
        Ok(())
    }
}
