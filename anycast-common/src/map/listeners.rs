//! What a VIP with listeners takes.

use super::MapValue;

/// Ports per page of a port table.
pub const PORTS_PER_PAGE: usize = 256;

/// `LISTENER_SETS`: what a VIP with listeners takes. Written once; VIPs with the same listeners share one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ListenerSet {
    /// One bit per IP protocol number: taken whole, whatever the port.
    pub protocols: [u64; 4],
    /// Index into `PORT_TABLES` for TCP, UDP and SCTP, in this order; 0: no port of it is taken.
    pub port_tables: [u32; 3],
    /// Reserved, 0.
    pub reserved: u32,
}
map_value!(ListenerSet, size 48, align 8, fields [[u64; 4], [u32; 3], u32]);

/// `PORT_TABLES`: for each high byte of a port, an index into `PORT_PAGES`. Page 0 takes no port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct PortTable {
    /// Page of each 256 ports.
    pub pages: [u16; PORTS_PER_PAGE],
}
map_value!(PortTable, size 512, align 2, fields [[u16; PORTS_PER_PAGE]]);

/// `PORT_PAGES`: one bit for each of 256 ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PortPage {
    /// Bit `port & 63` of word `port >> 6 & 3`.
    pub bits: [u64; 4],
}
map_value!(PortPage, size 32, align 8, fields [[u64; 4]]);
