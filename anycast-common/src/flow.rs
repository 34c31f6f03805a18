//! The flow hash: keyed, 64 bits, the same on every `PoP` of a fleet. Part of the wire contract of [`crate::HASH_VERSION`].
//!
//! Multilinear hashing with half multiplications (Lemire and Kaser, "Strongly universal string hashing is fast", 2014,
//! equation 5): `k[0] + sum((k[2i+1] + w[2i]) * (k[2i+2] + w[2i+1]))` over 32-bit words, then one mixing step so that
//! neighbouring addresses do not fall into an arithmetic progression of slots. Two multiplications for IPv4, five for IPv6.

/// Key words: 0..=4 for IPv4, 5..=15 for IPv6.
pub const KEY_WORDS: usize = 16;

/// Expanded hash key, from the fleet's 128-bit seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct FlowKey {
    /// Independent 64-bit words.
    pub words: [u64; KEY_WORDS],
}

impl FlowKey {
    /// Expands a seed: word `i` is SipHash-2-4 of the byte `i`, keyed with the seed.
    #[cfg(feature = "user")]
    pub fn from_seed(seed: &[u8; 16]) -> Self {
        use core::hash::Hasher as _;
        let words = core::array::from_fn(|index| {
            let mut hasher = siphasher::sip::SipHasher24::new_with_key(seed);
            hasher.write(&[index as u8]);
            hasher.finish()
        });
        Self { words }
    }
}

/// The transport part of a flow: ports in wire order, source first; all zero for flows without ports or that hash on addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    /// Source port, then destination port.
    pub ports: [u8; 4],
    /// IP protocol number; 0 when the hash is on addresses only.
    pub protocol: u8,
}

/// The 32-bit word of four wire bytes: little-endian on every machine, by contract.
#[inline(always)]
const fn word(bytes: [u8; 4]) -> u64 {
    u32::from_le_bytes(bytes) as u64
}

#[inline(always)]
const fn mix(sum: u64) -> u64 {
    let sum = sum ^ sum >> 32;
    let sum = sum.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    sum ^ sum >> 32
}

#[inline(always)]
const fn pair(key: &FlowKey, at: usize, first: u64, second: u64) -> u64 {
    key.words[at].wrapping_add(first).wrapping_mul(key.words[at + 1].wrapping_add(second))
}

/// Hash of an IPv4 flow: source and destination in wire order.
#[inline(always)]
pub const fn hash_v4(key: &FlowKey, source: [u8; 4], destination: [u8; 4], transport: Transport) -> u64 {
    mix(key.words[0].wrapping_add(pair(key, 1, word(source), word(destination))).wrapping_add(pair(
        key,
        3,
        word(transport.ports),
        transport.protocol as u64,
    )))
}

/// Hash of an IPv6 flow, the addresses as their four 32-bit words in wire order.
#[inline(always)]
pub const fn hash_v6(key: &FlowKey, source: [[u8; 4]; 4], destination: [[u8; 4]; 4], transport: Transport) -> u64 {
    mix(key.words[5]
        .wrapping_add(pair(key, 6, word(source[0]), word(source[1])))
        .wrapping_add(pair(key, 8, word(source[2]), word(source[3])))
        .wrapping_add(pair(key, 10, word(destination[0]), word(destination[1])))
        .wrapping_add(pair(key, 12, word(destination[2]), word(destination[3])))
        .wrapping_add(pair(key, 14, word(transport.ports), transport.protocol as u64)))
}

/// The IPv6 flow label of an outer header (RFC 6438): bits 4..24 of the flow hash, so it shares none with the next-hop
/// pick (bits 0..4) nor with the slot (bits 32..64), and the flows of one backend still spread over the backbone.
#[inline(always)]
pub const fn flow_label(flow_hash: u64) -> u32 {
    (flow_hash >> 4) as u32 & 0xf_ffff
}

#[cfg(all(test, feature = "user"))]
mod tests;
