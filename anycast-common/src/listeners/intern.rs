//! Gives every distinct set, table and page one index, so that VIPs with the same listeners share memory and cache lines.

use alloc::{collections::BTreeMap, vec, vec::Vec};

use super::{
    Compiled, ListenerError,
    compile::{PageBits, PortBitmap},
};
use crate::map::{ListenerSet, PORTS_PER_PAGE, PortPage, PortTable};

type TablePages = [u16; PORTS_PER_PAGE];
type SetParts = ([u64; 4], [u32; 3]);

/// Hands out indexes and keeps the arrays that belong to them. Index 0 is reserved in each: no set, no table, an empty page.
///
/// An index once handed out keeps its meaning: interning more only appends, so what the kernel program reads is never
/// edited in place.
#[derive(Clone, Debug)]
pub struct Interner {
    sets: Vec<ListenerSet>,
    tables: Vec<PortTable>,
    pages: Vec<PortPage>,
    set_index: BTreeMap<SetParts, u32>,
    table_index: BTreeMap<TablePages, u32>,
    page_index: BTreeMap<PageBits, u16>,
}

impl Default for Interner {
    fn default() -> Self {
        Self::new()
    }
}

impl Interner {
    /// With nothing but the reserved entries.
    pub fn new() -> Self {
        Self::from_arrays(Vec::new(), Vec::new(), Vec::new())
    }

    /// Goes on from arrays that were filled before (pinned maps), so that what is there keeps its indexes.
    ///
    /// The arrays begin with their reserved entries, and end before their first unused one.
    pub fn from_arrays(mut sets: Vec<ListenerSet>, mut tables: Vec<PortTable>, mut pages: Vec<PortPage>) -> Self {
        if sets.is_empty() {
            sets = vec![ListenerSet::default()];
        }
        if tables.is_empty() {
            tables = vec![PortTable { pages: [0; PORTS_PER_PAGE] }];
        }
        if pages.is_empty() {
            pages = vec![PortPage::default()];
        }
        // Reserved sets and tables mean "none" and are never shared; the reserved page is what an empty page is.
        let set_index = indexed(&sets, |set| (set.protocols, set.port_tables)).skip(1).collect();
        let table_index = indexed(&tables, |table| table.pages).skip(1).collect();
        let page_index = indexed(&pages, |page| page.bits).map(|(bits, index)| (bits, index as u16)).collect();
        Self { sets, tables, pages, set_index, table_index, page_index }
    }

    /// The index of a VIP's listener set. 0, "takes everything", for a VIP without listeners.
    ///
    /// # Errors
    ///
    /// [`ListenerError::TooManyPages`]; what was interned before stays valid.
    pub fn intern(&mut self, compiled: &Compiled) -> Result<u32, ListenerError> {
        if *compiled == Compiled::default() {
            return Ok(0);
        }
        let mut set = ListenerSet { protocols: compiled.protocols, ..ListenerSet::default() };
        for (table_index, bitmap) in set.port_tables.iter_mut().zip(&compiled.ports) {
            if let Some(bitmap) = bitmap {
                *table_index = self.intern_table(bitmap)?;
            }
        }
        Ok(*self.set_index.entry((set.protocols, set.port_tables)).or_insert_with(|| push(&mut self.sets, set)))
    }

    fn intern_table(&mut self, bitmap: &PortBitmap) -> Result<u32, ListenerError> {
        let mut pages = [0; PORTS_PER_PAGE];
        for (index, page) in pages.iter_mut().zip(bitmap.pages()) {
            *index = self.intern_page(page)?;
        }
        Ok(*self.table_index.entry(pages).or_insert_with(|| push(&mut self.tables, PortTable { pages })))
    }

    fn intern_page(&mut self, page: PortPage) -> Result<u16, ListenerError> {
        if let Some(index) = self.page_index.get(&page.bits) {
            return Ok(*index);
        }
        let index = u16::try_from(self.pages.len()).map_err(|_| ListenerError::TooManyPages)?;
        self.pages.push(page);
        self.page_index.insert(page.bits, index);
        Ok(index)
    }

    /// What `LISTENER_SETS` holds from index 0 on.
    pub fn sets(&self) -> &[ListenerSet] {
        &self.sets
    }

    /// What `PORT_TABLES` holds from index 0 on.
    pub fn tables(&self) -> &[PortTable] {
        &self.tables
    }

    /// What `PORT_PAGES` holds from index 0 on.
    pub fn pages(&self) -> &[PortPage] {
        &self.pages
    }
}

fn push<T>(entries: &mut Vec<T>, entry: T) -> u32 {
    entries.push(entry);
    (entries.len() - 1) as u32
}

fn indexed<T, K>(entries: &[T], key: impl Fn(&T) -> K) -> impl Iterator<Item = (K, u32)> {
    entries.iter().enumerate().map(move |(index, entry)| (key(entry), index as u32))
}
