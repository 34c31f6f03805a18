//! The way back: on a gateway, which PoP a client's answers leave through; on a PoP, which answers it takes.

use super::{MapValue, TunnelKey};

/// Version of [`ReturnKey`], [`ReturnValue`] and [`ReturnPath`] and of their meaning. Generations of the same version take
/// paths over from each other.
pub const RETURN_PATHS_VERSION: u32 = 1;

/// Key of `RETURN_PATHS`: a client of a VIP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct ReturnKey {
    /// The client's address, v4-mapped.
    pub client: [u8; 16],
    /// Index into `VIPS`.
    pub vip_index: u32,
    /// Reserved, 0.
    pub reserved: u32,
}
map_value!(ReturnKey, size 24, align 4, fields [[u8; 16], u32, u32]);

/// `RETURN_PATHS`: the way that the last packet of a client to a VIP came.
///
/// The kernel recycles the elements of an LRU map without waiting for readers, and copies a new value in ascending order.
/// Who reads the cell first and `check` then, and finds the check of its own key, has read the cell of its own key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ReturnValue {
    /// [`return_check`] of the key.
    pub check: u64,
    /// Cell: [`ReturnPath`]. Written in place while packets flow.
    pub path: u64,
}
map_value!(ReturnValue, size 16, align 8, fields [u64, u64]);

/// What a [`ReturnValue`] repeats of its key.
#[inline(always)]
pub const fn return_check(client: [u64; 2], vip_index: u32) -> u64 {
    let [high, low] = client;
    low ^ high.rotate_left(29) ^ (vip_index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Cell: a way from this gateway back to a PoP host. 0 is "none": peer 0 is reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReturnPath {
    /// Index into `BACKENDS`: on a gateway these are the PoP hosts, one for each allowed source. 20 bits.
    pub peer_index: u32,
    /// Last two bytes of the outer source that the packet came from, in memory order.
    pub source_end: u16,
    /// One of `ENCAP_*`. 2 bits.
    pub encap: u8,
    /// Index into `TUNNEL_ADDRESSES`: the address that the packet came to.
    pub tunnel_index: u8,
    /// Index into `GRE_KEY_LIST`; 0: no key. 5 bits.
    pub key_index: u8,
    /// When, in units of [`RETURN_SEEN_SHIFT`]. 13 bits.
    pub seen: u16,
}

/// A unit of [`ReturnPath::seen`] is so many times 2 ns: about a second.
pub const RETURN_SEEN_SHIFT: u32 = 30;
/// How far apart, in these units, a path is written anew that did not change.
pub const RETURN_REFRESH: u16 = 8;
/// A path that nothing came by for this long is none: about an hour, in these units.
pub const RETURN_IDLE: u16 = 3352;
/// Bits of [`ReturnPath::seen`].
const SEEN_BITS: u32 = 13;
const SEEN_MASK: u64 = (1 << SEEN_BITS) - 1;

impl ReturnPath {
    /// Unpacks the cell.
    #[inline(always)]
    pub const fn from_cell(cell: u64) -> Self {
        Self {
            seen: (cell & SEEN_MASK) as u16,
            key_index: (cell >> 13 & 0x1f) as u8,
            tunnel_index: (cell >> 18) as u8,
            encap: (cell >> 26 & 3) as u8,
            source_end: (cell >> 28) as u16,
            peer_index: (cell >> 44) as u32,
        }
    }

    /// Packs the cell: seen in bits 0..13, key in 13..18, tunnel address in 18..26, encap in 26..28, end of the source in
    /// 28..44, peer in 44..64.
    #[inline(always)]
    pub const fn to_cell(self) -> u64 {
        self.seen as u64 & SEEN_MASK
            | (self.key_index as u64 & 0x1f) << 13
            | (self.tunnel_index as u64) << 18
            | (self.encap as u64 & 3) << 26
            | (self.source_end as u64) << 28
            | (self.peer_index as u64) << 44
    }

    /// Do both cells name the same way, whenever it was seen?
    #[inline(always)]
    pub const fn is_same(a: u64, b: u64) -> bool {
        (a ^ b) >> SEEN_BITS == 0
    }

    /// What [`ReturnPath::seen`] is at this time of the boot clock.
    #[inline(always)]
    pub const fn seen_at(now_ns: u64) -> u16 {
        (now_ns >> RETURN_SEEN_SHIFT & SEEN_MASK) as u16
    }

    /// How long ago, in units, a cell was seen. It goes round after two and a half hours.
    #[inline(always)]
    pub const fn age(cell: u64, now: u16) -> u16 {
        ((now as u64).wrapping_sub(cell) & SEEN_MASK) as u16
    }
}

/// Key of `RETURNERS`, on a PoP: a gateway that a binding sends flows to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct ReturnerKey {
    /// Index into `POOLS`, as [`super::PoolRef`] has it.
    pub pool_index: u32,
    /// The gateway's address, as [`super::tunnel_key`] writes it.
    pub gateway: TunnelKey,
}
map_value!(ReturnerKey, size 24, align 4, fields [u32, TunnelKey]);

/// Cell, value of `RETURNERS`: the tunnel that answers of this gateway come in, which is the one that flows go to it by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReturnTunnel {
    /// One of `ENCAP_*`.
    pub encap: u8,
    /// Key of `ENCAP_GRE_KEYED`, else 0: its four bytes as they lie on the wire, read as a native integer, so that a
    /// program compares what it loads from a packet: `u32::from_ne_bytes(key.to_be_bytes())`.
    pub gre_key: u32,
}

impl ReturnTunnel {
    /// Unpacks the cell.
    #[inline(always)]
    pub const fn from_cell(cell: u64) -> Self {
        Self { encap: cell as u8, gre_key: (cell >> 32) as u32 }
    }

    /// Packs the cell: encap in bits 0..8, key in bits 32..64.
    #[inline(always)]
    pub const fn to_cell(self) -> u64 {
        self.encap as u64 | (self.gre_key as u64) << 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_cells_round_trip_and_are_the_same_whenever_seen() {
        let path = ReturnPath {
            peer_index: 0xf_fffe,
            source_end: 0xabcd,
            encap: 3,
            tunnel_index: 0xfe,
            key_index: 0x1e,
            seen: 0x1ffe,
        };
        assert_eq!(ReturnPath::from_cell(path.to_cell()), path);
        let later = ReturnPath { seen: 3, ..path }.to_cell();
        assert!(ReturnPath::is_same(path.to_cell(), later));
        for other in [
            ReturnPath { peer_index: 1, ..path },
            ReturnPath { source_end: 1, ..path },
            ReturnPath { encap: 0, ..path },
            ReturnPath { tunnel_index: 1, ..path },
            ReturnPath { key_index: 0, ..path },
        ] {
            assert!(!ReturnPath::is_same(path.to_cell(), other.to_cell()), "{other:?}");
        }
        let tunnel = ReturnTunnel { encap: 2, gre_key: u32::MAX };
        assert_eq!(ReturnTunnel::from_cell(tunnel.to_cell()), tunnel);
    }

    #[test]
    fn age_goes_round_with_the_clock() {
        let cell = ReturnPath { seen: 0x1fff, ..ReturnPath::default() }.to_cell();
        assert_eq!(ReturnPath::age(cell, 0x1fff), 0);
        assert_eq!(ReturnPath::age(cell, 2), 3);
        assert_eq!(ReturnPath::seen_at((1 << 43) + (5 << RETURN_SEEN_SHIFT) + 17), 5);
    }

    #[test]
    fn check_differs_by_client_and_vip() {
        let all = [([1, 2], 1), ([2, 1], 1), ([1, 2], 2), ([1, 3], 1), ([0, 0], 0)];
        let checks: std::collections::BTreeSet<_> =
            all.into_iter().map(|(client, vip)| return_check(client, vip)).collect();
        assert_eq!(checks.len(), all.len());
        assert!(!checks.contains(&0));
    }
}
