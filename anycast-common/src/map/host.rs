//! What a host says of itself in its own name.

use super::MapValue;

/// 8-byte words of one set of a host's own addresses: IPv4 in the first four bytes of the first word, IPv6 in the other
/// two. Zero: none.
pub const OWN_ADDRESS_WORDS: usize = 3;

/// Sets of addresses, in wire order in memory. An IPv6 address is longer than a cell, so there are two: the one that a cell does
/// not name is written, and then named. The cell names the first as 1, the second as 2, and none as 0.
pub type OwnAddresses = [[u64; OWN_ADDRESS_WORDS]; 2];

/// `HOST`, the one entry: what the programs need to know of the host itself. Zeroed memory never answers, and has no address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct HostEntry {
    /// Cell: [`IcmpRates`].
    pub icmp_rates: u64,
    /// Cell: which of `icmp_sources` ICMP errors come from.
    pub icmp_source: u64,
    /// Where ICMP errors come from.
    pub icmp_sources: OwnAddresses,
    /// Cell: which of `health_sources` answers to probes go to.
    pub health_source: u64,
    /// Where probes come from.
    pub health_sources: OwnAddresses,
}
map_value!(HostEntry, size 120, align 8, fields [u64, u64, OwnAddresses, u64, OwnAddresses]);

/// Cell: how often a host answers by itself, over all of its CPUs. 0: never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IcmpRates {
    /// Echo replies per second.
    pub echo_pps: u32,
    /// ICMP errors per second.
    pub errors_pps: u32,
}

impl IcmpRates {
    /// Unpacks the cell.
    #[inline(always)]
    pub const fn from_cell(cell: u64) -> Self {
        Self { echo_pps: cell as u32, errors_pps: (cell >> 32) as u32 }
    }

    /// Packs the cell: echo replies in bits 0..32, errors in bits 32..64.
    pub const fn to_cell(self) -> u64 {
        self.echo_pps as u64 | (self.errors_pps as u64) << 32
    }
}

/// `ICMP_LIMITS`: the [`crate::limiter`] state of echo replies.
pub const LIMIT_ECHO: u32 = 1;
/// `ICMP_LIMITS`: that of ICMP errors.
pub const LIMIT_ERRORS: u32 = 2;
