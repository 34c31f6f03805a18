//! Map value layouts. The chain, each arrow one small read:
//!
//! `address -> vip index -> VipEntry -> pool cell -> PoolDescriptor -> Maglev slot -> backend index -> BackendEntry
//! -> route cell -> GroupEntry -> picks cell -> next-hop cell -> LinkEntry`
//!
//! Index 0 is reserved in every table, so zeroed memory selects nothing.

/// Types that may live in a BPF map.
///
/// # Safety
///
/// Implementors are `repr(C)` or plain integers, have no padding, and are valid for every bit pattern.
pub unsafe trait MapValue: Copy + 'static {}

macro_rules! map_value {
    ($type:ty, size $size:literal, align $align:literal, fields [$($field:ty),+ $(,)?]) => {
        const _: () = {
            assert!(size_of::<$type>() == $size, "layout changed: bump ABI_VERSION");
            assert!(align_of::<$type>() == $align);
            // The sum of the fields is the size: no padding.
            assert!(0 $(+ size_of::<$field>())+ == $size);
        };
        // SAFETY: repr(C), integers and arrays of them only, and the assertions above exclude padding.
        unsafe impl MapValue for $type {}
    };
}

// SAFETY: plain integers and byte arrays.
unsafe impl MapValue for u32 {}
// SAFETY: as above.
unsafe impl MapValue for u64 {}
// SAFETY: as above.
unsafe impl<const N: usize> MapValue for [u8; N] {}

// SAFETY: repr(C) and an array of integers only; it is a global of the program, not a map value, under the same rules.
unsafe impl MapValue for crate::flow::FlowKey {}

/// The v4-mapped form of an IPv4 address.
#[inline(always)]
pub const fn v4_mapped(address: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = address;
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}

/// `VIPS`: one service address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct VipEntry {
    /// The address this entry is for, v4-mapped; the program compares it before it believes the entry.
    pub address: [u8; 16],
    /// Cell: [`PoolRef`].
    pub pool: u64,
    /// Cell: [`VipPolicy`].
    pub policy: u64,
}
map_value!(VipEntry, size 32, align 8, fields [[u8; 16], u64, u64]);

/// Cell: which pool a VIP is bound to. 0 is "no pool".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolRef {
    /// Index into `POOLS`.
    pub pool_index: u32,
}

impl PoolRef {
    /// Unpacks the cell.
    #[inline(always)]
    pub const fn from_cell(cell: u64) -> Self {
        Self { pool_index: cell as u32 }
    }

    /// Packs the cell.
    pub const fn to_cell(self) -> u64 {
        self.pool_index as u64
    }
}

/// Cell: how packets of a VIP are treated. 0 is: no listeners, every protocol and port, hash on addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VipPolicy {
    /// Index into `LISTENER_SETS`; 0: the VIP has no listeners and takes everything.
    pub listener_set: u32,
    /// One of `HASH_*`.
    pub hash_mode: u8,
}

/// Hash on source and destination address only: protocols that belong together stay together (IKE and ESP, FTP, SIP).
pub const HASH_ADDRESSES: u8 = 0;
/// Hash on the 5-tuple; fragments hash on addresses and protocol.
pub const HASH_FLOW: u8 = 1;

impl VipPolicy {
    /// Unpacks the cell.
    #[inline(always)]
    pub const fn from_cell(cell: u64) -> Self {
        Self { listener_set: cell as u32, hash_mode: (cell >> 32) as u8 }
    }

    /// Packs the cell: listener set in bits 0..32, hash mode in bits 32..40, the rest 0.
    pub const fn to_cell(self) -> u64 {
        self.listener_set as u64 | (self.hash_mode as u64) << 32
    }
}

/// `POOLS` (a cell each): where in `SLOTS` a pool's Maglev table lies. A size of 0 is "no usable backend".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolDescriptor {
    /// First slot of the table; even, because slots are stored in pairs.
    pub offset: u32,
    /// Number of slots.
    pub size: u32,
}

impl PoolDescriptor {
    /// Unpacks the cell.
    #[inline(always)]
    pub const fn from_cell(cell: u64) -> Self {
        Self { offset: cell as u32, size: (cell >> 32) as u32 }
    }

    /// Packs the cell: offset in bits 0..32, size in bits 32..64.
    pub const fn to_cell(self) -> u64 {
        self.offset as u64 | (self.size as u64) << 32
    }

    /// The slot of a flow hash: multiply-shift of its high half, without division.
    #[inline(always)]
    pub const fn slot(self, flow_hash: u64) -> u32 {
        self.offset.wrapping_add(((flow_hash >> 32).wrapping_mul(self.size as u64) >> 32) as u32)
    }
}

/// `SLOTS`: two neighbouring Maglev slots, each an index into `BACKENDS`. Arrays round values up to 8 bytes.
pub type SlotPair = u64;

/// The backend index of slot `slot` out of its pair: the even slot in bits 0..32, the odd one in 32..64.
#[inline(always)]
pub const fn backend_of(pair: SlotPair, slot: u32) -> u32 {
    if slot & 1 == 0 { pair as u32 } else { (pair >> 32) as u32 }
}

/// Longest outer header: IPv6 + GRE with key, or IPv6 + UDP.
pub const OUTER_MAX_BYTES: usize = 48;

/// `BACKENDS`: one home-region node and the ready-made header toward it. One cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct BackendEntry {
    /// Cell: [`BackendRoute`].
    pub route: u64,
    /// Outer header template: length, DSCP/ECN, checksum and flow label are 0 and patched per packet.
    pub outer: [u8; OUTER_MAX_BYTES],
    /// One's-complement sum of the IPv4 template's 16-bit wire words, in native order, not folded to its complement; 0 for IPv6.
    pub checksum_base: u32,
    /// Bytes used of `outer`: 20 or 40 for IPIP.
    pub outer_bytes: u8,
    /// Outer family: 4 or 6. 0: the entry is not set.
    pub family: u8,
    /// Reserved, 0.
    pub reserved: [u8; 2],
}
map_value!(BackendEntry, size 64, align 8, fields [u64, [u8; OUTER_MAX_BYTES], u32, u8, u8, [u8; 2]]);

impl Default for BackendEntry {
    fn default() -> Self {
        Self { route: 0, outer: [0; OUTER_MAX_BYTES], checksum_base: 0, outer_bytes: 0, family: 0, reserved: [0; 2] }
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

/// Packets and bytes. Bytes are those of the IP packet as it came in; of frames that are not valid IP, those after the L2 header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Counter {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}
map_value!(Counter, size 16, align 8, fields [u64, u64]);

impl core::ops::Add for Counter {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { packets: self.packets.wrapping_add(other.packets), bytes: self.bytes.wrapping_add(other.bytes) }
    }
}

impl core::iter::Sum for Counter {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), |sum, counter| sum + counter)
    }
}

/// Key of `VIP_DROPS`, the sparse table of drop reasons per VIP, made at the first drop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct VipDropKey {
    /// Index into `VIPS`.
    pub vip_index: u32,
    /// Number of the [`crate::outcome::Outcome`].
    pub outcome: u32,
}
map_value!(VipDropKey, size 8, align 4, fields [u32, u32]);

/// Key of `DRIVER_LOSSES`: what the kernel's XDP tracepoints say was lost after the program's verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct DriverLossKey {
    /// Kernel interface index: the egress for redirect and transmit losses, the ingress for exceptions.
    pub ifindex: u32,
    /// One of `LOSS_*`.
    pub kind: u32,
}
map_value!(DriverLossKey, size 8, align 4, fields [u32, u32]);

/// `xdp:xdp_redirect_err`, `xdp:xdp_redirect_map_err`: the redirect itself failed.
pub const LOSS_REDIRECT: u32 = 1;
/// `xdp:xdp_devmap_xmit`: the egress driver took fewer frames than it was given.
pub const LOSS_DEVMAP_XMIT: u32 = 2;
/// `xdp:xdp_exception`: the ingress driver could not carry out the verdict (`XDP_TX` with a full ring, for one).
pub const LOSS_EXCEPTION: u32 = 3;
/// `xdp:xdp_bulk_tx`: the ingress driver dropped frames of a bulk `XDP_TX`.
pub const LOSS_BULK_TX: u32 = 4;

/// Key of the gateway's tunnel addresses, and of its allow-list (an LPM trie): three zero bytes, the family (4 or 6), the
/// 16-byte address. The family keeps `::ffff:a.b.c.d` on the wire from passing for `a.b.c.d`, and `::/0` from holding IPv4.
pub type TunnelKey = [u8; 20];

/// Bits of a [`TunnelKey`] before the address; prefix lengths in the allow-list are raised by it, and by 96 more for IPv4.
pub const SOURCE_FAMILY_BITS: u32 = 32;

/// The key of an address.
#[inline(always)]
pub const fn tunnel_key(family: u8, address: [u8; 16]) -> TunnelKey {
    let mut key = [0, 0, 0, family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    key.split_at_mut(4).1.copy_from_slice(&address);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_round_trip() {
        let descriptor = PoolDescriptor { offset: 0x0102_0304, size: 65_521 };
        assert_eq!(PoolDescriptor::from_cell(descriptor.to_cell()), descriptor);
        let next_hop = NextHop { mac: [1, 2, 3, 4, 5, 6], link_index: 0xfffe };
        assert_eq!(NextHop::from_cell(next_hop.to_cell()), next_hop);
        let route = BackendRoute { group_index: u32::MAX, mtu_bytes: 9216 };
        assert_eq!(BackendRoute::from_cell(route.to_cell()), route);
        let policy = VipPolicy { listener_set: 77, hash_mode: HASH_FLOW };
        assert_eq!(VipPolicy::from_cell(policy.to_cell()), policy);
        let pool = PoolRef { pool_index: 9 };
        assert_eq!(PoolRef::from_cell(pool.to_cell()), pool);
    }

    #[test]
    fn slot_covers_the_table_and_never_leaves_it() {
        let pool = PoolDescriptor { offset: 10, size: 251 };
        assert_eq!(pool.slot(0), 10);
        assert_eq!(pool.slot(u64::MAX), 10 + 250);
    }

    #[test]
    fn zeroed_group_picks_position_zero() {
        for low in 0..16 {
            assert_eq!(GroupEntry::position(0, low), 0);
        }
        assert_eq!(GroupEntry::position(0x0000_0000_0000_0321, 2), 3);
    }
}
