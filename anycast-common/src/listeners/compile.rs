//! From a list of listeners to bits.

use alloc::{boxed::Box, vec};

use super::{Listener, ListenerError};
use crate::{
    listen::{page_slot, port_table_slot},
    map::{PORTS_PER_PAGE, PortPage},
};

/// The ports of one protocol that are taken: one page of bits for each high byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortBitmap {
    pages: Box<[PageBits]>,
}

/// The words of a [`PortPage`].
pub(super) type PageBits = [u64; 4];

impl PortBitmap {
    fn empty() -> Self {
        Self { pages: vec![[0; 4]; PORTS_PER_PAGE].into_boxed_slice() }
    }

    fn insert(&mut self, first: u16, last: u16) {
        for port in first..=last {
            self.pages[page_slot(port)][usize::from(port >> 6 & 3)] |= 1 << (port & 63);
        }
    }

    fn is_full(&self) -> bool {
        self.pages.iter().all(|page| *page == [u64::MAX; 4])
    }

    /// The pages, by the high byte of their ports.
    pub fn pages(&self) -> impl Iterator<Item = PortPage> + '_ {
        self.pages.iter().map(|bits| PortPage { bits: *bits })
    }
}

/// What a VIP's listeners take, in one form for all lists that take the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Compiled {
    /// One bit per IP protocol number: taken whole.
    pub protocols: [u64; 4],
    /// Ports of TCP, UDP and SCTP. `None`: no port, or the protocol is taken whole; never an empty bitmap.
    pub ports: [Option<PortBitmap>; 3],
}

/// Compiles the listeners of one VIP. Order, overlap and repetition do not matter, and all ports of a protocol
/// (0 to 65535) are the same as the protocol without ports.
///
/// # Errors
///
/// Ports of a protocol that has none, or a reversed range.
pub fn compile(listeners: &[Listener]) -> Result<Compiled, ListenerError> {
    let mut compiled = Compiled::default();
    for &Listener { protocol, ports } in listeners {
        let Some((first, last)) = ports else {
            compiled.take_whole(protocol);
            continue;
        };
        let slot = port_table_slot(protocol).ok_or(ListenerError::NoPorts { protocol })?;
        if last < first {
            return Err(ListenerError::ReversedRange { first, last });
        }
        compiled.ports[slot].get_or_insert_with(PortBitmap::empty).insert(first, last);
    }
    for &Listener { protocol, .. } in listeners {
        if let Some(slot) = port_table_slot(protocol) {
            if compiled.ports[slot].as_ref().is_some_and(PortBitmap::is_full) {
                compiled.take_whole(protocol);
            }
            if compiled.protocols[usize::from(protocol >> 6)] >> (protocol & 63) & 1 == 1 {
                compiled.ports[slot] = None;
            }
        }
    }
    Ok(compiled)
}

impl Compiled {
    /// Every protocol, whole.
    pub fn everything() -> Self {
        Self { protocols: [u64::MAX; 4], ports: [None, None, None] }
    }

    fn take_whole(&mut self, protocol: u8) {
        self.protocols[usize::from(protocol >> 6)] |= 1 << (protocol & 63);
    }
}
