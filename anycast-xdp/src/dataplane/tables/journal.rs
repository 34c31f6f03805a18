//! What happened to the tables in memory, store by store, so that tests can look at every state between two of them.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use anycast_common::map::{ReturnKey, ReturnerKey, TunnelKey};

use super::{Arrays, Memory};
use crate::dataplane::keyed::SourceKey;

/// One of the array maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    Vips,
    Pools,
    OldPools,
    Slots,
    Backends,
    Groups,
    NextHops,
    Links,
    ListenerSets,
    PortTables,
    PortPages,
    Gateway,
    Host,
    TunnelAddresses,
    GreKeyList,
}

/// A change of one of the maps with keys; `None`: the entry is removed.
#[derive(Clone, Copy, Debug)]
pub enum KeyChange {
    Tunnel(TunnelKey, Option<u32>),
    Source(SourceKey, Option<u32>),
    GreKey([u8; 4], Option<u32>),
    Returner(ReturnerKey, Option<u64>),
    PublicLink(u32, Option<u32>),
}

/// One change.
#[derive(Clone, Debug)]
pub enum Event {
    /// A whole entry was written: word by word, for all that a reader knows.
    Write { table: Table, index: u32, bytes: Vec<u8> },
    /// A cell was stored, at once.
    Store { table: Table, index: u32, offset: usize, bytes: Vec<u8> },
    /// `insert_vip`
    Insert(IpAddr, u32),
    /// `remove_vip`
    Remove(IpAddr),
    /// `set_device`
    Device(u32, u32),
    /// An entry of a map with keys was inserted or removed.
    Key(KeyChange),
    /// `forget_paths`: what is left.
    Paths(BTreeMap<ReturnKey, u64>),
    /// `wait_for_readers`
    Grace,
}

/// Everything since it was begun.
pub type Journal = Arc<Mutex<Vec<Event>>>;

/// Evaluates an expression for every array, with its name.
macro_rules! each_array {
    ($arrays:expr, |$array:ident, $table:ident| $body:expr) => {{
        let arrays: &mut Arrays = $arrays;
        each_array!(@ arrays, $array, $table, $body,
            vips Vips, pools Pools, old_pools OldPools, slots Slots, backends Backends, groups Groups,
            next_hops NextHops, links Links, listener_sets ListenerSets, port_tables PortTables, port_pages PortPages,
            gateway Gateway, host Host, tunnel_addresses TunnelAddresses, gre_key_list GreKeyList);
    }};
    (@ $arrays:ident, $array:ident, $table:ident, $body:expr, $($field:ident $name:ident),+) => {
        $({
            let ($array, $table) = (&mut $arrays.$field, Table::$name);
            $body;
        })+
    };
}

/// Evaluates an expression for every map with keys, with what makes a change of it.
macro_rules! each_keyed {
    ($memory:expr, |$map:ident, $change:ident| $body:expr) => {{
        each_keyed!(@ $memory, $map, $change, $body, tunnels Tunnel, sources Source, gre_keys GreKey,
            returners Returner, public_links PublicLink);
    }};
    (@ $memory:expr, $map:ident, $change:ident, $body:expr, $($field:ident $name:ident),+) => {
        $({
            let ($map, $change) = (&mut $memory.keyed.$field, KeyChange::$name);
            $body;
        })+
    };
}

impl Memory {
    /// Begins a journal.
    pub fn begin_journal(&mut self) -> Journal {
        let journal = Journal::default();
        each_array!(&mut self.arrays, |array, table| array.set_journal(Some((table, Arc::clone(&journal)))));
        each_keyed!(self, |map, change| map.set_journal(Some((change, Arc::clone(&journal)))));
        self.journal = Some(Arc::clone(&journal));
        journal
    }

    /// Ends it.
    pub fn end_journal(&mut self) {
        each_array!(&mut self.arrays, |array, _table| array.set_journal(None));
        each_keyed!(self, |map, _change| map.set_journal(None));
        self.journal = None;
    }

    pub(super) fn record(&self, event: Event) {
        if let Some(journal) = &self.journal {
            journal.lock().expect("no panic while it is held").push(event);
        }
    }

    /// A copy, without the journal.
    #[must_use]
    pub fn copy(&mut self, limits: &crate::desired::Limits) -> Self {
        let mut copy = Self::new(limits).expect("memory");
        each_array!(&mut self.arrays, |array, wanted| {
            let bytes = array.bytes();
            each_array!(&mut copy.arrays, |array, table| if table == wanted {
                array.patch(0, 0, &bytes);
            });
        });
        copy.vips = self.vips.clone();
        copy.devices = self.devices.clone();
        copy.flows = self.flows.clone();
        copy.paths = self.paths.clone();
        let journal = Journal::default();
        each_keyed!(self, |map, change| {
            let entries = map.entries().expect("memory");
            let changes = entries.into_iter().map(|(key, value)| Event::Key(change(key, Some(value))));
            journal.lock().expect("no panic").extend(changes);
        });
        for event in journal.lock().expect("no panic").iter() {
            copy.replay(event, |_| ());
        }
        copy
    }

    /// Does again what another one did. Of a whole entry, `after_word` is called between the words.
    pub fn replay(&mut self, event: &Event, mut after_word: impl FnMut(&mut Self)) {
        match event {
            Event::Write { table, index, bytes } => {
                for (word, bytes) in bytes.chunks(8).enumerate() {
                    self.patch(*table, *index, word * 8, bytes);
                    after_word(self);
                }
            }
            Event::Store { table, index, offset, bytes } => self.patch(*table, *index, *offset, bytes),
            Event::Insert(address, index) => {
                self.vips.insert(*address, *index);
            }
            Event::Remove(address) => {
                self.vips.remove(address);
            }
            Event::Device(index, ifindex) => {
                self.devices.insert(*index, *ifindex);
            }
            Event::Key(change) => self.change(*change),
            Event::Paths(left) => self.paths.clone_from(left),
            Event::Grace => {}
        }
    }

    fn change(&mut self, change: KeyChange) {
        match change {
            KeyChange::Tunnel(key, value) => self.keyed.tunnels.patch(key, value),
            KeyChange::Source(key, value) => self.keyed.sources.patch(key, value),
            KeyChange::GreKey(key, value) => self.keyed.gre_keys.patch(key, value),
            KeyChange::Returner(key, value) => self.keyed.returners.patch(key, value),
            KeyChange::PublicLink(key, value) => self.keyed.public_links.patch(key, value),
        }
    }

    fn patch(&mut self, wanted: Table, index: u32, offset: usize, bytes: &[u8]) {
        each_array!(&mut self.arrays, |array, table| if table == wanted {
            array.patch(index, offset, bytes);
        });
    }
}
