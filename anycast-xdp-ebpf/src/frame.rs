//! L2: Ethernet and up to two tags.

use anycast_common::header::{ETHERNET_BYTES, ETHERTYPE_QINQ, ETHERTYPE_VLAN, VLAN_TAG_BYTES, VLAN_TAGS_MAX};

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
