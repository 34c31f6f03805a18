//! The MSS option of a client's SYN: what a gateway makes of it.

use super::ip::{self, Family, be16, replace_checksum_word};

const TCP_BYTES: usize = 20;
/// Options that are looked at.
const OPTIONS_MAX: usize = 8;

/// Clamps the MSS of the SYN in `bytes`, an IP packet and what follows it, to what packets of so many bytes hold. Only
/// `readable_bytes` can be read.
pub(super) fn clamp(family: Family, bytes: &mut [u8], readable_bytes: usize, packet_bytes_max: usize) {
    let tcp_at = ip::header_length(family, bytes);
    let protocol = match family {
        Family::V4 => bytes[9],
        Family::V6 => bytes[6],
    };
    let is_fragment = family == Family::V4 && ip::is_ipv4_fragment(bytes);
    let Some(tcp) = bytes.get_mut(tcp_at..readable_bytes).filter(|tcp| tcp.len() >= TCP_BYTES) else { return };
    if protocol != 6 || is_fragment || tcp[13] & 2 == 0 {
        return;
    }
    let Some(most) = packet_bytes_max.checked_sub(family.header_bytes() + TCP_BYTES) else { return };
    let Some(at) = mss_at(tcp) else { return };
    if usize::from(be16(tcp, at)) <= most {
        return;
    }
    // The words that hold the value, one or two, at even places of the TCP header.
    let words = || (at & !1..at + 2).step_by(2);
    let before: Vec<u16> = words().map(|word| word_at(tcp, word)).collect();
    tcp[at..at + 2].copy_from_slice(&(most as u16).to_be_bytes());
    let changed = words().zip(before).map(|(word, old)| (old, word_at(tcp, word)));
    let checksum = changed.fold(be16(tcp, 16), |checksum, (old, new)| replace_checksum_word(checksum, old, new));
    tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
}

/// What cannot be read does not change.
fn word_at(tcp: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([tcp[at], tcp.get(at + 1).copied().unwrap_or(0)])
}

/// Where the value of the MSS option is.
fn mss_at(tcp: &[u8]) -> Option<usize> {
    let end = usize::from(tcp[12] >> 4) * 4;
    let mut at = TCP_BYTES;
    for _ in 0..OPTIONS_MAX {
        let option = tcp.get(at..at + 4).filter(|_| at + 4 <= end)?;
        match option[..2] {
            [1, _] => at += 1,
            [2, _] => return Some(at + 2),
            [0, _] | [_, 0 | 1] => return None,
            [_, length] => at += usize::from(length),
            _ => unreachable!("two bytes"),
        }
    }
    None
}
