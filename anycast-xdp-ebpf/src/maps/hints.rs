//! What lies in front of hash maps: see [`anycast_common::map::Hint`].

use anycast_common::map::{HINT_PLACES, HINT_WORD, Hint, Hinted};
use aya_ebpf::{bindings::BPF_F_MMAPABLE, macros::map, maps::Array};

use super::{TUNNELS, cell, returns::PUBLIC_LINKS, returns::tunnel_address};
use crate::stage::ip::Ip;

/// In front of `TUNNELS`.
#[map]
static TUNNEL_HINTS: Array<u64> = Array::with_max_entries(HINT_PLACES as u32, BPF_F_MMAPABLE);
/// In front of `PUBLIC_LINKS`.
#[map]
static LINK_HINTS: Array<u64> = Array::with_max_entries(HINT_PLACES as u32, BPF_F_MMAPABLE);

#[inline(always)]
fn ask(hints: &Array<u64>, kind: u8, word: u32) -> Hinted {
    Hint::ask(hints.get_ptr(Hint::place(word)).map_or(0, cell), kind, word)
}

/// Index of an address that tunnels end at.
#[inline(always)]
pub fn tunnel<F: Ip>(address: F::Address) -> Option<u32> {
    match ask(&TUNNEL_HINTS, F::FAMILY, F::hint_word(address)) {
        Hinted::Index(index) if F::HINT_IS_WHOLE || tunnel_address(index as u8) == F::mapped(address) => {
            Some(index as u32)
        }
        Hinted::Absent | Hinted::Index(_) => None,
        // SAFETY: the value is copied at once.
        Hinted::Ask => unsafe { TUNNELS.get(F::with_family(address)).copied() },
    }
}

/// The link of an access interface.
#[inline(always)]
pub fn public_link(ifindex: u32) -> Option<u16> {
    match ask(&LINK_HINTS, HINT_WORD, ifindex) {
        Hinted::Absent => None,
        Hinted::Index(index) => Some(index),
        // SAFETY: the value is copied at once.
        Hinted::Ask => unsafe { PUBLIC_LINKS.get(ifindex) }.map(|index| *index as u16),
    }
}
