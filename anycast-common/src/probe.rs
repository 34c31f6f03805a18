//! The mark of a probe: which backend a packet of this host's own is for, whatever the table of the pool says.
//!
//! A socket carries it as `SO_MARK`, `0xa` in the four highest bits. The classifier at the egress of `axp0` writes it into
//! the Ethernet source address, because XDP sees no mark, and the program on the other end reads it there.

/// The first three bytes of the Ethernet source of a probe: an individual address, and a local one (IEEE 802 section 8.2).
/// The backend's index follows in wire order.
const MAC_PREFIX: [u8; 3] = [0xaa, 0x78, 0x70];

/// The backend that a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeMark {
    /// Index into `BACKENDS`, below 2^[`ProbeMark::INDEX_BITS`].
    pub backend_index: u32,
}

impl ProbeMark {
    /// Bits of a backend's index. The four bits of a socket's mark between them and the prefix say nothing.
    pub const INDEX_BITS: u32 = 24;
    const INDEX_MASK: u32 = (1 << Self::INDEX_BITS) - 1;
    /// Bits of a socket's mark that say whether it is one of a probe.
    pub const SOCKET_MASK: u32 = 0xf000_0000;
    /// What they are then.
    pub const SOCKET_PREFIX: u32 = 0xa000_0000;

    /// The mark for a backend; `None`: its index has more bits than a mark has room for.
    pub const fn new(backend_index: u32) -> Option<Self> {
        if backend_index <= Self::INDEX_MASK { Some(Self { backend_index }) } else { None }
    }

    /// Of a socket's mark; `None`: it is another mark, or none.
    #[inline(always)]
    pub const fn from_socket_mark(mark: u32) -> Option<Self> {
        if mark & Self::SOCKET_MASK == Self::SOCKET_PREFIX {
            Some(Self { backend_index: mark & Self::INDEX_MASK })
        } else {
            None
        }
    }

    /// As a socket carries it (`SO_MARK`).
    pub const fn to_socket_mark(self) -> u32 {
        Self::SOCKET_PREFIX | self.backend_index & Self::INDEX_MASK
    }

    /// Of an Ethernet source address, its first four and its last two bytes as they lie in memory; `None`: it is another
    /// address.
    #[inline(always)]
    pub const fn from_mac_words(first: u32, last: u16) -> Option<Self> {
        let [a, b, c, high] = first.to_ne_bytes();
        if u32::from_ne_bytes([a, b, c, 0]) != PREFIX_WORD {
            return None;
        }
        Some(Self { backend_index: (high as u32) << 16 | u16::from_be(last) as u32 })
    }

    /// Of an Ethernet source address; `None`: it is another address.
    pub const fn from_mac(mac: [u8; 6]) -> Option<Self> {
        let first = u32::from_ne_bytes([mac[0], mac[1], mac[2], mac[3]]);
        Self::from_mac_words(first, u16::from_ne_bytes([mac[4], mac[5]]))
    }

    /// As a frame carries it, in the place of its Ethernet source address.
    #[inline(always)]
    pub const fn to_mac(self) -> [u8; 6] {
        let index = self.backend_index.to_be_bytes();
        [MAC_PREFIX[0], MAC_PREFIX[1], MAC_PREFIX[2], index[1], index[2], index[3]]
    }
}

const PREFIX_WORD: u32 = u32::from_ne_bytes([MAC_PREFIX[0], MAC_PREFIX[1], MAC_PREFIX[2], 0]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_goes_from_a_socket_into_a_frame_and_back() {
        for index in [0, 1, 0x0001_0203, 0x00ff_ffff] {
            let mark = ProbeMark::new(index).unwrap();
            assert_eq!(ProbeMark::from_socket_mark(mark.to_socket_mark()), Some(mark));
            assert_eq!(ProbeMark::from_mac(mark.to_mac()), Some(mark));
        }
        assert_eq!(ProbeMark::new(0x0001_0203).unwrap().to_mac(), [0xaa, 0x78, 0x70, 1, 2, 3]);
        assert_eq!(ProbeMark::new(0x0001_0203).unwrap().to_socket_mark(), 0xa001_0203);
        assert_eq!(ProbeMark::new(1 << 24), None);
    }

    #[test]
    fn other_marks_and_addresses_are_none() {
        for mark in [0, 1, 0x9fff_ffff, 0xb000_0000, u32::MAX] {
            assert_eq!(ProbeMark::from_socket_mark(mark), None, "{mark:#x}");
        }
        assert_eq!(ProbeMark::from_socket_mark(0xaf00_0007), ProbeMark::new(7));
        for mac in
            [[0; 6], [0xff; 6], [0xaa, 0x78, 0x71, 0, 0, 1], [0xab, 0x78, 0x70, 0, 0, 1], [0, 0xaa, 0x78, 0x70, 0, 1]]
        {
            assert_eq!(ProbeMark::from_mac(mac), None, "{mac:x?}");
        }
    }

    #[test]
    fn address_of_a_mark_is_an_individual_and_a_local_one() {
        let [first, ..] = ProbeMark::new(0).unwrap().to_mac();
        assert_eq!(first & 3, 2);
    }
}
