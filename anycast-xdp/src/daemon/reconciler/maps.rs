//! The maps of a running daemon, as what takes a set of services after another.

use anyhow::Result;

use crate::{
    control::Desired,
    daemon::{running::Running, take::Maps},
    dataplane::loader::Loaded,
};

/// The maps of a running daemon.
pub(super) struct MapsOf<'a> {
    pub running: &'a mut Running,
    pub loaded: &'a mut Loaded,
    /// What they have.
    pub current: &'a Desired,
    /// They may have something between that and what they did not take.
    pub is_between: bool,
}

impl Maps for MapsOf<'_> {
    type Services = Desired;

    async fn change(&mut self, next: &Desired) -> Result<()> {
        if self.is_between {
            return self.change_all(next).await;
        }
        if let Some(vips) = next.since(self.current)
            && self.running.change_vips(self.loaded, &vips)?
        {
            return Ok(());
        }
        // Once: each is a copy of everything where VIPs changed one by one.
        let (next, current) = (next.config(), self.current.config());
        // Prefixes and PoPs are not in the maps.
        if next.services.vips == current.services.vips && next.services.pools == current.services.pools {
            return Ok(());
        }
        self.running.change(self.loaded, &next).await
    }

    async fn change_all(&mut self, last: &Desired) -> Result<()> {
        self.running.change(self.loaded, &last.config()).await
    }
}
