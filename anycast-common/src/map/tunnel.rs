//! Keys of the gateway's tables.

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

const TICK_MASK: u32 = (1 << 21) - 1;

/// Cell: what else than IPIP a gateway takes, or a PoP of answers. Cell 1 of `GATEWAY`; 0 is: no GUE, GRE
/// without key, and on a PoP: no answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TunnelPolicy {
    /// UDP port of GUE; 0: none.
    pub gue_port: u16,
    /// GRE must carry one of the keys of `GRE_KEYS`; else it must carry none.
    pub is_gre_keyed: bool,
    /// Low bits that differ among the IPv4 addresses that tunnels end at, 0 to 16; their first is the key in `TUNNELS`.
    pub varying_bits_v4: u8,
    /// The same for IPv6.
    pub varying_bits_v6: u8,
    /// How long a tick of the kernel's is, in units of 8 ns, which every rate from 100 to 1000 ticks a second has room for. 21
    /// bits. 0 where no time is asked for.
    pub tick_8ns: u32,
}

impl TunnelPolicy {
    /// Unpacks the cell.
    #[inline(always)]
    pub const fn from_cell(cell: u64) -> Self {
        Self {
            gue_port: cell as u16,
            tick_8ns: (cell >> 32) as u32 & TICK_MASK,
            is_gre_keyed: cell >> 53 & 1 == 1,
            varying_bits_v4: (cell >> 54 & 0x1f) as u8,
            varying_bits_v6: (cell >> 59) as u8,
        }
    }

    /// Packs the cell: port in bits 0..16, tick in 32..53, keyed in bit 53, varying bits in 54..59 and 59..64.
    pub const fn to_cell(self) -> u64 {
        self.gue_port as u64
            | ((self.tick_8ns & TICK_MASK) as u64) << 32
            | (self.is_gre_keyed as u64) << 53
            | (self.varying_bits_v4 as u64 & 0x1f) << 54
            | (self.varying_bits_v6 as u64 & 0x1f) << 59
    }

    /// `CLOCK_MONOTONIC`, within a few ticks, from the kernel's counter of ticks (`jiffies_64`), which is five minutes short of
    /// 2^32 when a machine starts (`INITIAL_JIFFIES`). A program reads that counter without a call, and a clock with one.
    #[inline(always)]
    pub const fn now_ns(self, ticks: u64) -> u64 {
        const FIVE_MINUTES_NS: u64 = 300_000_000_000;
        ticks.wrapping_sub(1 << 32).wrapping_mul((self.tick_8ns as u64) << 3).wrapping_add(FIVE_MINUTES_NS)
    }
}
