//! L2: Ethernet and up to two tags.

use anycast_common::{
    header::{ETHERNET_BYTES, ETHERTYPE_QINQ, ETHERTYPE_VLAN, VLAN_TAG_BYTES, VLAN_TAGS_MAX},
    probe::ProbeMark,
};

use crate::packet::{Cursor, Window};

/// The L2 header of a frame.
pub struct L2 {
    /// Ethernet header and the tags that were skipped.
    pub bytes: usize,
    /// EtherType behind them.
    pub ethertype: u16,
}

/// The EtherType behind the addresses; 0: the frame is too short for one.
#[inline(always)]
pub fn ethertype(frame: Cursor) -> u16 {
    frame.window::<ETHERNET_BYTES>().map_or(0, Window::be16::<12>)
}

/// The mark of a probe in the source address.
#[inline(always)]
pub fn probe_mark(frame: Cursor) -> Option<ProbeMark> {
    let addresses = frame.window::<12>()?;
    ProbeMark::from_mac_words(addresses.word::<6>(), addresses.ne16::<10>())
}

/// Writes the destination into the source address: of what has no neighbours, as a device without ARP, both are its own.
#[inline(always)]
pub fn take_probe_mark_off(frame: Cursor) {
    if let Some(addresses) = frame.window::<12>() {
        addresses.set_word::<6>(addresses.word::<0>());
        addresses.set_ne16::<10>(addresses.ne16::<4>());
    }
}

/// Writes what stands behind the addresses of a frame that leaves: the EtherType, and a tag before it if the L2 header, of
/// `l2_bytes`, has room for one. The bytes are a constant wherever this is used.
#[inline(always)]
pub fn set_ethertype<const N: usize>(frame: Window<N>, l2_bytes: usize, vlan_tci: u16, ethertype: u16) {
    if l2_bytes == ETHERNET_BYTES {
        frame.part::<2>(12).set_ne16::<0>(ethertype.to_be());
        return;
    }
    let tag: Window<6> = frame.part(12);
    tag.set_ne16::<0>(ETHERTYPE_VLAN.to_be());
    tag.set_ne16::<2>(vlan_tci);
    tag.set_ne16::<4>(ethertype.to_be());
}

/// Writes the L2 header of a frame that came in as that of one that goes back: addresses change places, tags stay. The two
/// may be the same frame.
#[inline(always)]
pub fn turn_round(came: Cursor, goes: Cursor, l2_bytes: usize) -> Option<()> {
    let from = came.window::<ETHERNET_BYTES>()?;
    let [first, middle, last] = [from.word::<0>(), from.word::<4>(), from.word::<8>()];
    let ethertype = from.ne16::<12>();
    let [end, begin] = halves(middle);
    let to = goes.window::<ETHERNET_BYTES>()?;
    to.set_ne16::<0>(begin);
    to.set_word::<2>(last);
    to.set_word::<6>(first);
    to.set_ne16::<10>(end);
    to.set_ne16::<12>(ethertype);
    if l2_bytes > ETHERNET_BYTES {
        let tag = came.window::<{ ETHERNET_BYTES + VLAN_TAG_BYTES }>()?.word::<ETHERNET_BYTES>();
        goes.window::<{ ETHERNET_BYTES + VLAN_TAG_BYTES }>()?.set_word::<ETHERNET_BYTES>(tag);
    }
    if l2_bytes > ETHERNET_BYTES + VLAN_TAG_BYTES {
        let tag = came.window::<22>()?.word::<18>();
        goes.window::<22>()?.set_word::<18>(tag);
    }
    Some(())
}

/// A word as two half words, in the order of memory.
#[inline(always)]
fn halves(word: u32) -> [u16; 2] {
    let [a, b, c, d] = word.to_ne_bytes();
    [u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d])]
}

/// Is the frame addressed to a group, broadcast or multicast? (IEEE 802 section 8.2: the I/G bit)
#[inline(always)]
pub fn is_for_group(frame: Cursor) -> bool {
    frame.window::<1>().is_some_and(|destination| destination.u8::<0>() & 1 != 0)
}

/// Reads the L2 header; a frame that ends within a tag keeps the tag's EtherType, which is not IP.
#[inline(always)]
pub fn parse(frame: Cursor) -> L2 {
    let Some(ethernet) = frame.window::<ETHERNET_BYTES>() else {
        return L2 { bytes: 0, ethertype: 0 };
    };
    let mut l2 = L2 { bytes: ETHERNET_BYTES, ethertype: ethernet.be16::<12>() };
    for _ in 0..VLAN_TAGS_MAX {
        if l2.ethertype != ETHERTYPE_VLAN && l2.ethertype != ETHERTYPE_QINQ {
            break;
        }
        let Some(tag) = frame.skip(l2.bytes).window::<VLAN_TAG_BYTES>() else {
            break;
        };
        l2 = L2 { bytes: l2.bytes + VLAN_TAG_BYTES, ethertype: tag.be16::<2>() };
    }
    l2
}
