//! What others wrote to the kernel's tables, found and taken back.

use std::{collections::BTreeMap, fmt};

use anyhow::{Context as _, Result};
use aya::maps::MapError;

use super::{
    Dataplane as _,
    kernel::{Kernel, Written},
};

/// Most entries of a table that a message names.
const NAMED_MAX: usize = 8;

/// Entries that were not as they had been written, by table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    tables: BTreeMap<&'static str, Vec<String>>,
}

impl Drift {
    /// How many entries there were.
    pub fn entries(&self) -> usize {
        self.tables.values().map(Vec::len).sum()
    }

    fn add(&mut self, table: &'static str, entries: impl IntoIterator<Item = impl ToString>) {
        let entries: Vec<_> = entries.into_iter().map(|entry| entry.to_string()).collect();
        if !entries.is_empty() {
            self.tables.insert(table, entries);
        }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (table, entries)) in self.tables.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{table} {}", entries[..entries.len().min(NAMED_MAX)].join(" "))?;
            if entries.len() > NAMED_MAX {
                write!(f, " and {} more", entries.len() - NAMED_MAX)?;
            }
        }
        Ok(())
    }
}

/// Calls a method on every array, by the name of its map.
macro_rules! every_array {
    ($arrays:expr, |$name:ident, $array:ident| $body:expr) => {
        every_array!(@ $arrays, $name, $array, $body,
            "VIPS" vips, "POOLS" pools, "OLD_POOLS" old_pools, "SLOTS" slots, "BACKENDS" backends, "GROUPS" groups,
            "NEXT_HOPS" next_hops, "LINKS" links, "LISTENER_SETS" listener_sets, "PORT_TABLES" port_tables,
            "PORT_PAGES" port_pages, "GATEWAY" gateway, "HOST" host, "TUNNEL_ADDRESSES" tunnel_addresses,
            "GRE_KEY_LIST" gre_key_list)
    };
    (@ $arrays:expr, $name:ident, $array:ident, $body:expr, $($map:literal $field:ident),+) => {
        $({ let ($name, $array) = ($map, &mut $arrays.$field); $body; })+
    };
}

/// The same for the maps with keys.
macro_rules! every_keyed {
    ($keyed:expr, |$name:ident, $map:ident| $body:expr) => {
        every_keyed!(@ $keyed, $name, $map, $body,
            "TUNNELS" tunnels, "SOURCES" sources, "GRE_KEYS" gre_keys, "RETURNERS" returners,
            "PUBLIC_LINKS" public_links)
    };
    (@ $keyed:expr, $name:ident, $map:ident, $body:expr, $($table:literal $field:ident),+) => {
        $({ let ($name, $map) = ($table, &mut $keyed.$field); $body; })+
    };
}

impl Kernel {
    /// Takes what the tables hold for what was written, and remembers from now on what is.
    ///
    /// # Errors
    ///
    /// A table that cannot be read.
    pub fn watch(&mut self) -> Result<()> {
        every_array!(self.arrays, |_name, array| array.watch());
        every_keyed!(self.keyed, |_name, map| map.watch()?);
        self.vip_hints.0.watch();
        let mut devices = BTreeMap::new();
        for index in 0..self.devices[0].len() {
            if let Some(ifindex) = self.device(0, index)? {
                devices.insert(index, ifindex);
            }
        }
        self.written = Some(Written { vips: self.vip_keys()?, devices });
        Ok(())
    }

    /// Takes back what others have written since [`Self::watch`], and tells what that was. Packets and counters, which the
    /// programs change, are not looked at.
    ///
    /// # Errors
    ///
    /// A table that cannot be read or written.
    pub fn restore(&mut self) -> Result<Drift> {
        let mut drift = Drift::default();
        // Entries first, then the keys that lead to them.
        every_array!(self.arrays, |name, array| drift.add(name, array.restore()));
        every_keyed!(self.keyed, |name, map| drift.add(name, vec!["entry"; map.restore()?]));
        drift.add("VIP_HINTS", self.vip_hints.0.restore());
        let Some(written) = self.written.take() else { return Ok(drift) };
        let restored = self.restore_keys(&written, &mut drift);
        self.written = Some(written);
        restored.map(|()| drift)
    }

    fn restore_keys(&mut self, written: &Written, drift: &mut Drift) -> Result<()> {
        for (&index, &ifindex) in &written.devices {
            let differs = (0..self.devices.len()).map(|map| Ok(self.device(map, index)? != Some(ifindex)));
            if differs.collect::<Result<Vec<_>>>()?.contains(&true) {
                self.set_device(index, ifindex)?;
                drift.add("DEVICES", [index]);
            }
        }
        let there = self.vip_keys()?;
        let lost: Vec<_> = written.vips.iter().filter(|(key, index)| there.get(key) != Some(index)).collect();
        let foreign: Vec<_> = there.keys().filter(|address| !written.vips.contains_key(address)).collect();
        for (address, index) in &lost {
            self.insert_vip(**address, **index)?;
        }
        for address in &foreign {
            self.remove_vip(**address)?;
        }
        drift.add("VIPs", lost.iter().map(|(address, _)| *address).chain(foreign.iter().copied()));
        Ok(())
    }

    fn device(&self, map: usize, index: u32) -> Result<Option<u32>> {
        match self.devices[map].get(index, 0) {
            Ok(device) => Ok(Some(device.if_index)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error).context("cannot read DEVICES"),
        }
    }
}
