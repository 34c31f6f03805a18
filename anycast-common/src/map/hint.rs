//! Hints: an array in front of a hash map. The kernel inlines the look-up of an array, and one of a hash map is a call, a hash
//! of the key and a comparison.
//!
//! A key has one place in the array, given by a word of it. What lies there tells that no key does, which one does, or that
//! there are several; only then the map has to be asked. Each place is a cell, stored after its keys were inserted or removed:
//! who reads it meanwhile finds what the map had a moment ago.

/// Places of a table of hints.
pub const HINT_PLACES: usize = 256;

/// [`Hint::kind`]: the key is the word.
pub const HINT_WORD: u8 = 1;
/// [`Hint::kind`]: an IPv4 address, which is the word.
pub const HINT_V4: u8 = 4;
/// [`Hint::kind`]: an IPv6 address, of which the word is [`hint_word_v6`].
pub const HINT_V6: u8 = 6;
/// [`Hint::kind`]: several keys.
const SEVERAL: u8 = 0xff;

/// What is known of a place with one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The key, or a word made of it.
    pub word: u32,
    /// One of `HINT_*`.
    pub kind: u8,
    /// The value.
    pub index: u16,
}

/// What a cell tells of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hinted {
    /// It is not in the map.
    Absent,
    /// It has this value, if its word is the whole of it; else it has this one or is not in the map.
    Index(u16),
    /// Ask the map.
    Ask,
}

impl Hint {
    /// The cell of a place with several keys.
    pub const SEVERAL: u64 = (SEVERAL as u64) << 16;

    /// Packs the cell: index in bits 0..16, kind in 16..24, word in 32..64. 0 is a place without a key.
    #[inline(always)]
    pub const fn to_cell(self) -> u64 {
        self.index as u64 | (self.kind as u64) << 16 | (self.word as u64) << 32
    }

    /// What `cell`, which lies at the place of `word`, tells of a key of this kind and word.
    #[inline(always)]
    pub const fn ask(cell: u64, kind: u8, word: u32) -> Hinted {
        let wanted = Self { word, kind, index: 0 };
        let difference = cell ^ wanted.to_cell();
        if difference >> 16 == 0 {
            Hinted::Index(difference as u16)
        } else if cell == Self::SEVERAL {
            Hinted::Ask
        } else {
            Hinted::Absent
        }
    }

    /// Place of a word, below [`HINT_PLACES`].
    #[inline(always)]
    pub const fn place(word: u32) -> u32 {
        word.wrapping_mul(0x9e37_79b1) >> 24
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
        let cell = Hint { word: 0x0a01_0203, kind: HINT_V4, index: 0xfffe }.to_cell();
        assert_eq!(Hint::ask(cell, HINT_V4, 0x0a01_0203), Hinted::Index(0xfffe));
        assert_eq!(Hint::ask(cell, HINT_V4, 0x0a01_0202), Hinted::Absent);
        assert_eq!(Hint::ask(cell, HINT_V6, 0x0a01_0203), Hinted::Absent);
        assert_eq!(Hint::ask(0, HINT_V4, 0), Hinted::Absent);
        assert_eq!(Hint::ask(Hint::SEVERAL, HINT_V4, 0), Hinted::Ask);
        assert_eq!(Hint::ask(Hint::SEVERAL, HINT_V6, u32::MAX), Hinted::Ask);
    }

    #[test]
    fn places_are_within_the_table_and_used_evenly() {
        let mut used = [0_u32; HINT_PLACES];
        for last in 0..256_u32 {
            used[Hint::place(u32::from_ne_bytes([10, 3, 0, last as u8])) as usize] += 1;
        }
        assert!(used.iter().all(|keys| *keys < 8), "{used:?}");
    }
}
