//! Echo requests and replies (RFC 792, RFC 4443 section 4), and what a request of ours carries.

use std::net::IpAddr;

/// Types of the two families.
const REPLY_IPV4: u8 = 0;
const REQUEST_IPV4: u8 = 8;
const REQUEST_IPV6: u8 = 128;
pub const REPLY_IPV6: u8 = 129;

const HEADER_BYTES: usize = 8;
/// Of a whole message, without IP.
pub const MESSAGE_BYTES: usize = HEADER_BYTES + 16;

/// What a request carries, and its reply brings back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// Where its target stands.
    pub slot: u32,
    /// Index of the backend that it was sent to.
    pub backend_index: u32,
    /// Of this request alone: a reply with it is none to an earlier one, and nobody else could know it.
    pub nonce: u64,
}

impl Echo {
    /// The request, its checksum for IPv4; that of ICMPv6 is the kernel's (RFC 3542 section 3.1).
    pub fn request(self, id: u16, to: IpAddr) -> [u8; MESSAGE_BYTES] {
        let mut bytes = [0; MESSAGE_BYTES];
        bytes[0] = if to.is_ipv4() { REQUEST_IPV4 } else { REQUEST_IPV6 };
        bytes[4..6].copy_from_slice(&id.to_be_bytes());
        bytes[6..8].copy_from_slice(&(self.nonce as u16).to_be_bytes());
        bytes[8..12].copy_from_slice(&self.slot.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.backend_index.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.nonce.to_be_bytes());
        if to.is_ipv4() {
            let sum = checksum(&bytes);
            bytes[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        bytes
    }

    /// What a reply with this identifier brings back; `None`: it is none. A raw socket gives IPv4 packets with their header, which the
    /// kernel has checked, and ICMPv6 messages without.
    pub fn reply(id: u16, is_ipv4: bool, packet: &[u8]) -> Option<Self> {
        let header_bytes = if is_ipv4 { usize::from(packet.first()? & 0x0f) * 4 } else { 0 };
        let message = packet.get(header_bytes..)?.first_chunk::<MESSAGE_BYTES>()?;
        let wanted = if is_ipv4 { REPLY_IPV4 } else { REPLY_IPV6 };
        let is_ours = message[0] == wanted && message[1] == 0 && message[4..6] == id.to_be_bytes();
        let word = |at: usize| Some(u32::from_be_bytes(message.get(at..at + 4)?.try_into().ok()?));
        let nonce = u64::from_be_bytes(message[16..24].try_into().ok()?);
        is_ours.then_some(Self { slot: word(8)?, backend_index: word(12)?, nonce })
    }
}

/// RFC 1071, of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks_exact(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO: Echo = Echo { slot: 7, backend_index: 0x0012_3456, nonce: 0x0102_0304_0506_0708 };

    /// What a host makes of a request: another type, the same bytes.
    fn answered(is_ipv4: bool) -> Vec<u8> {
        let to: IpAddr = if is_ipv4 { [192, 0, 2, 1].into() } else { [1; 16].into() };
        let mut message = ECHO.request(0xbeef, to).to_vec();
        message[0] = if is_ipv4 { REPLY_IPV4 } else { REPLY_IPV6 };
        if is_ipv4 { [&[0x46; 24][..], &message].concat() } else { message }
    }

    #[test]
    fn reply_brings_back_what_the_request_carried() {
        for is_ipv4 in [true, false] {
            let packet = answered(is_ipv4);
            assert_eq!(Echo::reply(0xbeef, is_ipv4, &packet), Some(ECHO));
            assert_eq!(Echo::reply(0xbeee, is_ipv4, &packet), None, "another identifier");
            assert_eq!(Echo::reply(0xbeef, is_ipv4, &packet[..packet.len() - 1]), None, "cut off");
            assert_eq!(Echo::reply(0xbeef, is_ipv4, &[]), None);
        }
        assert_eq!(Echo::reply(0xbeef, false, &ECHO.request(0xbeef, [1; 16].into())), None, "a request");
    }

    #[test]
    fn checksum_of_a_request_is_right() {
        let message = ECHO.request(0xbeef, [192, 0, 2, 1].into());
        assert_eq!(checksum(&message), 0);
        assert_eq!(sum_by_definition(&message), 0xffff);
    }

    /// The sum of all words, folded until it fits: the definition, word by word.
    fn sum_by_definition(bytes: &[u8]) -> u16 {
        bytes.chunks_exact(2).fold(0, |sum: u16, pair| {
            let (sum, carried) = sum.overflowing_add(u16::from_be_bytes([pair[0], pair[1]]));
            sum + u16::from(carried)
        })
    }

    proptest::proptest! {
        #[test]
        fn any_packet_is_read_or_not(packet: Vec<u8>, id: u16, is_ipv4: bool) {
            let _ = Echo::reply(id, is_ipv4, &packet);
        }
    }
}
