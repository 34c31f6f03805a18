//! Listeners of a VIP, compiled into the bit tables that the kernel program reads (see [`crate::listen`]).

mod compile;
mod intern;
mod notation;

use core::fmt;

pub use compile::{Compiled, PortBitmap, compile};
pub use intern::Interner;
pub use notation::PROTOCOL_NAMES;

use crate::{
    listen::{page_slot, page_takes, port_table_slot, takes_whole},
    map::{ListenerSet, PortPage, PortTable},
};

/// Protocol and ports that a VIP takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Listener {
    /// IP protocol number.
    pub protocol: u8,
    /// First and last port, inclusive; `None`: the whole protocol. Only for TCP, UDP and SCTP.
    pub ports: Option<(u16, u16)>,
}

/// Why listeners cannot be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerError {
    /// Ports of a protocol that has none.
    NoPorts {
        /// IP protocol number.
        protocol: u8,
    },
    /// A range whose last port is below its first.
    ReversedRange {
        /// First port.
        first: u16,
        /// Last port.
        last: u16,
    },
    /// More distinct pages than a port table can name.
    TooManyPages,
}

impl fmt::Display for ListenerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPorts { protocol } => {
                write!(formatter, "protocol {protocol} has no ports; only TCP, UDP and SCTP listeners can name them")
            }
            Self::ReversedRange { first, last } => write!(formatter, "port range {first}-{last} ends before it begins"),
            Self::TooManyPages => write!(formatter, "listeners need more than {} distinct port pages", u16::MAX),
        }
    }
}

impl core::error::Error for ListenerError {}

/// Does a listener set take this protocol and port? `None`: a fragment, or a protocol without ports.
///
/// The reference for what the kernel program does with a VIP that has listeners.
pub fn takes(set: &ListenerSet, tables: &[PortTable], pages: &[PortPage], protocol: u8, port: Option<u16>) -> bool {
    if takes_whole(set, protocol) {
        return true;
    }
    let Some(slot) = port_table_slot(protocol) else { return false };
    let table_index = set.port_tables[slot] as usize;
    match port {
        // A fragment is taken if the VIP has any listener of its protocol.
        None => table_index != 0,
        Some(port) => tables
            .get(table_index)
            .and_then(|table| pages.get(usize::from(table.pages[page_slot(port)])))
            .is_some_and(|page| page_takes(page, port)),
    }
}

#[cfg(test)]
mod tests;
