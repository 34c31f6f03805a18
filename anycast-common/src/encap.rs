//! How a packet is wrapped for a backend: what follows the outer IP header, and what it costs.

use core::{fmt, net::IpAddr};

use crate::{
    header::{GRE_BYTES, GRE_KEYED_BYTES, IPV4_BYTES, IPV6_BYTES, UDP_BYTES},
    map::{ENCAP_GRE, ENCAP_GRE_KEYED, ENCAP_GUE, ENCAP_IPIP},
};

/// What follows the outer IP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encap {
    /// The inner packet (RFC 2003, RFC 2473, RFC 4213).
    #[default]
    Ipip,
    /// Generic routing encapsulation (RFC 2784).
    Gre {
        /// Key (RFC 2890); `None`: the header has none.
        key: Option<u32>,
    },
    /// GUE variant 1: IP directly in UDP (draft-ietf-intarea-gue section 4). The UDP checksum is 0 over both families:
    /// over IPv6 by RFC 6935, for the reasons of RFC 6936 section 5, which docs/datapath.md goes through.
    Gue {
        /// UDP destination port.
        port: u16,
    },
}

impl Encap {
    /// The number of it in [`crate::map::BackendEntry::encap`].
    pub const fn number(self) -> u8 {
        match self {
            Self::Ipip => ENCAP_IPIP,
            Self::Gre { key: None } => ENCAP_GRE,
            Self::Gre { key: Some(_) } => ENCAP_GRE_KEYED,
            Self::Gue { .. } => ENCAP_GUE,
        }
    }

    /// Bytes between the outer IP header and the inner packet.
    pub const fn header_bytes(self) -> usize {
        match self {
            Self::Ipip => 0,
            Self::Gre { key: None } => GRE_BYTES,
            Self::Gre { key: Some(_) } => GRE_KEYED_BYTES,
            Self::Gue { .. } => UDP_BYTES,
        }
    }

    /// Bytes in front of the inner packet on the way to `backend`: what the tunnel takes off the path's MTU.
    pub const fn overhead_bytes(self, backend: IpAddr) -> usize {
        let ip_bytes = match backend {
            IpAddr::V4(_) => IPV4_BYTES,
            IpAddr::V6(_) => IPV6_BYTES,
        };
        ip_bytes + self.header_bytes()
    }

    /// Flows differ on the way in more than the addresses and the IPv6 flow label: routers and NICs spread them.
    pub const fn has_own_entropy(self) -> bool {
        matches!(self, Self::Gue { .. })
    }
}

impl fmt::Display for Encap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipip => f.write_str("ipip"),
            Self::Gre { key: None } => f.write_str("gre"),
            Self::Gre { key: Some(key) } => write!(f, "gre key {key}"),
            Self::Gue { port } => write!(f, "gue port {port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString as _;

    use super::*;

    #[test]
    fn overhead_is_the_outer_ip_header_and_what_follows_it() {
        let (v4, v6): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        let of = |encap: Encap| (encap.overhead_bytes(v4), encap.overhead_bytes(v6));
        assert_eq!(of(Encap::Ipip), (20, 40));
        assert_eq!(of(Encap::Gre { key: None }), (24, 44));
        assert_eq!(of(Encap::Gre { key: Some(0) }), (28, 48));
        assert_eq!(of(Encap::Gue { port: 6080 }), (28, 48));
    }

    #[test]
    fn words_tell_the_encap_and_its_parameter() {
        let encaps = [Encap::Ipip, Encap::Gre { key: None }, Encap::Gre { key: Some(7) }, Encap::Gue { port: 6080 }];
        assert_eq!(encaps.map(|encap| encap.to_string()), ["ipip", "gre", "gre key 7", "gue port 6080"]);
    }
}
