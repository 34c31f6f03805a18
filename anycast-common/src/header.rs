//! Header numbers: sizes, EtherTypes and protocol numbers, each with the document that assigns it.

/// Bytes of an untagged Ethernet header.
pub const ETHERNET_BYTES: usize = 14;
/// Bytes of one 802.1Q tag.
pub const VLAN_TAG_BYTES: usize = 4;
/// Most tags that are skipped to find the IP header (802.1ad: one service and one customer tag).
pub const VLAN_TAGS_MAX: usize = 2;
/// EtherType IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// EtherType IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
/// EtherType 802.1Q.
pub const ETHERTYPE_VLAN: u16 = 0x8100;
/// EtherType 802.1ad.
pub const ETHERTYPE_QINQ: u16 = 0x88a8;
/// Bytes of an IPv4 header without options (RFC 791).
pub const IPV4_BYTES: usize = 20;
/// Bytes of an IPv6 header (RFC 8200).
pub const IPV6_BYTES: usize = 40;
/// Bytes of a GRE header without optional fields (RFC 2784).
pub const GRE_BYTES: usize = 4;
/// Bytes of a GRE header with a key (RFC 2890).
pub const GRE_KEYED_BYTES: usize = 8;
/// First two bytes of a GRE header with a key and nothing else: version 0, the K bit (RFC 2890 section 2).
pub const GRE_FLAGS_KEY: u16 = 0x2000;
/// Bytes of a UDP header (RFC 768).
pub const UDP_BYTES: usize = 8;
/// UDP port that IANA assigned to GUE (draft-ietf-intarea-gue).
pub const GUE_PORT: u16 = 6080;
/// Most IPv6 extension headers that are walked.
pub const IPV6_EXTENSIONS_MAX: usize = 8;

/// IP protocol numbers (IANA).
pub mod protocol {
    /// IPv6 hop-by-hop options.
    pub const HOP_BY_HOP: u8 = 0;
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// IPv4 in IP (RFC 2003, RFC 2473).
    pub const IPIP: u8 = 4;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// IPv6 in IP (RFC 4213, RFC 2473).
    pub const IPV6: u8 = 41;
    /// IPv6 routing header.
    pub const ROUTING: u8 = 43;
    /// IPv6 fragment header.
    pub const FRAGMENT: u8 = 44;
    /// Generic routing encapsulation (RFC 2784).
    pub const GRE: u8 = 47;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// IPv6 destination options.
    pub const DESTINATION_OPTIONS: u8 = 60;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// IPv6 mobility header.
    pub const MOBILITY: u8 = 135;
    /// Host identity protocol.
    pub const HIP: u8 = 139;
    /// Shim6.
    pub const SHIM6: u8 = 140;
}

/// Is this ICMP type (over IPv4) an error about a packet that the destination sent? (RFC 792, RFC 1122 section 3.2.2)
#[inline(always)]
pub const fn icmp_is_error(kind: u8) -> bool {
    matches!(kind, 3 | 4 | 5 | 11 | 12)
}

/// Must no error be sent about an ICMP message of this type, over IPv4? (RFC 1122 section 3.2.2)
#[inline(always)]
pub const fn icmp_forbids_error(kind: u8) -> bool {
    icmp_is_error(kind)
}

/// Must no error be sent about an ICMPv6 message of this type? Errors, those of the future too, and redirects (RFC 4443
/// section 2.4 (e.1) and (e.2)).
#[inline(always)]
pub const fn icmpv6_forbids_error(kind: u8) -> bool {
    kind < 128 || kind == 137
}

/// Is this ICMPv6 type an error about a packet that the destination sent? (RFC 4443 section 2.1)
#[inline(always)]
pub const fn icmpv6_is_error(kind: u8) -> bool {
    matches!(kind, 1..=4)
}
