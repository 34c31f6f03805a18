//! What is due, and when.

use anyhow::{Context as _, Result};
use tokio::time::{Instant, sleep_until};

use super::Reconciler;
use crate::daemon::running;

/// What is due.
pub(in crate::daemon) enum Event {
    /// Something outside has changed.
    Outside(running::Event),
    /// A transition ends, or flows go back to a better pool.
    Bindings,
    /// The inventory's file is behind.
    Save,
    /// What the maps did not take is tried again.
    Retry,
    /// The tables are looked at.
    Verify,
    /// What is published is looked at.
    Publish,
    /// Other backends are down.
    Health,
}

impl Reconciler {
    /// Waits until there is something to do for [`Self::follow`]. Cancel-safe.
    pub(in crate::daemon) async fn event(&mut self) -> Result<Event> {
        let bindings_at = self.running.next_change(&mut self.loaded).map(Instant::from_std);
        let (save_at, retry_at) = (self.running.save_at(), self.retry.as_ref().map(|retry| retry.at));
        tokio::select! {
            event = self.running.event() => Ok(Event::Outside(event.context("lost the kernel's route and neighbour events")?)),
            () = at(bindings_at) => Ok(Event::Bindings),
            () = at(save_at) => Ok(Event::Save),
            () = at(retry_at) => Ok(Event::Retry),
            () = at(Some(self.verify_at)) => Ok(Event::Verify),
            published = self.publishing.event() => published.map(|()| Event::Publish),
            () = self.checks.changed() => Ok(Event::Health),
        }
    }

    /// Does what is due.
    pub(in crate::daemon) async fn follow(&mut self, event: Event) -> Result<()> {
        if matches!(event, Event::Outside(_) | Event::Bindings | Event::Health) {
            self.publishing.mark();
        }
        match event {
            Event::Outside(event) => self.running.follow(&mut self.loaded, event).await,
            Event::Bindings => self.running.update_bindings(&mut self.loaded).await,
            Event::Save => self.running.save(),
            Event::Retry => self.retry().await,
            Event::Verify => self.verify(),
            Event::Publish => {
                self.publish();
                Ok(())
            }
            Event::Health => self.running.set_down(&mut self.loaded, self.checks.down()).await,
        }
    }
}

/// Waits until then; for ever, if there is no such time.
async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}
