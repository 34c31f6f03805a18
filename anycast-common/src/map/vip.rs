//! A service address and how its packets are treated.

use super::MapValue;

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

/// Cell: how packets of a VIP are treated. 0 is: no listeners, every protocol and port, hash on addresses, echo
/// requests like any packet, answers go directly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VipPolicy {
    /// Index into `LISTENER_SETS`; 0: the VIP has no listeners and takes everything.
    pub listener_set: u32,
    /// One of `HASH_*`.
    pub hash_mode: u8,
    /// One of `ECHO_*`.
    pub echo: u8,
    /// One of `RETURN_*`.
    pub returns: u8,
}

/// Hash on source and destination address only: protocols that belong together stay together (IKE and ESP, FTP, SIP).
pub const HASH_ADDRESSES: u8 = 0;
/// Hash on the 5-tuple; fragments hash on addresses and protocol.
pub const HASH_FLOW: u8 = 1;
/// Hash on the source address only: what a client does on all VIPs of a pool stays together.
pub const HASH_SOURCE: u8 = 2;

/// Echo requests are packets like any other: listeners decide.
pub const ECHO_FORWARD: u8 = 0;
/// The `PoP` answers echo requests, whatever the listeners say.
pub const ECHO_ANSWER: u8 = 1;
/// Echo requests are dropped, whatever the listeners say.
pub const ECHO_DROP: u8 = 2;

/// Answers leave the home region directly.
pub const RETURN_DIRECT: u8 = 0;
/// Answers leave through the `PoP` that the client's last packet came by; directly, where none is known.
pub const RETURN_POP: u8 = 1;
/// The same, but where none is known they are dropped.
pub const RETURN_POP_OR_DROP: u8 = 2;

impl VipPolicy {
    /// Unpacks the cell.
    #[inline(always)]
    pub const fn from_cell(cell: u64) -> Self {
        Self {
            listener_set: cell as u32,
            hash_mode: (cell >> 32) as u8,
            echo: (cell >> 40) as u8,
            returns: (cell >> 48) as u8,
        }
    }

    /// Packs the cell: listener set in bits 0..32, hash mode in bits 32..40, echo policy in bits 40..48, way back in
    /// bits 48..56, the rest 0.
    pub const fn to_cell(self) -> u64 {
        self.listener_set as u64
            | (self.hash_mode as u64) << 32
            | (self.echo as u64) << 40
            | (self.returns as u64) << 48
    }
}
