//! The chain of IPv6 extension headers (RFC 8200 section 4), bounded.

use anycast_common::header::{IPV6_BYTES, IPV6_EXTENSIONS_MAX, protocol};

use super::ip::Upper;
use crate::packet::Cursor;

/// Is this next header one that is walked?
#[inline(always)]
pub fn is_extension(next: u8) -> bool {
    matches!(
        next,
        protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::FRAGMENT
            | protocol::DESTINATION_OPTIONS
            | protocol::MOBILITY
            | protocol::HIP
            | protocol::SHIM6
    )
}

/// Walks from the fixed header at `l3` to the upper protocol; `length` is where the packet ends.
#[inline(always)]
pub fn walk(l3: Cursor, first: u8, length: usize) -> Option<Upper> {
    let mut upper = Upper { protocol: first, offset: IPV6_BYTES, fragment: false };
    for _ in 0..IPV6_EXTENSIONS_MAX {
        if !is_extension(upper.protocol) {
            return Some(upper);
        }
        if upper.offset + 8 > length {
            return None;
        }
        let header = l3.skip(upper.offset).window::<8>()?;
        let next = header.u8::<0>();
        if upper.protocol == protocol::FRAGMENT {
            upper = Upper { protocol: next, offset: upper.offset + 8, fragment: false };
            // Offset and M; both 0 is an atomic fragment (RFC 6946).
            if header.be16::<2>() & 0xfff9 != 0 {
                return Some(Upper { fragment: true, ..upper });
            }
        } else {
            let bytes = (header.u8::<1>() as usize + 1) << 3;
            if upper.offset + bytes > length {
                return None;
            }
            upper = Upper { protocol: next, offset: upper.offset + bytes, fragment: false };
        }
    }
    if is_extension(upper.protocol) { None } else { Some(upper) }
}
