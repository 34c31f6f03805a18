//! Would a router take the packet at all? (RFC 1812 section 5.3)

use anycast_common::outcome::Outcome;

use super::ip::{Header, Ip};
use crate::{frame, packet::Cursor};

/// Fails for frames to a group, which are copies of what others get too (RFC 1812 section 5.3.4), and for sources that
/// cannot be answered (section 5.3.7), the VIP itself among them.
#[inline(always)]
pub fn check<I: Ip>(frame: Cursor, header: &Header<I>) -> Result<(), Outcome> {
    if frame::is_for_group(frame) {
        return Err(Outcome::LinkGroup);
    }
    if I::is_martian(header.source) || header.source == header.destination {
        return Err(Outcome::MartianSource);
    }
    Ok(())
}
