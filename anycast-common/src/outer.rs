//! Ready-made outer headers: everything constant of a tunnel, built once per backend. [`crate::outer_patch`] finishes them.

use core::{fmt, net::IpAddr};

use crate::{
    checksum,
    encap::Encap,
    header::{GRE_FLAGS_KEY, IPV4_BYTES, IPV6_BYTES},
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
    /// More than [`SOURCE_BITS_MAX`].
    TooManySources {
        /// How many.
        varying_bits: u8,
    },
}

impl fmt::Display for OuterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FamiliesDiffer { source, destination } => {
                write!(formatter, "tunnel source {source} and backend {destination} are of different families")
            }
            Self::NotAHost(address) => write!(formatter, "{address} cannot be the end of a tunnel"),
            Self::TooManySources { varying_bits } => {
                write!(formatter, "{varying_bits} bits of the tunnel source vary; at most {SOURCE_BITS_MAX} can")
            }
        }
    }
}

impl core::error::Error for OuterError {}

/// Where tunnels to a backend begin: an address, or a prefix in which every flow has an address by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The address, or the first of the prefix.
    pub first: IpAddr,
    /// Bits at the end of it that differ from flow to flow: 0 to [`SOURCE_BITS_MAX`].
    pub varying_bits: u8,
}

/// Most bits of a source that differ from flow to flow.
pub const SOURCE_BITS_MAX: u8 = 16;

impl Source {
    /// One address for all flows.
    pub const fn one(address: IpAddr) -> Self {
        Self { first: address, varying_bits: 0 }
    }

    /// [`crate::map::BackendEntry::source_mask`].
    pub const fn mask(self) -> [u8; 2] {
        let [_, _, high, low] = ((1_u32 << self.varying_bits) - 1).to_be_bytes();
        [high, low]
    }
}

/// The fields of a [`crate::map::BackendEntry`] that its tunnel gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// Wire bytes; what is patched per packet is 0.
    pub outer: [u8; OUTER_MAX_BYTES],
    /// One of `ENCAP_*`.
    pub encap: u8,
    /// 4 or 6.
    pub family: u8,
    /// Mask of the source's last two bytes.
    pub source_mask: [u8; 2],
    /// Sum of the IPv4 header's words in native order, to be finished by [`crate::outer_patch::ipv4_checksum`]; 0 for IPv6.
    pub checksum_base: u32,
}

/// The outer header of packets from `source` to `destination`, for either inner family.
///
/// # Errors
///
/// The addresses are of different families, one of them is not a host's, or more bits of the source vary than may.
pub fn template(source: Source, destination: IpAddr, encap: Encap) -> Result<Template, OuterError> {
    if let Some(address) = [source.first, destination].into_iter().find(|address| !is_host(*address)) {
        return Err(OuterError::NotAHost(address));
    }
    if source.varying_bits > SOURCE_BITS_MAX {
        return Err(OuterError::TooManySources { varying_bits: source.varying_bits });
    }
    let mut outer = [0; OUTER_MAX_BYTES];
    let (ip_bytes, checksum_base) = match (source.first, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            outer[0] = IPV4_VERSION_IHL;
            outer[6..8].copy_from_slice(&IPV4_DONT_FRAGMENT);
            outer[8] = OUTER_TTL;
            outer[12..16].copy_from_slice(&source.octets());
            outer[16..20].copy_from_slice(&destination.octets());
            (IPV4_BYTES, checksum::sum(&outer[..IPV4_BYTES]))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            outer[..4].copy_from_slice(&crate::outer_patch::ipv6_first_word(0, 0));
            outer[7] = OUTER_TTL;
            outer[8..24].copy_from_slice(&source.octets());
            outer[24..40].copy_from_slice(&destination.octets());
            (IPV6_BYTES, 0)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            return Err(OuterError::FamiliesDiffer { source: source.first, destination });
        }
    };
    let behind_ip = &mut outer[ip_bytes..ip_bytes + encap.header_bytes()];
    match encap {
        Encap::Ipip | Encap::Gre { key: None } => {}
        Encap::Gre { key: Some(key) } => {
            behind_ip[..2].copy_from_slice(&GRE_FLAGS_KEY.to_be_bytes());
            behind_ip[4..].copy_from_slice(&key.to_be_bytes());
        }
        Encap::Gue { port } => behind_ip[2..4].copy_from_slice(&port.to_be_bytes()),
    }
    let family = Family::of(destination).number();
    Ok(Template { outer, encap: encap.number(), family, source_mask: source.mask(), checksum_base })
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
