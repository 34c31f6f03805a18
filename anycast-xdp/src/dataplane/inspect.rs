//! Reading the pinned state, daemon running or not.

mod bindings;
mod explain;
mod stats;
mod status;

pub use self::{
    explain::{Explainer, Hook, Ingress},
    status::XDP_HOOK,
};
use std::{fs, io};

use anycast_common::{
    ABI_VERSION,
    map::{ECHO_ANSWER, ECHO_DROP, RETURN_POP, RETURN_POP_OR_DROP, VipPolicy},
};
use anyhow::{Context as _, Result, anyhow, ensure};
use nix::unistd::geteuid;

use super::{
    generations::{self, Generation},
    inventory::{Inventory, VipRecord},
    loader,
    pins::Pins,
    tables::Kernel,
};
use crate::{
    desired::{IcmpEcho, Returns},
    view::{ReturnsStatus, VipRow},
};

/// Who may look; aya asks the kernel what its maps can do, which takes the capabilities.
const NOT_FOR_ALL: &str = "the pinned state is for root, or for the daemon's user with its capabilities";

/// The pinned state of an instance.
pub struct Inspector {
    instance: String,
    pins: Pins,
    generation: Generation,
    inventory: Inventory,
    kernel: Kernel,
}

impl Inspector {
    /// Opens it; `None`: nothing is pinned, or not yet.
    ///
    /// # Errors
    ///
    /// Pins that cannot be opened: of another ABI version, or without permission. An inventory that is not theirs.
    pub fn open(instance: &str) -> Result<Option<Self>> {
        let pins = Pins::of(instance);
        match fs::metadata(pins.root()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            looked => looked.with_context(|| format!("{}: {NOT_FOR_ALL}", pins.root().display()))?,
        };
        let Some(generation) = generations::current(&pins) else { return Ok(None) };
        ensure!(
            generation.is_own(),
            "the maps in use (generation {}) are of ABI version {}, and this build reads version {ABI_VERSION}: ask the build \
             that made them, or start the daemon of this one, which takes over from them",
            generation.number,
            generation.abi_version
        );
        let inventory = match Inventory::read(&generation.state) {
            // The first daemon has just begun.
            Ok(None) if fs::read_dir(pins.links()).is_ok_and(|mut links| links.next().is_none()) => return Ok(None),
            Ok(None) => Err(anyhow!("the inventory is missing")),
            Ok(Some(inventory)) => Ok(inventory),
            Err(error) => Err(error),
        };
        let kernel = loader::open_pinned(&generation.maps);
        let kernel = if geteuid().is_root() { kernel } else { kernel.context(NOT_FOR_ALL) }?;
        let inventory = inventory.and_then(|inventory| {
            let fits = inventory.fits(kernel.read());
            fits.then_some(inventory).context("the inventory is not that of the pinned maps")
        });
        let inventory =
            inventory.context("start the daemon again: it rebuilds the inventory, and forwarding goes on")?;
        Ok(Some(Self { instance: instance.to_owned(), pins, generation, inventory, kernel }))
    }

    /// The VIPs.
    pub fn vips(&self) -> Vec<VipRow> {
        let row = |vip: &VipRecord| VipRow {
            name: vip.name.clone(),
            address: vip.address,
            listeners: vip.listeners.clone(),
            hash: vip.hash,
            pool: vip.pool.clone(),
            icmp_echo: (self.inventory.role == "pop").then(|| self.icmp_echo(vip.index)),
            returns: self.returns(vip.index),
            fallback_pools: vip.fallback_pools.clone(),
        };
        self.inventory.vips.iter().map(row).collect()
    }

    /// Which way the answers of how many VIPs take.
    fn ways_back(&self) -> Vec<ReturnsStatus> {
        let ways: Vec<_> = self.inventory.vips.iter().map(|vip| self.returns(vip.index)).collect();
        let counted = [Returns::Direct, Returns::Pop, Returns::PopOrDrop]
            .map(|returns| ReturnsStatus { returns, vips: ways.iter().filter(|way| **way == returns).count() as u32 });
        counted.into_iter().filter(|row| row.vips > 0).collect()
    }

    fn icmp_echo(&self, vip_index: u32) -> IcmpEcho {
        match self.policy(vip_index).echo {
            ECHO_ANSWER => IcmpEcho::Answer,
            ECHO_DROP => IcmpEcho::Drop,
            _ => IcmpEcho::Forward,
        }
    }

    fn returns(&self, vip_index: u32) -> Returns {
        match self.policy(vip_index).returns {
            RETURN_POP => Returns::Pop,
            RETURN_POP_OR_DROP => Returns::PopOrDrop,
            _ => Returns::Direct,
        }
    }

    fn policy(&self, vip_index: u32) -> VipPolicy {
        VipPolicy::from_cell(self.kernel.read().vips.get(vip_index).policy)
    }
}
