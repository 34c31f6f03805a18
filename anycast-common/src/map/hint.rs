//! Hints: an array in front of a hash map. The kernel inlines the look-up of an array, and one of a hash map is a call, a hash
//! of the key and a comparison.
//!
//! A key has one place in the array, given by a word of it. What lies there tells that no key does, which one does, or that
//! there are several; only then the map has to be asked. Each place is a cell. Small tables are made anew after their keys were
//! inserted or removed: who reads one meanwhile finds what the map had a moment ago. In front of VIPs the one cell of a key sends
//! packets to the map while that changes.

/// Places of a small table of hints.
pub const HINT_PLACES: u32 = 1 << 8;
/// Places of the table in front of the VIPs: a megabyte.
pub const VIP_HINT_PLACES: u32 = 1 << 17;

/// [`Hint::kind`]: the key is the word.
pub const HINT_WORD: u8 = 1;
/// [`Hint::kind`]: an IPv4 address, which is the word.
pub const HINT_V4: u8 = 4;
/// [`Hint::kind`]: an IPv6 address, of which the word is [`hint_word_v6`].
pub const HINT_V6: u8 = 6;
/// [`Hint::kind`]: several keys.
const SEVERAL: u8 = 0xff;
/// A value is below this.
const INDEX_END: u32 = 1 << 24;

/// What is known of a place with one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The key, or a word made of it.
    pub word: u32,
    /// One of `HINT_*`.
    pub kind: u8,
    /// The value. 24 bits: a larger one is left to the map.
    pub index: u32,
}

/// What a cell tells of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hinted {
    /// It is not in the map.
    Absent,
    /// It has this value, if its word is the whole of it; else it has this one or is not in the map.
    Index(u32),
    /// Ask the map.
    Ask,
}

impl Hint {
    /// The cell of a place with several keys.
    pub const SEVERAL: u64 = (SEVERAL as u64) << 24;

    /// Packs the cell: index in bits 0..24, kind in 24..32, word in 32..64. 0 is a place without a key.
    #[inline(always)]
    pub const fn to_cell(self) -> u64 {
        if self.index >= INDEX_END {
            return Self::SEVERAL;
        }
        self.index as u64 | (self.kind as u64) << 24 | (self.word as u64) << 32
    }

    /// What the cell at the place of this key becomes where it was `cell`, when the key was inserted. One with several keys
    /// stays one: who else was there is not known here.
    pub const fn inserted(self, cell: u64) -> u64 {
        let own = self.to_cell();
        if cell == 0 || cell == own { own } else { Self::SEVERAL }
    }

    /// The same, when the key was removed, which had this value.
    pub const fn removed(self, cell: u64) -> u64 {
        if cell == self.to_cell() && cell != Self::SEVERAL { 0 } else { cell }
    }

    /// What `cell`, which lies at the place of `word`, tells of a key of this kind and word.
    #[inline(always)]
    pub const fn ask(cell: u64, kind: u8, word: u32) -> Hinted {
        let wanted = Self { word, kind, index: 0 };
        let difference = cell ^ wanted.to_cell();
        if difference >> 24 == 0 {
            Hinted::Index(difference as u32)
        } else if cell == Self::SEVERAL {
            Hinted::Ask
        } else {
            Hinted::Absent
        }
    }

    /// Place of a word in a table of so many, a power of two.
    #[inline(always)]
    pub const fn place(word: u32, places: u32) -> u32 {
        word.wrapping_mul(0x9e37_79b1) >> (u32::BITS - places.trailing_zeros())
    }
}

/// The word of an IPv6 address, from its words as they lie in memory.
#[inline(always)]
pub const fn hint_word_v6([a, b, c, d]: [u32; 4]) -> u32 {
    a ^ b.rotate_left(8) ^ c.rotate_left(16) ^ d
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cell_tells_of_its_key_and_of_no_other() {
        let cell = Hint { word: 0x0a01_0203, kind: HINT_V4, index: 0xff_fffe }.to_cell();
        assert_eq!(Hint::ask(cell, HINT_V4, 0x0a01_0203), Hinted::Index(0xff_fffe));
        assert_eq!(Hint::ask(cell, HINT_V4, 0x0a01_0202), Hinted::Absent);
        assert_eq!(Hint::ask(cell, HINT_V6, 0x0a01_0203), Hinted::Absent);
        assert_eq!(Hint::ask(0, HINT_V4, 0), Hinted::Absent);
        assert_eq!(Hint::ask(Hint::SEVERAL, HINT_V4, 0), Hinted::Ask);
        assert_eq!(Hint::ask(Hint::SEVERAL, HINT_V6, u32::MAX), Hinted::Ask);
    }

    #[test]
    fn place_with_several_keys_stays_one_until_it_is_made_anew() {
        let (one, other) = (Hint { word: 1, kind: HINT_V4, index: 7 }, Hint { word: 2, kind: HINT_V4, index: 8 });
        assert_eq!(one.inserted(0), one.to_cell());
        assert_eq!(one.inserted(one.to_cell()), one.to_cell());
        assert_eq!(one.removed(one.to_cell()), 0);
        assert_eq!(other.inserted(one.to_cell()), Hint::SEVERAL);
        assert_eq!((one.removed(Hint::SEVERAL), other.removed(one.to_cell())), (Hint::SEVERAL, one.to_cell()));
        let beyond = Hint { index: 1 << 24, ..one };
        assert_eq!((beyond.inserted(0), beyond.removed(Hint::SEVERAL)), (Hint::SEVERAL, Hint::SEVERAL));
    }

    #[test]
    fn places_are_within_the_table_and_used_evenly() {
        let mut used = [0_u32; HINT_PLACES as usize];
        for last in 0..256_u32 {
            used[Hint::place(u32::from_ne_bytes([10, 3, 0, last as u8]), HINT_PLACES) as usize] += 1;
        }
        assert!(used.iter().all(|keys| *keys < 8), "{used:?}");
    }
}
