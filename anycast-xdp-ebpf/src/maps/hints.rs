//! What lies in front of hash maps: see [`anycast_common::map::Hint`].

use anycast_common::map::{HINT_PLACES, HINT_WORD, Hint, Hinted, VIP_HINT_PLACES};
use aya_ebpf::{bindings::BPF_F_MMAPABLE, macros::map, maps::Array};

use super::{TUNNELS, cell, returns::PUBLIC_LINKS, returns::tunnel_address};
use crate::stage::ip::Ip;

/// In front of `TUNNELS`.
#[map]
static TUNNEL_HINTS: Array<u64> = Array::with_max_entries(HINT_PLACES, BPF_F_MMAPABLE);
/// In front of `PUBLIC_LINKS`.
#[map]
static LINK_HINTS: Array<u64> = Array::with_max_entries(HINT_PLACES, BPF_F_MMAPABLE);
/// In front of `VIP4` and `VIP6`.
#[map]
static VIP_HINTS: Array<u64> = Array::with_max_entries(VIP_HINT_PLACES, BPF_F_MMAPABLE);

#[inline(always)]
fn ask(hints: &Array<u64>, places: u32, kind: u8, word: u32) -> Hinted {
    Hint::ask(hints.get_ptr(Hint::place(word, places)).map_or(0, cell), kind, word)
}

/// What is known of the index of a VIP.
#[inline(always)]
pub fn vip<I: Ip>(address: I::Address) -> Hinted {
    ask(&VIP_HINTS, VIP_HINT_PLACES, I::FAMILY, I::hint_word(address))
}

/// Index of an address that tunnels end at.
#[inline(always)]
pub fn tunnel<F: Ip>(address: F::Address) -> Option<u32> {
    match ask(&TUNNEL_HINTS, HINT_PLACES, F::FAMILY, F::hint_word(address)) {
        Hinted::Index(index) if F::HINT_IS_WHOLE || tunnel_address(index as u8) == F::mapped(address) => Some(index),
        Hinted::Absent | Hinted::Index(_) => None,
        // SAFETY: the value is copied at once.
        Hinted::Ask => unsafe { TUNNELS.get(F::with_family(address)).copied() },
    }
}

/// The link of an access interface.
#[inline(always)]
pub fn public_link(ifindex: u32) -> Option<u16> {
    match ask(&LINK_HINTS, HINT_PLACES, HINT_WORD, ifindex) {
        Hinted::Absent => None,
        Hinted::Index(index) => Some(index as u16),
        // SAFETY: the value is copied at once.
        Hinted::Ask => unsafe { PUBLIC_LINKS.get(ifindex) }.map(|index| *index as u16),
    }
}
