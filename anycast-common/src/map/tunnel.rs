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
