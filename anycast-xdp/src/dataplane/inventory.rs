//! Names and indexes of what the maps hold, in a file beside the pins, so that a new process knows what an old one did.
//!
//! The file is written before the maps are changed, with everything old and new that they may refer to during the
//! change, and after it. It is replaced by a rename: a reader finds the old one or the new one, whole.

mod records;

use std::{
    collections::BTreeSet,
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

pub use self::records::{BackendRecord, BindingRecord, DownSet, InterfaceRecord, PoolRecord, VipRecord, variant};
use super::tables::Arrays;
use crate::desired::Binding;

/// What the maps of an instance hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// ABI version of the maps.
    pub abi_version: u32,
    /// `pop` or `gateway`.
    pub role: String,
    /// Site name.
    pub pop: String,
    /// Host name within the site.
    pub host: String,
    /// Attached interfaces.
    pub interfaces: Vec<InterfaceRecord>,
    /// VIPs by index.
    pub vips: Vec<VipRecord>,
    /// Pools by index.
    pub pools: Vec<PoolRecord>,
    /// Bindings of more than one pool, by index.
    #[serde(default)]
    pub bindings: Vec<BindingRecord>,
}

impl Inventory {
    pub(super) fn path(directory: &Path) -> PathBuf {
        directory.join("inventory.json")
    }

    /// Is there an inventory in `directory`, readable or not?
    pub fn exists(directory: &Path) -> bool {
        Self::path(directory).exists()
    }

    /// The inventory in `directory`; `None`: there is none.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is none.
    pub fn read(directory: &Path) -> Result<Option<Self>> {
        let path = Self::path(directory);
        match fs::read(&path) {
            Ok(text) => Ok(Some(
                serde_json::from_slice(&text).with_context(|| format!("{} is not an inventory", path.display()))?,
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// The inventory in `directory` for a daemon, which goes on without one: what packets find is in the maps. Only what
    /// has no name there is lost, and gets fresh indexes beside the old ones: the counters of backends begin anew.
    pub fn read_or_rebuild(directory: &Path) -> Self {
        match Self::read(directory) {
            Ok(found) => found.unwrap_or_default(),
            Err(error) => {
                tracing::warn!("the inventory is rebuilt, and counters of backends begin anew: {error:#}");
                Self::default()
            }
        }
    }

    /// Does every index lie within the tables?
    pub fn fits(&self, arrays: &Arrays) -> bool {
        let mut backends = self.pools.iter().flat_map(|pool| &pool.backends);
        self.vips.iter().all(|vip| vip.index < arrays.vips.len())
            && self.pools.iter().all(|pool| pool.index < arrays.pools.len())
            && self.bindings.iter().all(|binding| binding.index < arrays.pools.len())
            && backends.all(|backend| backend.index < arrays.backends.len())
    }

    /// Replaces the inventory in `directory`.
    ///
    /// # Errors
    ///
    /// The file system refuses; the old one is still there.
    pub fn write(&self, directory: &Path) -> Result<()> {
        replace(&Self::path(directory), self)
    }

    /// Removes the inventory in `directory`.
    ///
    /// # Errors
    ///
    /// The file system refuses. That there is none is no error.
    pub fn remove(directory: &Path) -> io::Result<()> {
        match fs::remove_file(Self::path(directory)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Every index into `POOLS` that has a name here.
    pub fn pool_indexes(&self) -> impl Iterator<Item = u32> {
        self.pools.iter().map(|pool| pool.index).chain(self.bindings.iter().map(|binding| binding.index))
    }

    /// What VIPs are bound to, and its index into `POOLS`.
    pub fn bound(&self) -> impl Iterator<Item = (Binding, u32)> {
        let alone = self.pools.iter().map(|pool| (pool.binding(), pool.index));
        alone.chain(self.bindings.iter().map(|binding| (binding.binding(), binding.index)))
    }

    /// Tunnel address and index of every backend.
    pub fn backends(&self) -> impl Iterator<Item = (IpAddr, u32)> {
        self.pools.iter().flat_map(|pool| &pool.backends).map(|backend| (backend.address, backend.index))
    }

    /// The index of every backend.
    pub fn backend_indexes(&self) -> BTreeSet<u32> {
        self.backends().map(|(_, index)| index).collect()
    }

    /// The backends whose probes failed last.
    pub fn down(&self) -> DownSet {
        let down = self.pools.iter().flat_map(|pool| {
            let down = pool.backends.iter().filter(|backend| backend.is_down);
            down.map(|backend| (pool.name.clone(), backend.address))
        });
        down.collect()
    }

    /// The pool with this name.
    pub fn pool(&self, name: &str) -> Option<&PoolRecord> {
        self.pools.iter().find(|pool| pool.name == name)
    }

    /// The VIP with this address.
    pub fn vip(&self, address: IpAddr) -> Option<&VipRecord> {
        self.vips.iter().find(|vip| vip.address == address)
    }
}

/// Replaces a file of the runtime directory by the JSON of `value`: a reader finds the old one or the new one, whole.
///
/// # Errors
///
/// The file system refuses; the old one is still there.
pub fn replace(path: &Path, value: &impl Serialize) -> Result<()> {
    let draft = path.with_extension("new");
    fs::write(&draft, serde_json::to_vec(value)?)
        .and_then(|()| fs::rename(&draft, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inventory_reads_back_and_a_broken_one_is_taken_for_none() {
        let directory = tempfile::tempdir().expect("directory");
        assert_eq!(Inventory::read(directory.path()).expect("read"), None);
        let inventory = Inventory { pop: "beijing".to_owned(), ..Inventory::default() };
        inventory.write(directory.path()).expect("write");
        assert_eq!(Inventory::read(directory.path()).expect("read"), Some(inventory));
        for broken in ["", "{", "[]", "{\"abi_version\": -1}"] {
            fs::write(Inventory::path(directory.path()), broken).expect("write");
            assert!(Inventory::read(directory.path()).is_err(), "{broken}");
            assert_eq!(Inventory::read_or_rebuild(directory.path()), Inventory::default(), "{broken}");
        }
        Inventory::remove(directory.path()).expect("remove");
        Inventory::remove(directory.path()).expect("nothing there");
    }
}
