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
}

impl TunnelPolicy {
    /// Unpacks the cell.
    #[inline(always)]
    pub const fn from_cell(cell: u64) -> Self {
        Self {
            gue_port: cell as u16,
            is_gre_keyed: cell >> 16 & 1 == 1,
            varying_bits_v4: (cell >> 32 & 0x1f) as u8,
            varying_bits_v6: (cell >> 37 & 0x1f) as u8,
        }
    }

    /// Packs the cell: port in bits 0..16, keyed in bit 16, varying bits in 32..37 and 37..42.
    pub const fn to_cell(self) -> u64 {
        self.gue_port as u64
            | (self.is_gre_keyed as u64) << 16
            | (self.varying_bits_v4 as u64 & 0x1f) << 32
            | (self.varying_bits_v6 as u64 & 0x1f) << 37
    }
}
