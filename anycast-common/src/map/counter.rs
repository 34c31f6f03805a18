//! Counters and the keys of the sparse ones.

use super::MapValue;

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

/// Counters of a VIP in `VIP_COUNTERS`: one for each [`crate::outcome::Class`].
pub const VIP_COUNTERS_LEN: usize = if cfg!(feature = "other-abi") { 5 } else { 4 };

/// Key of `VIP_DROPS`, the sparse table of drop reasons per VIP, made at the first drop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct VipDropKey {
    /// Index into `VIPS`.
    pub vip_index: u32,
    /// Number of the [`crate::outcome::Outcome`]; with [`DROP_OF_RETURN`], of an answer on its way back.
    pub outcome: u32,
}
map_value!(VipDropKey, size 8, align 4, fields [u32, u32]);

/// Bit of [`VipDropKey::outcome`]: it happened to an answer on its way back. There the table has every outcome but
/// [`crate::outcome::Outcome::Returned`].
pub const DROP_OF_RETURN: u32 = 1 << 31;

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
