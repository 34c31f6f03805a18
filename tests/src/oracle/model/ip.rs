//! IP headers: families, lengths, addresses, checksums.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anycast_common::outcome::Outcome;

/// IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// Bytes of the header without options and extension headers.
    pub fn header_bytes(self) -> usize {
        match self {
            Self::V4 => 20,
            Self::V6 => 40,
        }
    }

    /// Protocol number of this family inside a tunnel.
    pub fn protocol(self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V6 => 41,
        }
    }

    /// EtherType.
    pub fn ether_type(self) -> [u8; 2] {
        match self {
            Self::V4 => [0x08, 0x00],
            Self::V6 => [0x86, 0xdd],
        }
    }
}

/// The big-endian 16-bit word at `at`.
pub(super) fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn address(family: Family, bytes: &[u8], at: usize) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from(<[u8; 4]>::try_from(&bytes[at..at + 4]).expect("four bytes")).into(),
        Family::V6 => Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[at..at + 16]).expect("sixteen bytes")).into(),
    }
}

/// Source address, at its fixed place.
pub(super) fn source(family: Family, header: &[u8]) -> IpAddr {
    match family {
        Family::V4 => address(family, header, 12),
        Family::V6 => address(family, header, 8),
    }
}

/// Destination address, at its fixed place.
pub(super) fn destination(family: Family, header: &[u8]) -> IpAddr {
    match family {
        Family::V4 => address(family, header, 16),
        Family::V6 => address(family, header, 24),
    }
}

/// TTL or hop limit.
pub(super) fn next(family: Family, header: &[u8]) -> u8 {
    match family {
        Family::V4 => header[9],
        Family::V6 => header[6],
    }
}

/// TTL or hop limit.
pub(super) fn hop_limit(family: Family, header: &[u8]) -> u8 {
    match family {
        Family::V4 => header[8],
        Family::V6 => header[7],
    }
}

/// TOS or traffic class.
pub(super) fn traffic_class(family: Family, header: &[u8]) -> u8 {
    match family {
        Family::V4 => header[1],
        Family::V6 => header[0] << 4 | header[1] >> 4,
    }
}

/// Header length by the IHL field (IPv4), or the fixed 40 (IPv6).
pub(super) fn header_length(family: Family, header: &[u8]) -> usize {
    match family {
        Family::V4 => usize::from(header[0] & 15) * 4,
        Family::V6 => 40,
    }
}

/// IPv4 MF is set or the offset is not 0.
pub(super) fn is_ipv4_fragment(header: &[u8]) -> bool {
    be16(header, 6) & 0x3fff != 0
}

/// "Is it a packet?": the part of `bytes` that the packet says it has, `bytes_max` at most. `bytes` is the rest of the
/// frame and holds at least the fixed header; of an inner packet, only what the outer one holds may be used.
pub(super) fn validate(family: Family, bytes: &[u8], bytes_max: usize) -> Result<&[u8], Outcome> {
    match family {
        Family::V4 => {
            if bytes[0] >> 4 != 4 {
                return Err(Outcome::IpVersion);
            }
            let header_length = header_length(family, bytes);
            if header_length < 20 || header_length > bytes.len() {
                return Err(Outcome::Ipv4HeaderLength);
            }
            let total_length = usize::from(be16(bytes, 2));
            if total_length < header_length || total_length > bytes_max {
                return Err(Outcome::Ipv4TotalLength);
            }
            Ok(&bytes[..total_length])
        }
        Family::V6 => {
            if bytes[0] >> 4 != 6 {
                return Err(Outcome::IpVersion);
            }
            let length = 40 + usize::from(be16(bytes, 4));
            if length > bytes_max {
                return Err(Outcome::Ipv6PayloadLength);
            }
            Ok(&bytes[..length])
        }
    }
}

/// The Internet checksum of a header whose checksum field is zero (RFC 1071).
pub fn checksum(header: &[u8]) -> u16 {
    let mut sum: u32 = header.chunks(2).map(|word| u32::from(be16(word, 0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The checksum after one word of the header changed (RFC 1624 equation 3): a wrong one stays wrong.
pub fn replace_checksum_word(checksum: u16, old: u16, new: u16) -> u16 {
    let mut sum = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
