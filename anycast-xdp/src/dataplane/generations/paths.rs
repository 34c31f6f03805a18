//! The ways of clients that a gateway's packets remembered, from one generation to the next.

use std::collections::{BTreeMap, HashMap};

use anycast_common::map::{RETURN_PATHS_VERSION, ReturnKey, ReturnPath, TunnelKey};
use anyhow::{Context as _, Result};

use super::{
    super::tables::{Dataplane as _, Kernel},
    Generation,
    manifest::Manifest,
    names::Names,
    raw::RawMap,
};

/// Ways that were taken over, and what leads from the old indexes to the new ones.
#[derive(Debug)]
pub(super) struct Paths {
    from: Generation,
    vips: BTreeMap<u32, u32>,
    peers: BTreeMap<u32, u32>,
    tunnels: BTreeMap<u32, u32>,
    gre_keys: BTreeMap<u32, u32>,
    /// Cells by client and VIP, as the old generation has them.
    taken: HashMap<ReturnKey, u64>,
}

impl Paths {
    /// Takes over all ways, before the program is swapped, so that no answer misses one. `None`: the layouts differ.
    pub fn take(from: &Generation, kernel: &mut Kernel, next: &Names) -> Result<Option<Self>> {
        let version = Manifest::read(&from.state).return_paths_version;
        let Some(map) = map(from)?.filter(|_| version == RETURN_PATHS_VERSION) else {
            tracing::warn!(
                "the ways back to clients are not taken over: they are learnt again from their next packets"
            );
            return Ok(None);
        };
        let names = Names::read(&from.state);
        let own_vips = kernel.vip_keys()?;
        let own_peers: BTreeMap<_, _> = next.backends().into_iter().map(|(index, name)| (name, index)).collect();
        let keyed = kernel.keyed();
        let own_tunnels = keyed.tunnels.entries()?.into_iter().map(|(key, index)| (key.to_vec(), index)).collect();
        let own_keys = keyed.gre_keys.entries()?.into_iter().map(|(key, index)| (key.to_vec(), index)).collect();
        let vips = names.vips().into_iter().filter_map(|(index, name)| Some((index, *own_vips.get(&name)?)));
        let peers = names.backends().into_iter().filter_map(|(index, name)| Some((index, *own_peers.get(&name)?)));
        let mut paths = Self {
            from: from.clone(),
            vips: vips.collect(),
            peers: peers.collect(),
            tunnels: indexes(from, "TUNNELS", size_of::<TunnelKey>(), &own_tunnels)?,
            gre_keys: indexes(from, "GRE_KEYS", 4, &own_keys)?,
            taken: HashMap::new(),
        };
        each(&map, |key, cell| {
            paths.taken.insert(key, cell);
            paths.put(kernel, key, cell, None)
        })?;
        tracing::info!(clients = paths.taken.len(), "took over the ways back to clients");
        Ok(Some(paths))
    }

    /// Takes over those that changed until the program was swapped, but where packets have known better since.
    pub fn take_changed(&mut self, kernel: &mut Kernel) -> Result<()> {
        let Some(map) = map(&self.from)? else { return Ok(()) };
        each(&map, |key, cell| match self.taken.get(&key) {
            Some(taken) if *taken == cell => Ok(()),
            taken => self.put(kernel, key, cell, taken.copied()),
        })
    }

    /// Writes a way by the new indexes, where there is none or the one of the cell that was taken before.
    fn put(&self, kernel: &mut Kernel, key: ReturnKey, cell: u64, before: Option<u64>) -> Result<()> {
        let Some((key, cell)) = self
            .vips
            .get(&key.vip_index)
            .zip(self.translated(cell))
            .map(|(vip_index, cell)| (ReturnKey { vip_index: *vip_index, ..key }, cell))
        else {
            return Ok(());
        };
        kernel.take_path(key, cell, before.and_then(|before| self.translated(before)))
    }

    /// The same way by the new indexes; `None`: it leads nowhere any more.
    fn translated(&self, cell: u64) -> Option<u64> {
        let path = ReturnPath::from_cell(cell);
        let key_index = if path.key_index == 0 { 0 } else { *self.gre_keys.get(&path.key_index.into())? };
        let path = ReturnPath {
            peer_index: *self.peers.get(&path.peer_index)?,
            tunnel_index: (*self.tunnels.get(&path.tunnel_index.into())?).try_into().ok()?,
            key_index: key_index.try_into().ok()?,
            ..path
        };
        Some(path.to_cell())
    }
}

/// The map of ways, if its sizes are those that this build knows.
fn map(from: &Generation) -> Result<Option<RawMap>> {
    let map = RawMap::open(&from.maps, "RETURN_PATHS")?;
    Ok(map.filter(|map| (map.key_bytes, map.value_bytes) == (size_of::<ReturnKey>(), 16)))
}

/// Every client, VIP and way in it.
fn each(map: &RawMap, mut found: impl FnMut(ReturnKey, u64) -> Result<()>) -> Result<()> {
    for bytes in map.keys().context("cannot read RETURN_PATHS")? {
        // Recycled since, maybe.
        let Some(value) = map.get(&bytes).context("cannot read RETURN_PATHS")? else { continue };
        let (Some(client), Some(index), Some(cell)) =
            (bytes.first_chunk::<16>(), bytes[16..].first_chunk::<4>(), value.last_chunk::<8>())
        else {
            continue;
        };
        let key = ReturnKey { client: *client, vip_index: u32::from_ne_bytes(*index), reserved: 0 };
        found(key, u64::from_ne_bytes(*cell))?;
    }
    Ok(())
}

/// From the indexes of a table of the old generation to those of the same keys here.
fn indexes(
    from: &Generation,
    name: &str,
    key_bytes: usize,
    own: &BTreeMap<Vec<u8>, u32>,
) -> Result<BTreeMap<u32, u32>> {
    let mut indexes = BTreeMap::new();
    let Some(map) = RawMap::open(&from.maps, name)?.filter(|map| map.key_bytes == key_bytes) else {
        return Ok(indexes);
    };
    for key in map.keys()? {
        let old = map.get(&key)?.and_then(|value| Some(u32::from_ne_bytes(*value.first_chunk()?)));
        if let Some((old, new)) = old.zip(own.get(&key)) {
            indexes.insert(old, *new);
        }
    }
    Ok(indexes)
}
