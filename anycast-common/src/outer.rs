//! Ready-made outer headers: everything constant of a tunnel, built once per backend. [`crate::outer_patch`] finishes them.

use core::{fmt, net::IpAddr};

use crate::{
    checksum,
    header::{IPV4_BYTES, IPV6_BYTES},
    map::OUTER_MAX_BYTES,
};

/// TTL and hop limit of outer headers.
pub const OUTER_TTL: u8 = 64;

/// Version 4, five 32-bit words of header (RFC 791).
const IPV4_VERSION_IHL: u8 = 0x45;
/// Flags and fragment offset: DF. An ID of 0 without it corrupts reassembly (RFC 6864).
const IPV4_DONT_FRAGMENT: [u8; 2] = [0x40, 0];

/// Family of an outer header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// The number of it in [`crate::map::BackendEntry::family`]: 4 or 6.
    pub const fn number(self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }

    /// Bytes of its outer header over IPIP: what a tunnel takes off the path's MTU.
    pub const fn outer_bytes(self) -> usize {
        match self {
            Self::V4 => IPV4_BYTES,
            Self::V6 => IPV6_BYTES,
        }
    }
}

/// Why there is no outer header for a pair of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OuterError {
    /// The two ends of a tunnel are of different families.
    FamiliesDiffer {
        /// The near end.
        source: IpAddr,
        /// The far end.
        destination: IpAddr,
    },
    /// Unspecified, multicast, broadcast or v4-mapped: not the address of one host.
    NotAHost(IpAddr),
}

impl fmt::Display for OuterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FamiliesDiffer { source, destination } => {
                write!(formatter, "tunnel source {source} and backend {destination} are of different families")
            }
            Self::NotAHost(address) => write!(formatter, "{address} cannot be the end of a tunnel"),
        }
    }
}

impl core::error::Error for OuterError {}

/// The fields of a [`crate::map::BackendEntry`] that its tunnel gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// Wire bytes; length, DSCP/ECN, checksum, flow label and protocol (next header) are 0.
    pub outer: [u8; OUTER_MAX_BYTES],
    /// Bytes used of `outer`.
    pub outer_bytes: u8,
    /// 4 or 6.
    pub family: u8,
    /// Sum of the IPv4 header's words in native order, to be finished by [`crate::outer_patch::ipv4_checksum`]; 0 for IPv6.
    pub checksum_base: u32,
}

/// The IPIP header (RFC 2003, RFC 2473, RFC 4213) of packets from `source` to `destination`, for either inner family.
///
/// # Errors
///
/// The addresses are of different families, or one of them is not a host's.
pub fn template(source: IpAddr, destination: IpAddr) -> Result<Template, OuterError> {
    if let Some(address) = [source, destination].into_iter().find(|address| !is_host(*address)) {
        return Err(OuterError::NotAHost(address));
    }
    let mut outer = [0; OUTER_MAX_BYTES];
    let checksum_base = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            outer[0] = IPV4_VERSION_IHL;
            outer[6..8].copy_from_slice(&IPV4_DONT_FRAGMENT);
            outer[8] = OUTER_TTL;
            outer[12..16].copy_from_slice(&source.octets());
            outer[16..20].copy_from_slice(&destination.octets());
            checksum::sum(&outer[..IPV4_BYTES])
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            outer[..4].copy_from_slice(&crate::outer_patch::ipv6_first_word(0, 0));
            outer[7] = OUTER_TTL;
            outer[8..24].copy_from_slice(&source.octets());
            outer[24..40].copy_from_slice(&destination.octets());
            0
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            return Err(OuterError::FamiliesDiffer { source, destination });
        }
    };
    let family = Family::of(destination);
    Ok(Template { outer, outer_bytes: family.outer_bytes() as u8, family: family.number(), checksum_base })
}

fn is_host(address: IpAddr) -> bool {
    !address.is_unspecified()
        && !address.is_multicast()
        && match address {
            IpAddr::V4(address) => !address.is_broadcast(),
            IpAddr::V6(address) => address.to_ipv4_mapped().is_none(),
        }
}

#[cfg(test)]
mod tests;
