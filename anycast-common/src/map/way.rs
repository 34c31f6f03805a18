//! The way to a backend: next-hop groups, next hops, links.

use super::MapValue;

/// Picks of a next-hop group: one nibble each in its cell.
pub const GROUP_PICKS: usize = 16;

/// `GROUPS`: the next hops that one route gives.
///
/// `picks` is a cell of 16 nibbles, chosen by the low 4 bits of the flow hash; each nibble is a position in
/// `members`. Losing a router is one store to `picks`, whatever the number of backends behind the group. A member may
/// be written live only while no nibble points at it and a grace period has passed since one did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct GroupEntry {
    /// Cell: 16 positions in `members`.
    pub picks: u64,
    /// Indexes into `NEXT_HOPS`. Position 0 stays 0: a zeroed nibble selects no next hop.
    pub members: [u16; GROUP_PICKS],
    /// Reserved, 0: makes an entry a cache line, and its place a shift instead of a multiplication.
    pub reserved: [u64; 3],
}
map_value!(GroupEntry, size 64, align 8, fields [u64, [u16; GROUP_PICKS], [u64; 3]]);

impl GroupEntry {
    /// The member position that a flow hash picks out of a picks cell.
    #[inline(always)]
    pub const fn position(picks: u64, flow_hash: u64) -> usize {
        (picks >> ((flow_hash & 15) * 4) & 15) as usize
    }
}

/// `NEXT_HOPS` (a cell each): the neighbour's MAC and the link it is on. 0 is "unresolved".
///
/// Bits 0..48 are the MAC in memory order on a little-endian machine, bits 48..64 the index into `LINKS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NextHop {
    /// Destination MAC of the outer frame.
    pub mac: [u8; 6],
    /// Index into `LINKS`.
    pub link_index: u16,
}

impl NextHop {
    /// Unpacks the cell.
    #[inline(always)]
    pub const fn from_cell(cell: u64) -> Self {
        let mut mac = [0; 6];
        mac.copy_from_slice(cell.to_le_bytes().split_at(6).0);
        Self { mac, link_index: Self::link_of(cell) }
    }

    /// The link of a cell, without unpacking it all.
    #[inline(always)]
    pub const fn link_of(cell: u64) -> u16 {
        (cell >> 48) as u16
    }

    /// Packs the cell.
    pub const fn to_cell(self) -> u64 {
        let mut bytes = [0; 8];
        let (mac, link_index) = bytes.split_at_mut(6);
        mac.copy_from_slice(&self.mac);
        link_index.copy_from_slice(&self.link_index.to_le_bytes());
        u64::from_le_bytes(bytes)
    }
}

/// `LINKS`: an egress interface. Its index is also its key in the device map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct LinkEntry {
    /// Kernel interface index of the device that the frame leaves by (a VLAN's parent, for tagged links).
    pub ifindex: u32,
    /// Source MAC of the outer frame.
    pub mac: [u8; 6],
    /// 802.1Q tag control information, wire order; all zero: untagged.
    pub vlan_tci: [u8; 2],
}
map_value!(LinkEntry, size 12, align 4, fields [u32, [u8; 6], [u8; 2]]);
