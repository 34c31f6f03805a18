//! Step 1 of both programs: from the Ethernet header to the IP header.

use super::ip::{Family, be16};

/// Most tags that are skipped.
const TAGS_MAX: usize = 2;

/// Where the IP packet begins.
#[derive(Clone, Copy)]
pub(super) struct Layer2 {
    /// Bytes of Ethernet header and skipped tags.
    pub ip_offset: usize,
    /// By the EtherType; `None`: not IP.
    pub family: Option<Family>,
}

/// Frames are at least 14 bytes: no driver and no test run hands over less.
pub(super) fn parse(frame: &[u8]) -> Layer2 {
    let mut ether_type = be16(frame, 12);
    let mut ip_offset = 14;
    for _ in 0..TAGS_MAX {
        let is_tag = ether_type == 0x8100 || ether_type == 0x88a8;
        if !is_tag || frame.len() < ip_offset + 4 {
            break;
        }
        ether_type = be16(frame, ip_offset + 2);
        ip_offset += 4;
    }
    let family = match ether_type {
        0x0800 => Some(Family::V4),
        0x86dd => Some(Family::V6),
        _ => None,
    };
    Layer2 { ip_offset, family }
}
