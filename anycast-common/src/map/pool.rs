//! Pools, their Maglev slots, and backends.

use super::MapValue;

/// `POOLS` (a cell each): where in `SLOTS` the Maglev table of a binding lies. A size of 0 is "no usable backend".
///
/// `OLD_POOLS` has the same cells at the same indexes: the tables that flows came from, while `POOLS` or a slot of its
/// table says that something is in transition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolDescriptor {
    /// First slot of the table; even, because slots are stored in pairs.
    pub offset: u32,
    /// Number of slots, below 2^24.
    pub size: u32,
    /// [`WHOLE_TABLE`] or 0.
    pub flags: u8,
}

/// Flag of a descriptor: every slot is in transition, whatever the slots say. The highest bit, as [`IN_TRANSITION`] is
/// of a slot, so that one test finds either.
pub const WHOLE_TABLE: u8 = 0x80;

const SIZE_MASK: u32 = 0xff_ffff;

impl PoolDescriptor {
    /// Unpacks the cell.
    #[inline(always)]
    pub const fn from_cell(cell: u64) -> Self {
        let high = (cell >> 32) as u32;
        Self { offset: cell as u32, size: high & SIZE_MASK, flags: (high >> 24) as u8 }
    }

    /// Packs the cell: offset in bits 0..32, size in bits 32..56, flags in bits 56..64.
    pub const fn to_cell(self) -> u64 {
        self.offset as u64 | ((self.size & SIZE_MASK) as u64) << 32 | (self.flags as u64) << 56
    }

    /// The slot of a flow hash: multiply-shift of its high half, without division.
    #[inline(always)]
    pub const fn slot(self, flow_hash: u64) -> u32 {
        self.offset.wrapping_add(((flow_hash >> 32).wrapping_mul(self.size as u64) >> 32) as u32)
    }
}

/// `SLOTS`: two neighbouring Maglev slots, each an index into `BACKENDS` and a mark. Arrays round values up to 8 bytes.
pub type SlotPair = u64;

/// Mark of a slot: flows may still be on the backend that the old table has there.
pub const IN_TRANSITION: u32 = 1 << 31;

/// Slot `slot` out of its pair, mark and all: the even slot in bits 0..32, the odd one in 32..64.
#[inline(always)]
pub const fn slot_of(pair: SlotPair, slot: u32) -> u32 {
    if slot & 1 == 0 { pair as u32 } else { (pair >> 32) as u32 }
}

/// The backend index of slot `slot` out of its pair.
#[inline(always)]
pub const fn backend_of(pair: SlotPair, slot: u32) -> u32 {
    slot_of(pair, slot) & !IN_TRANSITION
}

/// Is a flow of this slot in transition, by the slot's mark or by the flag of the table's descriptor?
#[inline(always)]
pub const fn is_in_transition(slot: u32, descriptor: PoolDescriptor) -> bool {
    (slot | (descriptor.flags as u32) << 24) & IN_TRANSITION != 0
}

/// Key of `TRANSITIONS`: a TCP flow that began while its slot was in transition. The value is the index of the backend
/// that it began on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct TransitionKey {
    /// Flow hash of the whole 5-tuple, whatever the VIP hashes on.
    pub flow_hash: u64,
    /// Index into `POOLS`.
    pub pool_index: u32,
    /// Reserved, 0.
    pub reserved: u32,
}
map_value!(TransitionKey, size 16, align 8, fields [u64, u32, u32]);

/// Longest outer header: IPv6 + GRE with key, or IPv6 + UDP.
pub const OUTER_MAX_BYTES: usize = 48;

/// `BACKENDS`: one home-region node and the ready-made header toward it. One cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct BackendEntry {
    /// Cell: [`BackendRoute`].
    pub route: u64,
    /// Outer header template: lengths, DSCP/ECN, checksums, flow label, UDP source port, GRE protocol type, and the
    /// varying bits of the source are 0 and patched per packet.
    pub outer: [u8; OUTER_MAX_BYTES],
    /// One's-complement sum of the IPv4 template's 16-bit wire words, in native order, not folded to its complement; 0 for IPv6.
    pub checksum_base: u32,
    /// One of `ENCAP_*`: what follows the outer IP header.
    pub encap: u8,
    /// Outer family: 4 or 6. 0: the entry is not set.
    pub family: u8,
    /// Which bits of the outer source's last two bytes are taken from the flow hash, wire order; 0: one source for all flows.
    pub source_mask: [u8; 2],
    /// What makes the layout another one.
    #[cfg(feature = "other-abi")]
    pub padding: u64,
}
#[cfg(not(feature = "other-abi"))]
map_value!(BackendEntry, size 64, align 8, fields [u64, [u8; OUTER_MAX_BYTES], u32, u8, u8, [u8; 2]]);
#[cfg(feature = "other-abi")]
map_value!(BackendEntry, size 72, align 8, fields [u64, [u8; OUTER_MAX_BYTES], u32, u8, u8, [u8; 2], u64]);

/// The inner packet (RFC 2003, RFC 2473, RFC 4213).
pub const ENCAP_IPIP: u8 = 0;
/// A GRE header of four bytes (RFC 2784).
pub const ENCAP_GRE: u8 = 1;
/// A GRE header with a key (RFC 2890).
pub const ENCAP_GRE_KEYED: u8 = 2;
/// A UDP header: GUE variant 1, IP directly in UDP.
pub const ENCAP_GUE: u8 = 3;

impl Default for BackendEntry {
    fn default() -> Self {
        Self {
            route: 0,
            outer: [0; OUTER_MAX_BYTES],
            checksum_base: 0,
            encap: 0,
            family: 0,
            source_mask: [0; 2],
            #[cfg(feature = "other-abi")]
            padding: 0,
        }
    }
}

/// Cell: how the way to a backend looks now. 0 is "unresolved".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackendRoute {
    /// Index into `GROUPS`.
    pub group_index: u32,
    /// Longest outer IP packet that the path takes, in bytes.
    pub mtu_bytes: u16,
}

impl BackendRoute {
    /// Unpacks the cell.
    #[inline(always)]
    pub const fn from_cell(cell: u64) -> Self {
        Self { group_index: cell as u32, mtu_bytes: (cell >> 32) as u16 }
    }

    /// Packs the cell: group in bits 0..32, MTU in bits 32..48, the rest 0.
    pub const fn to_cell(self) -> u64 {
        self.group_index as u64 | (self.mtu_bytes as u64) << 32
    }
}
