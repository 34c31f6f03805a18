//! The MSS option of a TCP SYN (RFC 9293 section 3.7.1): both ends send no longer segments than the ways between PoP and
//! gateway carry in a tunnel.

use anycast_common::header::protocol;

use super::ip::{Header, Ip};
use crate::packet::{Cursor, opaque};

/// Bytes of a TCP header without options.
const TCP_BYTES: usize = 20;
/// Option kinds: end of the list, padding, maximum segment size.
const END: u8 = 0;
const PADDING: u8 = 1;
const MSS: u8 = 2;
/// Options that are looked at. Every stack sends the MSS first, or behind padding.
const OPTIONS_MAX: usize = 8;

/// An MSS option that says more than may be.
pub struct TooLong {
    /// Where the TCP header begins, from the IP header.
    pub tcp_at: usize,
    /// Where the value lies, from the TCP header.
    pub value_at: usize,
    /// What it says, as it lies in memory.
    pub old: u16,
    /// What it may say.
    pub new: u16,
}

impl TooLong {
    /// Old and new value as words of the checksum see them: an option at an odd place lies across two.
    pub fn as_summed(&self) -> (u16, u16) {
        if self.value_at & 1 == 0 { (self.old, self.new) } else { (self.old.swap_bytes(), self.new.swap_bytes()) }
    }
}

/// The MSS option of a SYN, with or without ACK, if its segments make packets of more than `packet_bytes_max`, which is asked
/// of SYNs only.
#[inline(always)]
pub fn too_long<I: Ip>(
    l3: Cursor,
    header: &Header<I>,
    packet_bytes_max: impl FnOnce() -> Option<usize>,
) -> Option<TooLong> {
    if header.next != protocol::TCP || header.fragment {
        return None;
    }
    let tcp_at = opaque(header.bytes) & 0x3f;
    let at = l3.skip(tcp_at);
    let tcp = at.window::<TCP_BYTES>()?;
    if tcp.u8::<13>() & 2 == 0 {
        return None;
    }
    let end = (tcp.u8::<12>() >> 4) as usize * 4;
    let most = packet_bytes_max()?.checked_sub(I::HEADER_BYTES + TCP_BYTES)?;
    let mut option_at = TCP_BYTES;
    for _ in 0..OPTIONS_MAX {
        if option_at + 4 > end {
            return None;
        }
        option_at = opaque(option_at) & 0x3f;
        let option = at.skip(option_at).window::<4>()?;
        match option.u8::<0>() {
            END => return None,
            PADDING => option_at += 1,
            MSS => {
                let says = option.be16::<2>() as usize;
                let (old, new) = (option.ne16::<2>(), (most as u16).to_be());
                return (says > most).then_some(TooLong { tcp_at, value_at: option_at + 2, old, new });
            }
            _ => {
                let bytes = option.u8::<1>() as usize;
                if bytes < 2 {
                    return None;
                }
                option_at += bytes;
            }
        }
    }
    None
}
