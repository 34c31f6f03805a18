//! What a running daemon holds beside the maps, and how it brings them to what is asked for: `start`, then each `change`, and
//! between them what comes from `outside`.

mod change;
mod facts;
mod lead;
mod outside;
mod serving;
mod start;

use std::{net::IpAddr, path::PathBuf, time::Duration};

use anyhow::Result;
use tokio::time::Instant;

pub(super) use self::outside::Event;
use crate::{
    dataplane::{bindings::Bindings, inventory::Inventory, ways::Ways},
    netlink::Follower,
    path_mtu::PathMtu,
};

/// How long the inventory's file may be behind.
const SAVE_AFTER: Duration = Duration::from_secs(1);

/// What a running daemon holds beside the maps.
pub(super) struct Running {
    follower: Follower,
    ways: Ways,
    path_mtu: PathMtu,
    bindings: Bindings,
    backends: Vec<(IpAddr, u32)>,
    /// What the maps hold, and the directory of its file.
    inventory: Inventory,
    directory: PathBuf,
    /// When a file that is behind is written.
    save_at: Option<Instant>,
}

impl Running {
    /// What the maps hold.
    pub(super) fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// When [`Self::save`] has something to do.
    pub(super) fn save_at(&self) -> Option<Instant> {
        self.save_at
    }

    /// The inventory's file is behind, and may be for a while.
    fn save_soon(&mut self) {
        self.save_at.get_or_insert_with(|| Instant::now() + SAVE_AFTER);
    }

    /// Writes the inventory, if its file is behind.
    ///
    /// # Errors
    ///
    /// The file system refuses.
    pub(super) fn save(&mut self) -> Result<()> {
        if self.save_at.take().is_some() {
            self.inventory.write(&self.directory)?;
        }
        Ok(())
    }
}
